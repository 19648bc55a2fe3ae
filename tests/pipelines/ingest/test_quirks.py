"""Ingest and recordings as they come in the world: each is read exactly or told in one row, and none ends a run."""

import os
import shutil
import socket
import sys
import unicodedata
import wave
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import soundfile
from av.stream import Disposition

from pipelines.errors import MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.analysis import track_reader
from pipelines.ingest.report import IngestReport, Row
from pipelines.ingest.reproduce.rebuild import verify_sources
from pipelines.ingest.reproduce.shared_manifest import open_manifest
from pipelines.ingest.run import run, stages
from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.source_analysis import Analysed, Task, analyse
from pipelines.manifest import read_clips, read_table
from pipelines.media import audio
from pipelines.progress import Progress
from pipelines.schema import Clip
from pipelines.study import Study, create_study
from tests.malformed_media import Track, concatenate, damage, mux, truncate, wav_bytes
from tests.synthetic_audio import noise, video_without_sound, voice

#: Every window with speech in it becomes a clip: what is asked here is which samples, not which windows.
OPEN = "\n" + "\n".join(f"[screen.{name}]" for name in SCREENS)


_seeds = count(100, 10)


def speech(rate_hz: int = 16000, seed: int | None = None, turns: int = 1) -> audio.Audio:
    """Utterances of 3.6 s between pauses; others each time where no seed is given, since what repeats is left out."""
    rng = np.random.default_rng(next(_seeds) if seed is None else seed)
    parts = [noise(rng.uniform(0.2, 0.6), rate_hz, 0.001)]
    for _ in range(turns):
        parts += [voice(3.6, rate_hz, rng.uniform(95, 180), int(rng.integers(1000))), noise(0.9, rate_hz, 0.001)]
    return np.concatenate(parts)


def new_study(root: Path, settings: str = "") -> Study:
    study = create_study("night", rights_basis="made for this test", root=root)
    text = study.settings_file.read_text(encoding="utf-8")
    study.settings_file.write_text(settings + text + OPEN, encoding="utf-8")
    return Study(root, "night")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return new_study(tmp_path / "root")


def ingest(study: Study, *inputs: Path | str, **options: object) -> IngestReport:
    return run.ingest(Study(study.root, study.name), [str(one) for one in inputs], jobs=1, **options)  # type: ignore[arg-type]


def samples_of(study: Study, clip: Clip) -> audio.Pcm16:
    with wave.open(str(study.clip_path(clip.clip_id))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, clip.rate_hz)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


def clips_of(study: Study, source_id: str | None = None) -> list[Clip]:
    found = read_clips(study.clips_csv) if study.clips_csv.is_file() else ()
    return [clip for clip in found if source_id in (None, clip.source_id)]


def check_exact(study: Study, path: Path, source_id: str, track: int = 0) -> None:
    """The clips of a source are samples of the linear decode of `path`, track `track`."""
    with audio.open_recording(path, track) as opened:
        whole = audio.to_pcm16(np.concatenate([audio.to_mono(block) for block in opened.blocks()]))
    clips = clips_of(study, source_id)
    assert clips, source_id
    for clip in clips:
        expected = whole[clip.start_sample : clip.start_sample + clip.n_samples]
        assert len(expected) == clip.n_samples == round(3 * clip.rate_hz)
        np.testing.assert_array_equal(samples_of(study, clip), expected)
        assert clip.pcm_sha256 == audio.pcm_sha256(expected) and clip.track == track


Maker = Callable[[Path], object]


def written(kind: str, subtype: str, rate_hz: int = 16000, channels: int = 1) -> Maker:
    def make(path: Path) -> None:
        sound = speech(rate_hz)
        several = np.stack([sound * (0.9 - 0.1 * number) for number in range(channels)], axis=1)
        soundfile.write(path, several, rate_hz, format=kind, subtype=subtype)

    return make


def six_channels(codec: str) -> Maker:
    return lambda path: mux(path, [Track(np.tile(0.15 * speech(48000), (6, 1)), 48000, codec, "5.1")])


def one_after_the_other(codec: str, rate_hz: int) -> Maker:
    def make(path: Path) -> None:
        left = speech(rate_hz)
        stereo = np.stack([left, np.roll(0.5 * left, 9)])
        concatenate(path, [Track(speech(rate_hz), rate_hz, codec), Track(stereo, rate_hz, codec, "stereo")])

    return make


def encoded(codec: audio.Codec) -> Maker:
    def make(path: Path) -> None:
        whole = path.with_name("whole." + {"aac": "m4a", "opus": "webm", "pcm16": "wav"}.get(codec, codec))
        audio.encode(whole, speech(), 16000, codec)
        whole.replace(path)

    return make


GOOD: dict[str, Maker] = {
    "eight_bit.wav": written("WAV", "PCM_U8"),
    "twenty_four_bit.wav": written("WAV", "PCM_24", channels=2),
    "thirty_two_bit.wav": written("WAV", "PCM_32"),
    "float.wav": written("WAV", "FLOAT", channels=2),
    "double.wav": written("WAV", "DOUBLE"),
    "mu_law.wav": written("WAV", "ULAW", 8000),
    "adpcm.wav": written("WAV", "IMA_ADPCM", 22050),
    "extensible.wav": written("WAVEX", "PCM_24"),
    "rf64.wav": written("RF64", "PCM_16"),
    "high_rate.wav": written("WAV", "PCM_16", 96000),
    "odd_rate.wav": written("WAV", "PCM_16", 24414),
    "sony.w64": written("W64", "PCM_16"),
    "core.caf": written("CAF", "PCM_24"),
    "sun.au": written("AU", "PCM_16"),
    "vorbis.ogg": written("OGG", "VORBIS", 44100),
    "aiff_named.wav": written("AIFF", "PCM_16"),
    "aifc.aif": written("AIFF", "FLOAT"),
    "six_named.wav": written("WAV", "PCM_16", 48000, 6),
    "six.m4a": six_channels("aac"),
    "six.mkv": six_channels("ac3"),
    "mp3_named.flac": encoded("mp3"),
    "m4a_named.mp3": encoded("aac"),
    "webm_named.mp4": encoded("opus"),
    "no_suffix": encoded("pcm16"),
    "mono_then_stereo.flac": one_after_the_other("flac", 16000),
    "mono_then_stereo.ts": one_after_the_other("aac", 48000),
    "joined.mp3": lambda path: concatenate(path, [Track(speech(44100), 44100, "libmp3lame") for _ in "ab"]),
    "variable_frames.mp4": lambda path: mux(path, [Track(speech())], [0, 10, 500, 520, 3000, 3001, 8000, 8990]),
    "late_sound.mp4": lambda path: mux(path, [Track(speech(), delay=lambda _: 32000)], [0, 4000, 11000]),
    "late_alone.mp4": lambda path: mux(path, [Track(speech(), delay=lambda _: 32000)]),  # an edit list with a pause
    "stream.wav": lambda path: path.write_bytes(wav_bytes(pcm(), size=0xFFFFFFFF)),
    "no_size.wav": lambda path: path.write_bytes(wav_bytes(pcm(), size=0)),
    "odd_bytes.wav": lambda path: path.write_bytes(wav_bytes(pcm() + b"\1")),
}


def pcm() -> bytes:
    return audio.to_pcm16(speech()).astype("<i2").tobytes()


def made(make: Callable[[Path, Path], object], codec: audio.Codec, suffix: str) -> Maker:
    """`make` of a whole recording and the path of the damaged one."""

    def maker(path: Path) -> None:
        whole = path.with_name(f"whole.{suffix}")
        audio.encode(whole, speech(turns=2), 16000, codec)
        make(whole, path)
        whole.unlink()

    return maker


def tagged(path: Path) -> None:
    path.write_bytes(wav_bytes(pcm(), tag=0x55))


BAD: dict[str, tuple[Maker, str, str]] = {
    "empty.mp4": (lambda path: path.touch(), "empty", "gone"),
    "page.mp4": (lambda path: path.write_text("<!doctype html><p>Not here" * 99), "not_media", "gone"),
    "picture_only.mp4": (video_without_sound, "no_audio", "gone"),
    "no_samples.wav": (lambda path: path.write_bytes(wav_bytes(b"")), "no_audio", "gone"),
    "no_index.mp4": (made(truncate, "aac", "mp4"), "cut_short", "fix"),
    "short.wav": (made(truncate, "pcm16", "wav"), "cut_short", "fix"),
    "short.mp3": (made(truncate, "mp3", "mp3"), "cut_short", "fix"),
    "short.webm": (made(truncate, "opus", "webm"), "cut_short", "fix"),
    "short.mkv": (made(truncate, "aac", "mkv"), "cut_short", "fix"),
    "short.flac": (made(truncate, "flac", "flac"), "damaged", "fix"),
    "four_gigabytes.wav": (lambda path: path.write_bytes(wav_bytes(pcm(), size=0xF0000000)), "cut_short", "fix"),
    "spoilt.m4a": (made(damage, "aac", "m4a"), "damaged", "fix"),
    "mp3_in_name.wav": (tagged, "damaged", "fix"),
    "two_rates.flac": (
        lambda path: concatenate(path, [Track(speech(rate_hz), rate_hz, "flac") for rate_hz in (48000, 24000)]),
        "changes_midway",
        "fix",
    ),
    "huge_rate.wav": (lambda path: path.write_bytes(wav_bytes(pcm(), rate_hz=0x7FFFFFFF)), "not_media", "gone"),
    "list.m3u8": (lambda path: path.write_text("#EXTM3U\n#EXTINF:9,\nstream.wav\n"), "not_media", "gone"),
    "list.ffconcat": (lambda path: path.write_text("ffconcat version 1.0\nfile stream.wav\n"), "not_media", "gone"),
}


@pytest.mark.parametrize("name", GOOD)
def test_an_odd_recording_gives_exactly_its_samples(study: Study, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    GOOD[name](path)
    (row,) = ingest(study, path).sources
    assert (row.status, row.reason_code, row.clips > 0) == ("ingested", "", True), row
    check_exact(study, path, row.source_id)
    checked = verify_sources(open_manifest(study.manifests), [tmp_path], study.cache / "scratch", jobs=1)
    assert checked.counts["exact"] == row.clips and checked.exit_code == 0
    again = ingest(study, path)
    assert (again.sources[0].status, again.changed) == ("unchanged", False)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All the bad ones among two good ones."""
    folder = tmp_path_factory.mktemp("odd")
    for name, (make, _, _) in BAD.items():
        make(folder / name)
    for name in ("a_good.wav", "z_good.wav"):
        audio.encode(folder / name, speech(), 16000, "pcm16")
    (folder / "folder.wav").mkdir()
    (folder / "folder.wav" / "inside.txt").write_text("nothing")
    return folder


@pytest.fixture(scope="module")
def ingested(media: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, dict[str, Row]]:
    """All of them in one run."""
    study = new_study(tmp_path_factory.mktemp("all"))
    report = ingest(study, *sorted(media.iterdir()))
    assert report.exit_code == 3
    return study, {Path(row.given).name: row for row in report.sources}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_recording_is_one_row_in_words(ingested: tuple[Study, dict[str, Row]], name: str) -> None:
    study, rows = ingested
    row = rows[name]
    _, code, failure = BAD[name]
    if name == "short.flac" and row.reason_code == "cut_short":  # cut between two frames
        code = "cut_short"
    assert (row.status, row.reason_code, row.failure) == ("failed", code, failure), row
    assert row.reason.startswith(name + ": ") and "\n" not in row.reason
    assert not row.source_id or not clips_of(study, row.source_id)
    sound_before = code in ("damaged", "changes_midway", "cut_short") and name not in (
        "no_index.mp4",
        "mp3_in_name.wav",
    )
    assert ("--salvage" in row.reason) == sound_before


def test_nothing_half_made_is_left_of_them(media: Path, ingested: tuple[Study, dict[str, Row]]) -> None:
    study, rows = ingested
    good = {"a_good", "z_good"}
    assert {row.source_id for row in rows.values() if row.status == "ingested"} == good
    assert (rows["folder.wav"].status, rows["folder.wav"].reason_code) == ("failed", "no_media")
    assert (
        {clip.source_id for clip in clips_of(study)}
        == good
        == {row["source_id"] for row in read_table(study.sources_csv)}
    )
    assert {file.stem.rpartition("-")[0] for file in study.audio.iterdir()} == good
    assert {file.stem for file in (study.cache / "tracks").iterdir()} == good
    assert not list((study.cache / "scratch").iterdir())
    again = ingest(study, media)
    assert not again.changed and {row.source_id for row in again.sources if row.status == "unchanged"} == good


def test_missing_time_is_noted_and_nothing_is_put_in(study: Study, tmp_path: Path) -> None:
    for suffix in ("mkv", "mp4", "ts"):
        later = {"mkv": 80000, "mp4": 64000, "ts": 48000}[suffix]
        path = mux(
            tmp_path / f"gap_{suffix}.{suffix}", [Track(speech(), delay=lambda n, k=later: 0 if n < 40000 else k)]
        )
        (row,) = ingest(study, path).sources
        assert (row.status, row.reason_code) == ("ingested", "gaps"), row
        assert f"{later / 16000:.1f} s are missing according to its time stamps" in row.reason
        check_exact(study, path, f"gap_{suffix}")
        assert ingest(study, path).sources[0].reason == row.reason
    assert {row["reason_code"] for row in read_table(study.sources_csv)} == {"gaps"}


def test_when_the_first_sample_is_to_be_heard_is_kept_for_the_picture(study: Study, tmp_path: Path) -> None:
    late = mux(tmp_path / "late.mkv", [Track(speech(), delay=lambda _: 32000)], [0, 4000, 8000])
    prompt = mux(tmp_path / "prompt.mp4", [Track(speech())], [0, 4000])
    ingest(study, late, prompt)
    first = {row["source_id"]: float(row["first_pts_s"]) for row in read_table(study.sources_csv)}
    assert first == {"late": pytest.approx(2.0, abs=0.1), "prompt": pytest.approx(0.0, abs=0.1)}


def languages(path: Path) -> Path:
    """English by default, Spanish, and what somebody says about it in Spanish."""
    tracks = [
        Track(speech(seed=0), language="eng", disposition=Disposition.default),
        Track(speech(seed=40), language="spa", disposition=Disposition.comment),
        Track(speech(seed=20), language="spa"),
    ]
    return mux(path, tracks)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_the_track_in_the_source_s_language_is_taken_and_stays_known(tmp_path: Path, suffix: str) -> None:
    path = languages(tmp_path / f"film.{suffix}")
    study = new_study(tmp_path / "root", 'language = "es-MX"\n')
    study.settings_file.write_text(study.settings_file.read_text().replace('\nlanguage = ""', ""))
    ingest(study, path)
    check_exact(study, path, "film", track=2)
    import pyarrow.parquet as pq

    assert set(pq.read_table(study.candidates).column("track").to_pylist()) == {2}
    checked = verify_sources(open_manifest(study.manifests), [tmp_path], study.cache / "scratch", jobs=1)
    assert checked.exit_code == 0 and checked.counts["exact"] == len(clips_of(study))
    assert ingest(study, path).sources[0].status == "unchanged"
    first = clips_of(study)[0].clip_id
    next(study.audio.glob(f"{first}.*")).unlink()
    ingest(study)
    check_exact(study, path, "film", track=2)

    rows = study.sources_csv.read_text()
    head, values = (line.split(",") for line in rows.splitlines())
    values[head.index("language")] = "en"
    study.sources_csv.write_text(",".join(head) + "\n" + ",".join(values) + "\n")
    assert ingest(study).sources[0].status == "ingested"  # another language is another track
    check_exact(study, path, "film", track=0)


def test_without_a_language_the_default_track_is_taken(study: Study, tmp_path: Path) -> None:
    tracks = [Track(speech(seed=0), language="eng"), Track(speech(seed=20), disposition=Disposition.default)]
    path = mux(tmp_path / "film.mkv", tracks)
    ingest(study, path)
    check_exact(study, path, "film", track=1)


SALVAGED = ("short.wav", "short.mp3", "short.mkv", "spoilt.m4a", "two_rates.flac")


def test_salvage_keeps_what_comes_before_the_damage_and_says_so(study: Study, media: Path, tmp_path: Path) -> None:
    for name in SALVAGED:
        shutil.copy(media / name, tmp_path / name)
    paths = [tmp_path / name for name in SALVAGED]
    assert ingest(study, *paths).exit_code == 1 and not clips_of(study)
    report = ingest(study, *paths, salvage=True)
    assert report.exit_code == 0
    for row, path in zip(report.sources, paths, strict=True):
        assert (row.status, row.reason_code, row.clips > 0) == ("ingested", "salvaged", True), row
        assert row.reason.startswith(path.name + ": ") and row.reason.endswith("; the audio before it was kept")
    assert {row["reason_code"] for row in read_table(study.sources_csv)} == {"salvaged"}
    checked = verify_sources(open_manifest(study.manifests), [tmp_path], study.cache / "scratch", jobs=1)
    assert checked.counts["exact"] == len(clips_of(study)), [one for one in checked.findings if not one.is_same]
    tables = study.clips_csv.read_bytes(), study.sources_csv.read_bytes()
    again = ingest(study, *paths)
    assert [(row.status, row.reason_code) for row in again.sources] == [("unchanged", "salvaged")] * len(paths)
    assert (study.clips_csv.read_bytes(), study.sources_csv.read_bytes()) == tables
    lost = clips_of(study)[-1]
    study.clip_path(lost.clip_id).unlink()
    ingest(study, *paths)
    assert audio.pcm_sha256(samples_of(study, lost)) == lost.pcm_sha256


def test_a_damaged_recording_is_not_decoded_again_every_night(
    study: Study, media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "spoilt.m4a"
    shutil.copy(media / "spoilt.m4a", path)
    (first,) = ingest(study, path).sources

    def refuse(task: Task, tell: OnProgress) -> Analysed:
        raise AssertionError("decoded again")

    monkeypatch.setattr(stages, "analyse", refuse)
    (again,) = ingest(study, path).sources
    assert (again.reason, again.failure) == (first.reason, "fix")
    monkeypatch.setattr(stages, "analyse", analyse)
    encoded("aac")(path)  # a whole copy
    assert ingest(study, path).exit_code == 0


def test_a_file_that_changes_while_it_is_read_is_told_and_taken_when_it_rests(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "growing.wav"
    audio.encode(path, speech(), 16000, "pcm16")
    written_on = path.read_bytes()[44:]

    def record_on(progress: Progress) -> None:
        if progress.stage == "check" and progress.done:  # its checksum has been taken
            with path.open("ab") as file:
                file.write(written_on)

    (row,) = ingest(study, path, report=record_on).sources
    assert (row.status, row.reason_code, row.failure) == ("failed", "unsteady", "retry"), row
    assert not clips_of(study) and not any(study.audio.glob("*"))
    assert ingest(study, path).exit_code == 0
    check_exact(study, path, "growing")


def test_a_recording_without_end_is_ended(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_reader, "MAX_DURATION_S", 60.0)
    soundfile.write(tmp_path / "hush.flac", np.zeros(8000 * 3600, np.int16), 8000)
    assert (tmp_path / "hush.flac").stat().st_size < 200_000  # an hour in a few bytes
    (row,) = ingest(study, tmp_path / "hush.flac").sources
    assert (row.reason_code, row.failure) == ("too_long", "fix") and "cut it into parts" in row.reason
    assert not list((study.cache / "scratch").iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="no such things there")
def test_what_is_no_file_is_neither_waited_for_nor_followed_in_circles(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    audio.encode(folder / "good.wav", speech(), 16000, "pcm16")
    os.mkfifo(folder / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(folder / "plug.wav"))
    (folder / "endless.wav").symlink_to("/dev/zero")
    (folder / "nowhere.wav").symlink_to("not_there.wav")
    (folder / "itself.wav").symlink_to("itself.wav")
    (folder / "above").symlink_to("..")
    (folder / "again.wav").symlink_to("good.wav")
    report = ingest(study, folder)
    found = {Path(row.given).name: (row.status, row.reason_code) for row in report.sources}
    assert found == {
        "again.wav": ("ingested", ""),
        "endless.wav": ("failed", "no_file"),
        "good.wav": ("duplicate", "duplicate"),
        "itself.wav": ("failed", "unreadable"),
        "nowhere.wav": ("failed", "missing"),
        "pipe.wav": ("failed", "no_file"),
        "plug.wav": ("failed", "no_file"),
    }
    assert report.exit_code == 3


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(study: Study, tmp_path: Path) -> None:
    path = tmp_path / "secret.wav"
    audio.encode(path, speech(), 16000, "pcm16")
    path.chmod(0)
    (row,) = ingest(study, path).sources
    assert row.reason_code == "unreadable" and "Permission denied" in row.reason


NAMES = [
    "two\nlines\t.wav",
    "\u202eآخر حلقة\u202c.wav",
    "e\u0301tude 第二集 🎭.wav",
    "=cmd|' calc'!A0.wav",
    "%(id)s-%d.wav",
]


def test_names_are_only_names(study: Study, tmp_path: Path) -> None:
    reserved = ["CON.wav", "nul.wav", "com1.wav"]
    for number, name in enumerate([*NAMES, *reserved]):
        audio.encode(tmp_path / name, speech(seed=number), 16000, "pcm16")
    report = ingest(study, *(tmp_path / name for name in (*NAMES, *reserved)))
    assert report.exit_code == 0 and report.clips >= len(NAMES)
    assert {row["uri"] for row in read_table(study.sources_csv)} == {
        unicodedata.normalize("NFC", name) for name in (*NAMES, *reserved)
    }
    for row in report.sources:
        assert row.source_id.upper() not in ("CON", "NUL", "COM1"), "a file of that name opens a device on Windows"
    assert ingest(study).changed is False


@pytest.mark.parametrize("name", ["x" * 300 + ".wav", "a\0b.wav", "d/" * 2000 + "x.wav"])
def test_names_that_no_file_can_have_are_missing_files(study: Study, tmp_path: Path, name: str) -> None:
    audio.encode(tmp_path / "good.wav", speech(), 16000, "pcm16")
    report = ingest(study, tmp_path / name, tmp_path / "good.wav")
    assert [row.status for row in report.sources] == ["failed", "ingested"]
    assert report.sources[0].reason_code in ("missing", "unreadable")
    study.sources_csv.write_text(study.sources_csv.read_text() + f'"",{"x" * 300}.wav\n'.replace('"",', ",", 1))


@pytest.mark.skipif(sys.platform != "linux", reason="only there a name may be any bytes")
def test_a_name_that_is_no_text_is_told_in_text(study: Study, tmp_path: Path) -> None:
    audio.encode(tmp_path / "good.wav", speech(), 16000, "pcm16")
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.wav")
    shutil.copy(tmp_path / "good.wav", odd)
    audio.encode(tmp_path / "good.wav", speech(seed=3), 16000, "pcm16")
    for inputs in ((odd, tmp_path / "good.wav"), (tmp_path,)):
        report = ingest(study, *inputs)
        rows = {row.status: row for row in report.sources}
        assert rows["failed"].reason_code == "bad_name" and "caf\\xe9.wav" in rows["failed"].reason
        assert rows.keys() in ({"failed", "ingested"}, {"failed", "unchanged"})
        str(report.document()).encode()
    assert read_clips(study.clips_csv)


def test_a_recording_that_kills_its_decoder_costs_one_row(study: Study, tmp_path: Path) -> None:
    from tests.pipelines.ingest import crashing_analysis

    audio.encode(tmp_path / "deadly.wav", speech(), 16000, "pcm16")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "analyse", crashing_analysis.analyse)
        report = run.ingest(study, [str(tmp_path / "deadly.wav")])  # nor does it take down whoever asks for it alone
    (row,) = report.sources
    assert (row.status, row.reason_code, row.failure) == ("failed", "crashed", "fix")
    assert "died or hung twice" in row.reason and report.exit_code == 1


def test_memory_that_is_refused_is_told(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(task: Task, tell: OnProgress) -> Analysed:
        raise MemoryError

    monkeypatch.setattr(stages, "analyse", greedy)
    audio.encode(tmp_path / "good.wav", speech(), 16000, "pcm16")
    (row,) = ingest(study, tmp_path / "good.wav").sources
    assert (row.reason_code, row.failure) == ("memory", "fix")


@pytest.mark.parametrize(
    ("name", "container", "rate_hz"),
    [
        ("TESS/YAF_angry/YAF_germ_angry.wav", "aiff", "24414"),
        ("TESS/YAF_fear/YAF_neat_fear.wav", "aiff", "24414"),
        ("TESS/OAF_Fear/OAF_food_fear.wav", "wav", "96000"),
        ("RAVDESS/Actor_01/03-01-02-01-01-02-01.wav", "wav", "48000"),
        ("EMOVO/f1/rab-f1-b1.wav", "wav", "48000"),
        ("AMI_excerpts/tst00.wav", "wav", "16000"),
        ("NOTLD_1968", "wav", "16000"),
    ],
)
def test_the_oddities_of_real_corpora_become_exact_clips(
    tmp_path: Path, real_recordings: Path, name: str, container: str, rate_hz: str
) -> None:
    path = real_recordings / name
    if path.is_dir():
        path = min(path.glob("*.wav"), key=lambda file: file.stat().st_size)
    study = new_study(tmp_path / "root")
    text = study.settings_file.read_text(encoding="utf-8").replace("length_s = 3.0", "length_s = 1.0")
    study.settings_file.write_text(text, encoding="utf-8")
    study = Study(study.root, study.name)
    (row,) = ingest(study, path).sources
    assert (row.status, row.reason_code) == ("ingested", ""), row
    (source,) = read_table(study.sources_csv)
    assert (source["container"], source["sample_rate_hz"]) == (container, rate_hz)
    whole = audio.to_pcm16(audio.read_mono(path)[0])
    for clip in clips_of(study):
        expected = whole[clip.start_sample : clip.start_sample + clip.n_samples]
        np.testing.assert_array_equal(samples_of(study, clip), expected)


def test_the_same_recording_twice_in_a_corpus_is_taken_once(tmp_path: Path, real_recordings: Path) -> None:
    folder = real_recordings / "RAVDESS" / "Actor_07"
    pair = sorted(folder.glob("03-01-03-01-02-0[12]-07.wav"))
    report = ingest(new_study(tmp_path / "root"), *pair)
    assert [row.status for row in report.sources] == ["ingested", "duplicate"]


def test_a_reading_refuses_what_it_is_not_asked_to_salvage(tmp_path: Path) -> None:
    path = tmp_path / "spoilt.m4a"
    made(damage, "aac", "m4a")(path)
    with (
        track_reader.open_track(path) as opened,
        pytest.raises(MediaError, match="or keep the audio before it with --salv"),
    ):
        list(opened.mono(lambda *_: None))
