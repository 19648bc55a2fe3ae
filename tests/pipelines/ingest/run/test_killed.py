"""Killed at any moment and run again, ingest gives the same bytes as if nothing had happened."""

import os
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pipelines.ingest.state.run_log import runs_file
from pipelines.manifest import read_clips
from pipelines.media import audio
from pipelines.study import Study, create_study
from tests.pipelines.ingest.killed_runs import Life, Runs
from tests.pipelines.ingest.misbehaving_server import Misbehaving
from tests.pipelines.ingest.test_quirks import OPEN
from tests.synthetic_audio import noise, voice

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

SEED = 20261121
LANES = 2


def scene(number: int) -> audio.Audio:
    """Two utterances, of a pitch that no other scene has: what repeats would be left out."""
    first, second = (voice(length, 16000, 100 + 25 * number, number) for length in (3.4, 3.2))
    parts = [noise(0.4, 16000, 0.001), first, noise(0.8, 16000, 0.001), second[::-1]]
    return np.concatenate([*parts, noise(0.4, 16000, 0.001)])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Two files and an address."""
    media = tmp_path_factory.mktemp("media")
    audio.encode(media / "first.wav", scene(0), 16000, "pcm16")
    audio.encode(media / "second.m4a", scene(1), 16000, "aac")
    audio.encode(media / "third.mp4", scene(2), 16000, "aac")
    site = Misbehaving((media / "third.mp4").read_bytes())
    try:
        yield [str(media / "first.wav"), str(media / "second.m4a"), site.url("third")]
    finally:
        site.close()


@pytest.fixture(scope="module")
def lanes(inputs: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Runs]]:
    with ExitStack() as stack:
        servers = [stack.enter_context(Runs()) for _ in range(LANES)]
        roots = [new_study(tmp_path_factory.mktemp("warm")).root for _ in servers]
        with ThreadPoolExecutor(LANES) as pool:
            list(pool.map(lambda one: one[0].run(one[1], inputs, how="warm"), zip(servers, roots, strict=True)))
        yield servers


def new_study(root: Path) -> Study:
    study = create_study("night", rights_basis="made for this test", root=root)
    settings = study.settings_file.read_text(encoding="utf-8")
    study.settings_file.write_text("allow_private_hosts = true\n" + settings + OPEN, encoding="utf-8")
    return study


def bytes_of(study: Study) -> dict[str, bytes]:
    """Every file of the study by path, but for the queue and what is told of runs, which hold times."""
    files = [file for half in (study.manifests, study.private) for file in half.rglob("*") if file.is_file()]
    return {
        str(file.relative_to(study.root)): file.read_bytes()
        for file in files
        if not file.name.startswith("ingest.") and file != runs_file(study)
    }


@pytest.fixture(scope="module")
def undisturbed(
    lanes: list[Runs], inputs: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Life, dict[str, bytes]]:
    study = new_study(tmp_path_factory.mktemp("whole"))
    life = lanes[0].run(study.root, inputs)
    assert [status for _, status in life.rows] == ["ingested"] * 3
    assert len(read_clips(study.clips_csv)) >= 3 and len(life.moments) > 100
    found = bytes_of(study)
    assert not [name for name in found if "/." in name.replace("/.gitignore", "")]
    again = lanes[0].run(study.root, inputs)
    assert [status for _, status in again.rows] == ["unchanged"] * 3 and bytes_of(study) == found
    return life, found


def spread(moments: int, count: int, rng: np.random.Generator) -> list[int]:
    """`count` moments, one by chance out of each of as many equal parts of a run."""
    edges = np.linspace(1, moments, count + 1)
    return [int(rng.integers(int(low), max(int(low) + 1, int(high)))) for low, high in pairwise(edges)]


def end_after(
    study: Study, kills: list[int], lanes: list[Runs], free: "Lanes", inputs: list[str], whole: dict[str, bytes]
) -> str:
    """Kill a run at each of `kills`, one after the other, then run to the end. Returns what is wrong, or nothing."""
    lane = free.take()
    try:
        for at in kills:
            lane.run(study.root, inputs, at=at)
        last = lane.run(study.root, inputs)
    finally:
        free.give(lane)
    if last.killed or last.refused or len(last.rows) != 3:
        return f"killed at {kills}: the run after it ended as {last}"
    found = bytes_of(study)
    other = sorted(name for name in found.keys() | whole.keys() if found.get(name) != whole.get(name))
    return f"killed at {kills}: other bytes in {other}" if other else ""


class Lanes:
    """Forking processes that nobody uses at the moment."""

    def __init__(self, lanes: list[Runs]) -> None:
        self._free = list(lanes)
        self._changed = threading.Condition()

    def take(self) -> Runs:
        with self._changed:
            self._changed.wait_for(lambda: self._free)
            return self._free.pop()

    def give(self, lane: Runs) -> None:
        with self._changed:
            self._free.append(lane)
            self._changed.notify()


def check_kills(
    kills: list[list[int]],
    lanes: list[Runs],
    inputs: list[str],
    whole: dict[str, bytes],
    folder: Path,
) -> None:
    free = Lanes(lanes)
    with ThreadPoolExecutor(LANES) as pool:
        studies = [new_study(folder / str(number)) for number in range(len(kills))]
        wrong = pool.map(
            lambda one: end_after(one[0], one[1], lanes, free, inputs, whole), zip(studies, kills, strict=True)
        )
        assert not [words for words in wrong if words]


def test_killed_at_thirty_moments_spread_over_the_run(
    lanes: list[Runs], inputs: list[str], undisturbed: tuple[Life, dict[str, bytes]], tmp_path: Path
) -> None:
    life, whole = undisturbed
    moments = spread(len(life.moments), 30, np.random.default_rng(SEED))
    kinds = Counter(life.moments[at - 1].split()[0] for at in moments)
    assert len(kinds) >= 3, kinds
    check_kills([[at] for at in moments], lanes, inputs, whole, tmp_path)


def test_killed_again_and_again(
    lanes: list[Runs], inputs: list[str], undisturbed: tuple[Life, dict[str, bytes]], tmp_path: Path
) -> None:
    life, whole = undisturbed
    rng = np.random.default_rng(SEED + 1)
    kills = [[int(at) for at in rng.integers(1, len(life.moments), 4)] for _ in range(2)]
    check_kills(kills, lanes, inputs, whole, tmp_path)


def test_killed_between_every_file_and_its_row(
    lanes: list[Runs], inputs: list[str], undisturbed: tuple[Life, dict[str, bytes]], tmp_path: Path
) -> None:
    """Where a power cut would find a file that no row knows of, or a row whose tables are not written."""
    life, whole = undisturbed
    begun = [number for number, what in enumerate(life.moments) if what in ("sql BEGIN", "sql COMMIT")]
    commits = [number + 1 for number in begun[-5:]]
    renames = [number + 1 for number, what in enumerate(life.moments) if what == "os.rename"][-3:]
    check_kills([[at] for at in [*commits, *renames]], lanes, inputs, whole, tmp_path)


def test_a_second_run_is_refused_until_the_first_is_killed(
    lanes: list[Runs], inputs: list[str], undisturbed: tuple[Life, dict[str, bytes]], tmp_path: Path
) -> None:
    life, whole = undisturbed
    study = new_study(tmp_path)
    first = lanes[0].run(study.root, inputs, at=len(life.moments) // 2, how="stop")
    try:
        assert first.stopped
        second = lanes[0].run(study.root, inputs)
        assert second.refused.startswith("another ingest of this study is running")
    finally:
        os.kill(first.pid, signal.SIGKILL)
    while (last := lanes[0].run(study.root, inputs)).refused:
        assert last.refused == second.refused  # the killed one has not quite gone yet
    assert bytes_of(study) == whole


@pytest.mark.stress
@pytest.mark.timeout(1800)
def test_killed_at_three_hundred_moments(
    lanes: list[Runs], inputs: list[str], undisturbed: tuple[Life, dict[str, bytes]], tmp_path: Path
) -> None:
    life, whole = undisturbed
    rng = np.random.default_rng(SEED + 2)
    moments = [[at] for at in spread(len(life.moments), 240, rng)]
    twice = [[int(at) for at in rng.integers(1, len(life.moments), 2)] for _ in range(30)]
    check_kills([*moments, *twice], lanes, inputs, whole, tmp_path)
