"""The film beside the sound runs by its own clock: the clipper is told where on that clock the sound begins."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.ingest.preview.decoded_audio import decode_to_cache
from pipelines.ingest.run import run
from pipelines.media.recording import probe
from tests.small_study import lenient_study
from tests.synthetic_audio import voice
from workbench.app.routes import clipper_json
from workbench.curation import clipper_source
from workbench.curation.picks import Desk
from workbench.curation.recordings import Mined, mineable
from workbench.store import open_store

HZ, FPS = 16000, 25
FLASH_S = 4.0


def film(path: Path, sound_s: float, picture_s: float) -> None:
    """8 s in which, at FLASH_S of the film's clock, the picture is white for a moment and the sound loud.

    Sound and picture begin at `sound_s` and `picture_s` of that clock.
    """
    tick = Fraction(1, 1000)
    sound = 0.2 * voice(8.0, HZ, 120)
    at = round((FLASH_S - sound_s) * HZ)
    sound[at : at + HZ // 50] = 0.99
    with av.open(str(path), "w") as out:
        pictures = out.add_stream("mpeg4", rate=FPS)
        pictures.width = pictures.height = 32
        pictures.pix_fmt, pictures.time_base = "yuv420p", tick
        track = out.add_stream("flac", rate=HZ, layout="mono")
        for number in range(8 * FPS):
            now = picture_s + number / FPS
            shade = 235 if abs(now - FLASH_S) < 0.5 / FPS else 40
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), shade, np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = round(now * 1000), tick
            out.mux(pictures.encode(frame))
        out.mux(pictures.encode(None))
        for start in range(0, len(sound), 1600):
            block = (sound[None, start : start + 1600] * 32767).astype(np.int16)
            heard = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = HZ, round(sound_s * HZ) + start, Fraction(1, HZ)
            out.mux(track.encode(heard))
        out.mux(track.encode(None))


def flash_of(path: Path) -> float:
    """When the picture is white, by the film's clock."""
    with av.open(str(path)) as opened:
        (at,) = [frame.time for frame in opened.decode(video=0) if frame.to_ndarray(format="gray").mean() > 150]
    return float(at)


@pytest.mark.parametrize(
    ("sound_s", "picture_s"), [(0.0, 0.0), (0.0, 0.52), (0.6, 0.0), (2.0, 2.52)], ids=["both", "film", "sound", "late"]
)
def test_the_clipper_shows_what_is_seen_when_it_is_heard(tmp_path: Path, sound_s: float, picture_s: float) -> None:
    study = lenient_study(tmp_path)
    path = tmp_path / "play.mkv"
    film(path, sound_s, picture_s)
    assert probe(path).first_pts_s == pytest.approx(sound_s, abs=0.002)
    run.ingest(study, [str(path)], jobs=1)
    mined = mineable(study)["play"]
    assert isinstance(mined, Mined)
    task = clipper_source.sound_task(study, mined, clipper_source.known(study))
    assert not isinstance(task, str)
    decode_to_cache(task, lambda *_: None)
    sound = clipper_source.sound_of(study, mined)
    assert sound is not None
    with open_store(study) as store:
        told = clipper_json.heard(study, Desk(study, store), mined, sound)
    loud = int(np.argmax(np.abs(sound.samples(0, 8 * HZ).astype(int)) > 32000)) / HZ
    assert told["video"] == "/api/clipper/video/play"
    assert flash_of(path) == pytest.approx(loud + told["video_offset_s"], abs=0.021)
