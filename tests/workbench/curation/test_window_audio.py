"""Window audio and its route: a curator can play any window by an address made for them."""

import asyncio
import io
import os
import shutil
import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from starlette.requests import Request

from pipelines.errors import MediaError
from pipelines.ingest.selection.threshold_preview import read_candidates
from pipelines.media import audio
from pipelines.study import ROOT_VARIABLE, Study
from tests.synthetic_audio import tone
from workbench.app.routes import window_api
from workbench.app.server import served_study
from workbench.curation import window_audio
from workbench.curation.window_audio import near, window_url, window_wav
from workbench.people import access_control, invitations
from workbench.people.access_control import Role
from workbench.store import open_store


@pytest.fixture
def study(ingested: Study, tmp_path: Path) -> Study:
    shutil.copytree(ingested.root, tmp_path, dirs_exist_ok=True)
    return Study(tmp_path, ingested.name)


def samples(wav: bytes) -> tuple[np.ndarray, int]:
    with wave.open(io.BytesIO(wav)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()


def test_every_window_can_be_heard_and_a_kept_one_is_its_file(study: Study) -> None:
    candidates = read_candidates(study.candidates)
    kept = candidates.kept
    assert kept.any() and not kept.all()
    for name, is_kept in zip(candidates.clip_ids, kept, strict=True):
        pcm, rate_hz = samples(window_wav(study, name))
        assert rate_hz == 16000 and abs(len(pcm) - 48000) <= 1600
        if is_kept:
            np.testing.assert_array_equal(pcm, audio.to_pcm16(audio.read_mono(study.clip_path(name))[0]))
        else:
            assert not study.clip_path(name).exists() and np.abs(pcm).max() > 100
    with pytest.raises(MediaError, match="is not on this machine"):
        window_wav(study, "nowhere-000001000")


def test_a_recording_that_kills_a_decoder_is_a_sentence_and_takes_no_server_with_it(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    (tmp_path / "sitecustomize.py").write_text(
        "import av, os, signal\n"
        "def opened(*_, **__):\n"
        f"    open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "    os.kill(os.getpid(), signal.SIGSEGV)\n"
        "av.open = opened\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    candidates = read_candidates(study.candidates)
    name = next(name for name, kept in zip(candidates.clip_ids, candidates.kept, strict=True) if not kept)
    window_audio._beside().close()
    with pytest.raises(MediaError, match="whatever reads it there crashes or hangs"):
        window_wav(study, name)
    assert len(set(pids.read_text().split()) - {str(os.getpid())}) == 2
    monkeypatch.undo()
    assert samples(window_wav(study, name))[1] == 16000, "the next one is read as ever"


def test_a_list_that_names_other_files_is_not_followed(tmp_path: Path) -> None:
    """What a site sent as an MP3 may be such a list to whoever looks at it another way."""
    audio.encode(tmp_path / "private.wav", tone(3.0, 16000, 440.0), 16000, "pcm16")
    (tmp_path / "list.mp3").write_text("ffconcat version 1.0\nfile private.wav\n")
    with pytest.raises(MediaError, match="cannot be heard there"):
        near(tmp_path / "list.mp3", 1.0, 1.0)


@pytest.mark.parametrize(("suffix", "codec"), [("wav", "pcm16"), ("m4a", "aac"), ("flac", "flac"), ("webm", "opus")])
def test_a_seek_is_near_enough_to_hear_what_is_there(tmp_path: Path, suffix: str, codec: audio.Codec) -> None:
    """Ten tones of a second each; each must be found in its second, whatever the codec."""
    path = tmp_path / f"tones.{suffix}"
    pitches = [300.0 + 200 * step for step in range(10)]
    audio.encode(path, np.stack([np.concatenate([tone(1.0, 48000, hz) for hz in pitches])] * 2), 48000, codec)
    for second, hz in enumerate(pitches):
        found, rate_hz = near(path, second + 0.25, 0.5)
        assert len(found) == pytest.approx(0.5 * rate_hz, rel=0.01)
        spectrum = np.abs(np.fft.rfft(found * np.hanning(len(found))))
        assert np.argmax(spectrum) * rate_hz / len(found) == pytest.approx(hz, abs=5)
    with pytest.raises(MediaError, match="holds no sound there"):
        near(path, 60.0, 3.0)


def ask(study: Study, address: str, cookies: dict[str, str]) -> tuple[int, dict[str, str]]:
    """One request to the route, with somebody's cookies: status and headers."""
    path, _, query = address.partition("?")
    headers = [(b"host", b"127.0.0.1"), (b"cookie", "; ".join(f"{k}={v}" for k, v in cookies.items()).encode())]
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": headers}
    _, found = window_api.ROUTES[0].matches({**scope, "root_path": ""})
    answer = asyncio.run(window_api.window(Request({**scope, **found})))
    return answer.status_code, dict(answer.headers)


@pytest.fixture
def serving_it(study: Study, monkeypatch: pytest.MonkeyPatch) -> Iterator[Study]:
    monkeypatch.setenv(ROOT_VARIABLE, str(study.root))
    yield study
    served_study._store.cache_clear()


def cookies_of(study: Study, name: str, role: Role) -> dict[str, str]:
    key = access_control.secret(study)
    with open_store(study) as store:
        rater = invitations.add(store, name, role, exist_ok=True).rater
    content = {"rater": rater, "language": "en"}
    return {access_control.cookie_name(key): access_control.seal(key, "session", content, time.time() + 60)}


def test_the_address_is_for_one_curator_and_ends(serving_it: Study) -> None:
    study, now = serving_it, time.time()
    key = access_control.secret(study)
    name = read_candidates(study.candidates).clip_ids[0]
    cy, ann = cookies_of(study, "Cy", "curator"), cookies_of(study, "Ann", "annotator")
    good = window_url(key, "Cy", name, now)
    assert ask(study, good, {})[0] == 401
    status, headers = ask(study, good, cy)
    assert (status, headers["content-type"]) == (200, "audio/wav") and headers["cache-control"].startswith("private")
    for bad in (
        f"/api/window/{name}",
        good.replace("exp=", "exp=9"),
        window_url(key, "Di", name, now),
        window_url(key, "Cy", name, now - 3 * 3600),
        good.replace(name, "other-000000000"),
    ):
        assert ask(study, bad, cy)[0] == 403, bad
    assert ask(study, window_url(key, "Cy", "nowhere-000000000", now), cy)[0] == 404
    assert ask(study, window_url(key, "Ann", name, now), ann)[0] == 403


def test_a_page_that_is_drawn_again_keeps_its_addresses() -> None:
    begun = 1_800_000_000 // 3600 * 3600
    assert window_url(b"k", "Cy", "a-000000000", begun) == window_url(b"k", "Cy", "a-000000000", begun + 3599)
