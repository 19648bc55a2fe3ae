"""A server killed while somebody picks: what was acknowledged is there, and tables and clips follow from it."""

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import requests

from pipelines.errors import ConfigError
from pipelines.ingest.preview.decoded_audio import decode_to_cache
from pipelines.ingest.run import run
from pipelines.ingest.selection.manual_picks import read_picks
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.schema import clip_id
from pipelines.study import ROOT_VARIABLE, Study
from tests.small_study import lenient_study
from tests.synthetic_audio import noise, voice
from workbench.curation import clipper_source, picks
from workbench.curation.recordings import Mined, mineable
from workbench.people import access_control, invitations
from workbench.store import open_store

HZ, LENGTH = 16000, 48000
SERVER = """
import sys, uvicorn
from starlette.applications import Starlette
from workbench.app.routes import clipper_api, sign_in
from workbench.app.server import background_update
background_update.QUIET_S = 0.02
app = Starlette(routes=[*clipper_api.ROUTES, *sign_in.ROUTES])
config = uvicorn.Config(app, port=0, log_level="critical", ws="none", lifespan="off")
server = uvicorn.Server(config)
started = server.startup
async def startup(sockets=None):
    await started(sockets)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
server.startup = startup
server.run()
"""


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = lenient_study(tmp_path)
    sound = np.concatenate([part for n in range(20) for part in (voice(1.2, HZ, 110, n), noise(5, HZ, 0.001, n))])
    audio.encode(tmp_path / "film.m4a", sound, HZ, "aac")
    run.ingest(made, [str(tmp_path / "film.m4a")], jobs=1)
    mined = mineable(made)["film"]
    assert isinstance(mined, Mined)
    task = clipper_source.sound_task(made, mined, clipper_source.known(made))
    assert not isinstance(task, str)
    decode_to_cache(task, lambda *_: None)
    with open_store(made) as store:
        invitations.add(store, "Cura", "curator")
    return made


class Server:
    """A server in a process of its own, with a curator signed in."""

    def __init__(self, study: Study) -> None:
        environment = {**os.environ, ROOT_VARIABLE: str(study.root)}
        self.process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, env=environment)
        assert self.process.stdout is not None
        self.address = f"http://127.0.0.1:{int(self.process.stdout.readline())}"
        self.key, self.http = access_control.secret(study), requests.Session()
        token = invitations.invitation(self.key, "Cura", time.time())
        link = f"{self.address}/sign-in?invitation={token}"
        assert self.http.get(link, allow_redirects=False).status_code == 303

    def send(self, event: dict[str, Any]) -> list[str]:
        """What is acknowledged; nothing where the server is gone."""
        body = {"person": access_control.person_mark(self.key, "Cura"), "events": [event]}
        try:
            said = self.http.post(f"{self.address}/api/clipper/events", json=body, timeout=120).json()
        except requests.RequestException:
            return []
        assert said["refused"] == []
        return list(said["acked"])

    def close(self) -> None:
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.http.close()


@pytest.mark.parametrize(
    ("rounds", "seed"), [(2, 1), *(pytest.param(5, 100 + seed, marks=pytest.mark.stress) for seed in range(4))]
)
def test_a_server_that_is_killed_loses_no_pick(study: Study, rounds: int, seed: int) -> None:
    events, acked = picked_and_killed(study, rounds, seed)
    picks.make_good(study)
    retable(study)
    whole = audio.to_pcm16(audio.read_mono(study.root / "film.m4a")[0])
    stand = {pick.start_sample for pick in read_picks(study)["film"]}
    assert {start for start, event in events.items() if event["id"] in acked} <= stand <= set(events)
    clips = {clip.start_sample: clip for clip in read_clips(study.clips_csv) if clip.arm == "picked"}
    assert set(clips) == stand
    for start, clip in clips.items():
        expected = whole[start : start + LENGTH]
        assert clip.clip_id == clip_id("film", start, HZ)
        assert clip.pcm_sha256 == audio.pcm_sha256(expected)
        assert np.array_equal(audio.to_pcm16(audio.read_mono(study.clip_path(clip.clip_id))[0]), expected)
    assert not list(study.manifests.glob(".*")) and stand


def retable(study: Study) -> None:
    """Once the process beside the last server, which ends a moment after it, has let go of the study."""
    until = time.monotonic() + 60
    while True:
        try:
            run.retable(study, jobs=1)
            return
        except ConfigError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def picked_and_killed(study: Study, rounds: int, seed: int) -> tuple[dict[int, dict[str, Any]], set[str]]:
    """What was sent, by its first sample, and what of it was acknowledged, by servers that were killed meanwhile.

    The first is killed after it has acknowledged a pick, so that there is one to be lost; the others at any moment.
    """
    rng = random.Random(seed)
    places = iter(range(11, 120 * HZ, LENGTH + 101))
    events: dict[int, dict[str, Any]] = {}
    acked: set[str] = set()
    for _ in range(rounds):
        server = Server(study)
        killer = threading.Timer(rng.uniform(0.05, 0.8), server.process.kill)  # SIGKILL, wherever it is
        if acked:
            killer.start()
        while server.process.poll() is None and (start := next(places, None)) is not None:
            events[start] = {"id": uuid4().hex, "kind": "pick", "source": "film", "start": start, "emotion": "sad"}
            acked |= set(server.send(events[start]))
            if acked and killer.ident is None:
                killer.start()
        killer.join()
        server.close()
    return events, acked
