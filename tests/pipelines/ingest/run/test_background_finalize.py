"""Tables and clips made in a process of their own: a recording that kills a decoder takes nobody else with it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.ingest.run.background_finalize import Apart
from pipelines.ingest.selection.manual_picks import Pick, picks_file, picks_to_csv
from pipelines.ingest.state.queue import open_queue
from pipelines.manifest import read_clips
from pipelines.media.audio import pcm_sha256, read_mono, to_pcm16
from pipelines.study import Study
from tests.small_study import RATE_HZ, ingested_study

START = 777
SERVER = """
import sys
from pathlib import Path
from pipelines.ingest.run.background_finalize import Apart
Apart(Path(sys.argv[1]), "night").retable()
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """An ingested recording and a pick in it that nobody has cut."""
    study = ingested_study(tmp_path_factory.mktemp("apart"), count=1, turns=3)
    picks_file(study).write_text(picks_to_csv({"episode_1": [Pick(START, 3 * RATE_HZ)]}), encoding="utf-8")
    return study


@pytest.fixture
def study(template: Study, tmp_path: Path) -> Study:
    shutil.copytree(template.root, tmp_path / "root")
    with open_queue((study := Study(tmp_path / "root", template.name)).ingest_db) as queue:
        for item in queue.items().values():
            queue.put(replace(item, path=str(study.root / "media" / Path(item.path).name)))
    return study


@pytest.fixture
def apart(study: Study) -> Iterator[Apart]:
    made = Apart(study.root, study.name)
    yield made
    made.close()


@pytest.fixture
def decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Let whatever process opens a recording do something else; returns the file that names those processes."""

    def does(what: str) -> Path:
        pids = tmp_path / "pids"
        (tmp_path / "sitecustomize.py").write_text(
            "import os, signal, time, av\n"
            "def opened(*_, **__):\n"
            f"    open({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
            f"    {what}\n"
            "av.open = opened\n"
        )
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
        return pids

    return does


def is_there(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def picked(study: Study) -> list[int]:
    return [clip.start_sample for clip in read_clips(study.clips_csv) if clip.arm == "picked"]


def test_a_pick_is_cut_and_listed_and_the_process_stays_for_the_next(apart: Apart, study: Study) -> None:
    assert apart.retable().problem == ""
    assert picked(study) == [START]
    (clip,) = (clip for clip in read_clips(study.clips_csv) if clip.arm == "picked")
    whole = to_pcm16(read_mono(study.root / "media" / "episode_1.m4a")[0])
    assert clip.pcm_sha256 == pcm_sha256(whole[START : START + 3 * RATE_HZ])
    pid = apart.pid
    with open_queue(study.ingest_db):  # as an ingest has it
        told = apart.retable()
    assert not told.is_over and told.problem.startswith("another ingest of this study is running")
    assert apart.pid == pid is not None


def test_a_recording_that_kills_a_decoder_costs_its_own_clips_alone(
    apart: Apart, study: Study, decoder: Callable[[str], Path]
) -> None:
    pids = decoder("os.kill(os.getpid(), signal.SIGSEGV)")
    before = read_clips(study.clips_csv)
    told = apart.retable()
    assert told.is_over and "died or hung twice" in told.problem and "episode_1" in told.problem
    assert read_clips(study.clips_csv) == tuple(c for c in before if c.start_sample >= START + 3 * RATE_HZ)
    dead = {int(line) for line in pids.read_text().split()}
    assert len(dead) == 2 and not dead & {os.getpid(), apart.pid}


def test_nothing_is_left_of_a_decoder_that_hangs_when_the_server_goes(
    study: Study, decoder: Callable[[str], Path]
) -> None:
    pids = decoder("time.sleep(1000)")
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(study.root)])
    until(lambda: pids.is_file() and pids.read_text().endswith("\n"))
    hung = int(pids.read_text())
    parent = int(Path(f"/proc/{hung}/stat").read_text().rpartition(")")[2].split()[1])
    assert hung != server.pid and parent != server.pid
    server.kill()
    server.wait()
    until(lambda: not is_there(hung) and not is_there(parent))


def test_it_leaves_when_nobody_asks_and_comes_again(study: Study) -> None:
    apart = Apart(study.root, study.name, idle_s=0.05)
    with open_queue(study.ingest_db):
        assert not apart.retable().is_over
        until(lambda: apart.pid is None)
        assert not apart.retable().is_over, "another one took its place"
    apart.close()
    assert apart.pid is None


def test_an_error_of_ours_ends_the_process_and_is_told(
    apart: Apart, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import pipelines.study\ndef broken(*_): raise KeyError('ours')\npipelines.study.Study.__init__ = broken\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    told = apart.retable()
    assert told.is_over and "died twice; the picks are kept" in told.problem
    assert apart.pid is None
