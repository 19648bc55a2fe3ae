"""How far the look at what was asked for is told to be, and that a stop is heard while it reads."""

import errno
import hashlib
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import atomic_write
from pipelines.errors import Cancelled
from pipelines.ingest.preflight import progress as preflight_progress
from pipelines.ingest.preflight.inputs import Wanted, wanted
from pipelines.ingest.preflight.preflight import Preflight
from pipelines.ingest.preflight.progress import CHECK, READ, Checking
from pipelines.ingest.source_analysis import analysis_hash
from pipelines.ingest.state import probe_cache
from pipelines.ingest.state.queue import open_queue
from pipelines.progress import Progress
from pipelines.study import Study
from tests.pipelines.ingest.run.test_run import ingest, media, study

__all__ = ["media", "study"]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording of a second is long."""
    monkeypatch.setattr(atomic_write, "_BLOCK", 10_000)
    monkeypatch.setattr(preflight_progress, "_TELL_EVERY", 10_000)


@pytest.mark.usefixtures("small_blocks")
def test_a_run_is_stopped_in_the_middle_of_a_long_recording_and_reads_no_other(study: Study, media: Path) -> None:
    size = (media / "One.wav").stat().st_size
    told: list[Progress] = []

    def stop(progress: Progress) -> None:
        told.append(progress)
        if progress.stage == READ and progress.done > size / 3:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        ingest(study, media, report=stop)
    assert size / 3 < told[-1].done < size / 2
    with open_queue(study.ingest_db) as queue:
        assert not queue.items() and not queue.is_as_it_was(media / "One.wav")
    assert not study.sources_csv.exists()


@pytest.mark.usefixtures("small_blocks")
def test_it_is_told_by_bytes_what_is_read_and_by_recordings_where_nothing_is(study: Study, media: Path) -> None:
    told: list[Progress] = []
    sizes = [(media / name).stat().st_size for name in ("One.wav", "two.m4a")]
    ingest(study, media, report=told.append)
    read = [one for one in told if one.stage == READ]
    assert [(one.done, one.total) for one in (read[0], read[-1])] == [(0, sum(sizes)), (sum(sizes), sum(sizes))]
    assert {one.total for one in read} == {sum(sizes)} and len(read) > sum(sizes) / 11_000
    told.clear()
    ingest(study, media, report=told.append)
    assert [(one.stage, one.done, one.total) for one in told[:4]] == [(CHECK, n, 3) for n in range(4)]
    assert READ not in {one.stage for one in told}


@pytest.mark.usefixtures("small_blocks")
def test_processes_begin_while_the_first_long_recording_is_read(study: Study, media: Path) -> None:
    heard: list[float] = []
    begun: list[float] = []
    with open_queue(study.ingest_db) as queue:
        preflight = Preflight(study, queue, (), analysis_hash(study.settings), "mine")
        asked = wanted([str(media / "One.wav")], study, ())
        (plan,) = preflight.plan(asked, lambda one: heard.append(one.done), lambda: begun.append(max(heard)))
    assert plan.need == "analyse" and begun[0] < (media / "One.wav").stat().st_size / 2


def test_a_disk_that_fails_while_a_recording_is_read_costs_one_row(
    study: Study, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path, tell: Callable[[int], None] | None = None) -> str:
        if path.name == "One.wav":
            raise OSError(errno.EIO, "Input/output error", str(path))
        return atomic_write.sha256_file(path, tell)

    monkeypatch.setattr(probe_cache, "sha256_file", fails)
    one, two = ingest(study, media).sources
    assert (one.status, one.reason_code, two.status) == ("failed", "disk", "ingested")
    assert "One.wav: Input/output error; see to the disk" in one.reason
    monkeypatch.undo()
    assert [row.status for row in ingest(study, media).sources] == ["ingested", "unchanged"]


class Known:
    """A queue that knows some files; reads the others in blocks of 7."""

    def __init__(self, known: set[Path]) -> None:
        self._known = known

    def is_as_it_was(self, path: Path) -> bool:
        return path in self._known

    def sha256(self, path: Path, tell: Callable[[int], None] | None = None) -> str:
        for done in range(0, path.stat().st_size, 7) if tell else ():
            tell(done)
        return path.name


@given(st.lists(st.tuples(st.integers(1, 40), st.booleans(), st.booleans()), max_size=8))
def test_it_never_goes_back_and_ends_at_its_end(files: list[tuple[int, bool, bool]]) -> None:
    """Files of some bytes, some of them known, some of which turn out to be no recordings and are not read."""
    told: list[Progress] = []
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(preflight_progress, "_TELL_EVERY", 7)
        paths = [Path(folder) / f"{number}.wav" for number in range(len(files))]
        for path, (size, _, _) in zip(paths, files, strict=True):
            path.write_bytes(bytes(size))
        known = Known({path for path, (_, is_known, _) in zip(paths, files, strict=True) if is_known})
        look = Checking(known, [Wanted(path.name, path) for path in paths], told.append, lambda: None)  # type: ignore[arg-type]
        for number, (path, (_, _, is_read)) in enumerate(zip(paths, files, strict=True)):
            look.at(number)
            if is_read:
                assert look.sha256(path) == path.name
        look.at(len(files))
    stages = [one.stage for one in told]
    assert stages == sorted(stages) and set(stages) <= {CHECK, READ}
    for stage in {*stages}:
        steps = [one for one in told if one.stage == stage]
        assert all(one.done <= two.done and one.total == two.total for one, two in pairwise(steps))
    assert told[-1].done == told[-1].total or (not files and told[-1].done == 0)


@pytest.mark.parametrize("size", [0, 1, 2**18 - 1, 2**18, 2**18 + 1, 3 * 2**18])
def test_a_checksum_is_that_of_the_whole_file_and_every_block_is_told(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * (size // 256) + bytes(size % 256))
    told: list[int] = []
    assert atomic_write.sha256_file(path, told.append) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told == sorted(told) and (told[-1] if told else 0) == size
