"""pipelines.execution.remote_tasks: the files of a task come back unchanged, and no other files do."""

import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipelines.atomic_write import sha256_file
from pipelines.errors import Cancelled, MediaError
from pipelines.execution import remote_tasks
from pipelines.execution.process_pool import WorkerCrashed
from pipelines.execution.remote_tasks import (
    RecordingMissing,
    RemoteTask,
    ResultStored,
    TaskFailed,
    code_versions,
    pack_result,
    run_task,
    unpack_result,
    version_differences,
)
from pipelines.execution.shared_storage import Storage, StorageError
from pipelines.ingest.reproduce.clip_cutting import CutTask, cut_clips
from pipelines.ingest.run.cluster_tasks import TASK_SPECS
from pipelines.ingest.selection.decision import Decision, ScoredWindow
from pipelines.ingest.source_analysis import Analysed
from pipelines.progress import Progress, ignore_progress
from tests.cluster_test_tasks import SHOUT, Shout, Shouted


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(f"file://{tmp_path}/storage")


def task_of(folder: Path, said: str = "good morning", name: str = "one.mp3") -> Shout:
    (folder / "media").mkdir(exist_ok=True)
    path = folder / "media" / name
    path.write_text(said)
    return Shout(path, folder / "own" / "into", folder / "own" / "file", folder / "own" / "scratch", f"{folder}/log", 1)


def remote_task_of(task: Shout, storage: Storage) -> RemoteTask:
    media = sha256_file(task.path)
    return RemoteTask(
        SHOUT, task, "shout", media, task.path.stat().st_size, SHOUT.digest(task, media), storage, code_versions()
    )


def tries(task: Shout) -> list[str]:
    return Path(task.log).read_text().splitlines() if Path(task.log).exists() else []


def test_a_task_runs_in_its_own_process_and_its_files_come_back(tmp_path: Path, storage: Storage) -> None:
    task = task_of(tmp_path)
    remote = remote_task_of(task, storage)
    work = tmp_path / "worker"
    work.mkdir()
    stored = run_task(remote, ignore_progress, work)
    assert isinstance(stored, ResultStored) and not (tmp_path / "own").exists() and not list(work.iterdir())
    storage.get_file(remote.recording_sha256, stored.sha256, tmp_path / "archive")
    assert unpack_result(SHOUT, task, tmp_path / "archive") == Shouted(("good", "morning"), 1 / 3)
    assert (task.into / "one.txt").read_text() == "GOOD MORNING" and task.file.read_text() == "12"
    assert not task.scratch.exists()
    assert run_task(remote, ignore_progress, work) == stored
    assert len(tries(task)) == 1 and tries(task)[0].endswith("None")


def test_a_missing_recording_is_requested(tmp_path: Path, storage: Storage) -> None:
    task = task_of(tmp_path)
    remote = remote_task_of(task, storage)
    task.path.write_text("other words!")  # as long, so that only the checksum differs
    assert run_task(remote, ignore_progress, tmp_path) == RecordingMissing()
    task.path.unlink()
    assert run_task(remote, ignore_progress, tmp_path) == RecordingMissing() and not tries(task)
    storage.put_bytes(remote.recording_sha256, b"good morning")
    assert isinstance(run_task(remote, ignore_progress, tmp_path), ResultStored)
    assert tries(task)[0].startswith("one.mp3 ")  # under its own name, which messages hold


@pytest.mark.parametrize(("said", "kind"), [("fail", MediaError), ("die", WorkerCrashed)])
def test_a_failure_is_returned_and_no_files_are_left(tmp_path: Path, storage: Storage, said: str, kind: type) -> None:
    remote = remote_task_of(task_of(tmp_path, said), storage)
    (tmp_path / "worker").mkdir()
    failed = run_task(remote, ignore_progress, tmp_path / "worker")
    assert isinstance(failed, TaskFailed) and isinstance(failed.error, kind)
    assert not list((tmp_path / "worker").iterdir()) and not (tmp_path / "storage").exists()
    assert len(tries(remote.task)) == (2 if said == "die" else 1)


def test_cancelling_stops_it(tmp_path: Path, storage: Storage) -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run_task(remote_task_of(task_of(tmp_path, "linger"), storage), stop, tmp_path)
    assert not (tmp_path / "storage").exists()


def test_a_disk_error_of_a_worker_is_not_one_of_the_caller(tmp_path: Path, storage: Storage) -> None:
    failed = run_task(remote_task_of(task_of(tmp_path), storage), ignore_progress, tmp_path / "absent")
    assert isinstance(failed, TaskFailed) and isinstance(failed.error, StorageError)
    assert "worker " in str(failed.error) and "No such file" in str(failed.error)


def test_the_digest_depends_on_the_inputs_and_on_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(tmp_path)
    name = SHOUT.digest(task, "a" * 64)
    elsewhere = replace(
        task, path=Path("/x/y.mp3"), into=Path("/x/into"), file=Path("/f"), scratch=Path("/s"), here_only=None
    )
    assert SHOUT.digest(elsewhere, "a" * 64) == name
    others = {SHOUT.digest(task, "b" * 64), SHOUT.digest(replace(task, log="other"), "a" * 64)}
    others.add(replace(SHOUT, function=test_cancelling_stops_it).digest(task, "a" * 64))
    monkeypatch.setattr(remote_tasks, "code_versions", lambda: {**code_versions(), "av": "1.0"})
    others.add(SHOUT.digest(task, "a" * 64))
    assert len(others) == 4 and name not in others
    assert (
        version_differences({**code_versions(), "soxr": "9"})
        == f"av {code_versions()['av']} (here 1.0), soxr 9 (here {code_versions()['soxr']})"
    )
    assert "av missing" in version_differences({})


def packed(path: Path, members: Mapping[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.type = len(content), kind if name != "result.json" else tarfile.REGTYPE
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "name",
    ["into/../../evil", "../evil", "/evil", "into/.hidden", "into/a/b", "log", "scratch/x", "path", "into/", "into\\x"],
)
def test_an_archive_with_an_unexpected_file_is_rejected(tmp_path: Path, name: str) -> None:
    task = task_of(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    archive = packed(tmp_path / "archive", {name: b"evil", "result.json": b'{"words": [], "share": 1}'})
    with pytest.raises((StorageError, OSError)):
        unpack_result(SHOUT, task, archive)
    assert sorted(set(tmp_path.rglob("*")) - {archive, *task.into.rglob("*"), task.into, task.into.parent}) == before
    assert b"evil" not in [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and file != archive]


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("one-000001000.wav", True), ("one-000001000.flac", True), ("two-000001000.wav", False),
        ("one-more-000001000.wav", False), ("one-1.wav", False), ("one-000001000.py", False),
    ],
)  # fmt: skip
def test_a_source_gets_no_clips_of_another(tmp_path: Path, name: str, taken: bool) -> None:
    task = CutTask("one", tmp_path / "one.wav", tmp_path / "clips", "wav", ())
    task.clips.mkdir()
    archive = packed(tmp_path / "archive", {f"clips/{name}": b"sound", "result.json": b'""'})
    spec = next(spec for spec in TASK_SPECS if spec.function is cut_clips)
    if taken:
        unpack_result(spec, task, archive)
    else:
        with pytest.raises(StorageError, match="holds an unexpected file"):
            unpack_result(spec, task, archive)
    assert [file.name for file in task.clips.iterdir()] == ([name] if taken else [])


@pytest.mark.parametrize("said", [b"", b"{}", b"{", b'{"words": 3, "share": 1}', None])
def test_an_invalid_archive_is_rejected_in_one_sentence(tmp_path: Path, said: bytes | None) -> None:
    archive = packed(tmp_path / "archive", {} if said is None else {"result.json": said})
    with pytest.raises(StorageError, match="a result in the storage"):
        unpack_result(SHOUT, task_of(tmp_path), archive)
    (tmp_path / "archive").write_bytes(b"no tar at all")
    with pytest.raises(StorageError, match="cannot be read"):
        unpack_result(SHOUT, task_of(tmp_path), archive)
    link = packed(tmp_path / "archive", {"file": b""}, tarfile.SYMTYPE)
    with pytest.raises(StorageError, match="is no file"):
        unpack_result(SHOUT, task_of(tmp_path), link)


def test_the_same_content_packs_to_the_same_bytes(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    for file, content in ((task.into / "b", "2"), (task.into / "a", "1"), (task.file, "3")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    pack_result(SHOUT, task, Shouted(("x",), 0.1), tmp_path / "one")
    (task.into / "a").touch(mode=0o600)
    (task.into / "b").chmod(0o600)
    pack_result(SHOUT, task, Shouted(("x",), 0.1), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


floats = st.floats(allow_nan=False)
windows = st.builds(
    ScoredWindow,
    st.integers(0, 2**40),
    st.integers(1, 2**20),
    floats,
    st.dictionaries(st.text(max_size=5), st.none() | floats, max_size=3),
    st.text(max_size=3),
)


@given(st.lists(windows, max_size=3), floats)
@settings(max_examples=20)
def test_an_analysis_result_comes_back_bit_for_bit(found: list[ScoredWindow], speech_s: float) -> None:
    import tempfile

    decisions = tuple(Decision("reject", ("overlap",)) for _ in found)
    result = Analysed("wav", "pcm", 48000, 2, 7, "0" * 64, speech_s, tuple(found), decisions, ("slopes-1", "AA"))
    analysis_spec = remote_tasks.TaskSpec(unpack_result, Analysed)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "archive")
        pack_result(analysis_spec, None, result, archive)
        assert unpack_result(analysis_spec, None, archive) == result
    assert TypeAdapter(Analysed).validate_python(TypeAdapter(Analysed).dump_python(result)) == result
