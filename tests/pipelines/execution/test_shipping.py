"""pipelines.execution.shipping: what a task wrote comes back to the byte, and nothing else does."""

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
from pipelines.execution import shipping
from pipelines.execution.process_pool import WorkerCrashed
from pipelines.execution.shared_storage import Storage, StorageError
from pipelines.execution.shipping import Broke, Errand, Made, Wanted, code, differences, pack, perform, unpack
from pipelines.ingest.reproduce.cut import CutTask, cut
from pipelines.ingest.run.cluster_tasks import FREIGHT
from pipelines.ingest.selection.decision import Decision, Scored
from pipelines.ingest.source_analysis import Analysed
from pipelines.progress import Progress, silent
from tests.cluster_test_tasks import SHOUT, Shout, Shouted


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage(f"file://{tmp_path}/storage")


def task_of(folder: Path, said: str = "good morning", name: str = "one.mp3") -> Shout:
    (folder / "media").mkdir(exist_ok=True)
    path = folder / "media" / name
    path.write_text(said)
    return Shout(path, folder / "own" / "into", folder / "own" / "file", folder / "own" / "scratch", f"{folder}/log", 1)


def errand_of(task: Shout, storage: Storage) -> Errand:
    media = sha256_file(task.path)
    return Errand(SHOUT, task, "shout", media, task.path.stat().st_size, SHOUT.digest(task, media), storage, code())


def tries(task: Shout) -> list[str]:
    return Path(task.log).read_text().splitlines() if Path(task.log).exists() else []


def test_a_task_is_done_apart_and_its_files_come_back(tmp_path: Path, storage: Storage) -> None:
    task = task_of(tmp_path)
    errand = errand_of(task, storage)
    work = tmp_path / "worker"
    work.mkdir()
    made = perform(errand, silent, work)
    assert isinstance(made, Made) and not (tmp_path / "own").exists() and not list(work.iterdir())
    storage.get_file(errand.media, made.hexadecimal, tmp_path / "parcel")
    assert unpack(SHOUT, task, tmp_path / "parcel") == Shouted(("good", "morning"), 1 / 3)
    assert (task.into / "one.txt").read_text() == "GOOD MORNING" and task.file.read_text() == "12"
    assert not task.scratch.exists()
    assert perform(errand, silent, work) == made
    assert len(tries(task)) == 1 and tries(task)[0].endswith("None")


def test_the_recording_is_asked_for_where_it_is_not(tmp_path: Path, storage: Storage) -> None:
    task = task_of(tmp_path)
    errand = errand_of(task, storage)
    task.path.write_text("other words!")  # as long, so that only the checksum tells
    assert perform(errand, silent, tmp_path) == Wanted()
    task.path.unlink()
    assert perform(errand, silent, tmp_path) == Wanted() and not tries(task)
    storage.put_bytes(errand.media, b"good morning")
    assert isinstance(perform(errand, silent, tmp_path), Made)
    assert tries(task)[0].startswith("one.mp3 ")  # under its own name, which messages hold


@pytest.mark.parametrize(("said", "kind"), [("fail", MediaError), ("die", WorkerCrashed)])
def test_what_goes_wrong_is_told_and_nothing_is_left(tmp_path: Path, storage: Storage, said: str, kind: type) -> None:
    errand = errand_of(task_of(tmp_path, said), storage)
    (tmp_path / "worker").mkdir()
    broke = perform(errand, silent, tmp_path / "worker")
    assert isinstance(broke, Broke) and isinstance(broke.error, kind)
    assert not list((tmp_path / "worker").iterdir()) and not (tmp_path / "storage").exists()
    assert len(tries(errand.task)) == (2 if said == "die" else 1)


def test_stopping_stops_it(tmp_path: Path, storage: Storage) -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        perform(errand_of(task_of(tmp_path, "linger"), storage), stop, tmp_path)
    assert not (tmp_path / "storage").exists()


def test_a_worker_without_room_is_not_the_callers_full_disk(tmp_path: Path, storage: Storage) -> None:
    broke = perform(errand_of(task_of(tmp_path), storage), silent, tmp_path / "absent")
    assert isinstance(broke, Broke) and isinstance(broke.error, StorageError)
    assert "worker " in str(broke.error) and "No such file" in str(broke.error)


def test_the_digest_is_of_all_that_matters_and_of_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(tmp_path)
    name = SHOUT.digest(task, "a" * 64)
    elsewhere = replace(
        task, path=Path("/x/y.mp3"), into=Path("/x/into"), file=Path("/f"), scratch=Path("/s"), here_only=None
    )
    assert SHOUT.digest(elsewhere, "a" * 64) == name
    others = {SHOUT.digest(task, "b" * 64), SHOUT.digest(replace(task, log="other"), "a" * 64)}
    others.add(replace(SHOUT, work=test_stopping_stops_it).digest(task, "a" * 64))
    monkeypatch.setattr(shipping, "code", lambda: {**code(), "av": "1.0"})
    others.add(SHOUT.digest(task, "a" * 64))
    assert len(others) == 4 and name not in others
    assert differences({**code(), "soxr": "9"}) == f"av {code()['av']} (here 1.0), soxr 9 (here {code()['soxr']})"
    assert "av missing" in differences({})


def packed(path: Path, members: Mapping[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w") as parcel:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.type = len(content), kind if name != "result.json" else tarfile.REGTYPE
            parcel.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    "name",
    ["into/../../evil", "../evil", "/evil", "into/.hidden", "into/a/b", "log", "scratch/x", "path", "into/", "into\\x"],
)
def test_a_parcel_with_a_file_that_nobody_asked_for_is_refused(tmp_path: Path, name: str) -> None:
    task = task_of(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    parcel = packed(tmp_path / "parcel", {name: b"evil", "result.json": b'{"words": [], "share": 1}'})
    with pytest.raises((StorageError, OSError)):
        unpack(SHOUT, task, parcel)
    assert sorted(set(tmp_path.rglob("*")) - {parcel, *task.into.rglob("*"), task.into, task.into.parent}) == before
    assert b"evil" not in [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file() and file != parcel]


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("one-000001000.wav", True), ("one-000001000.flac", True), ("two-000001000.wav", False),
        ("one-more-000001000.wav", False), ("one-1.wav", False), ("one-000001000.py", False),
    ],
)  # fmt: skip
def test_a_recording_is_given_no_clips_but_its_own(tmp_path: Path, name: str, taken: bool) -> None:
    task = CutTask("one", tmp_path / "one.wav", tmp_path / "clips", "wav", ())
    task.clips.mkdir()
    parcel = packed(tmp_path / "parcel", {f"clips/{name}": b"sound", "result.json": b'""'})
    travelling = next(one for one in FREIGHT if one.work is cut)
    if taken:
        unpack(travelling, task, parcel)
    else:
        with pytest.raises(StorageError, match="nobody asked for"):
            unpack(travelling, task, parcel)
    assert [file.name for file in task.clips.iterdir()] == ([name] if taken else [])


@pytest.mark.parametrize("said", [b"", b"{}", b"{", b'{"words": 3, "share": 1}', None])
def test_a_parcel_that_makes_no_sense_is_refused_in_a_sentence(tmp_path: Path, said: bytes | None) -> None:
    parcel = packed(tmp_path / "parcel", {} if said is None else {"result.json": said})
    with pytest.raises(StorageError, match="a result in the storage"):
        unpack(SHOUT, task_of(tmp_path), parcel)
    (tmp_path / "parcel").write_bytes(b"no tar at all")
    with pytest.raises(StorageError, match="cannot be read"):
        unpack(SHOUT, task_of(tmp_path), parcel)
    link = packed(tmp_path / "parcel", {"file": b""}, tarfile.SYMTYPE)
    with pytest.raises(StorageError, match="is no file"):
        unpack(SHOUT, task_of(tmp_path), link)


def test_the_same_content_packs_to_the_same_bytes(tmp_path: Path) -> None:
    task = task_of(tmp_path)
    for file, content in ((task.into / "b", "2"), (task.into / "a", "1"), (task.file, "3")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    pack(SHOUT, task, Shouted(("x",), 0.1), tmp_path / "one")
    (task.into / "a").touch(mode=0o600)
    (task.into / "b").chmod(0o600)
    pack(SHOUT, task, Shouted(("x",), 0.1), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


floats = st.floats(allow_nan=False)
windows = st.builds(
    Scored,
    st.integers(0, 2**40),
    st.integers(1, 2**20),
    floats,
    st.dictionaries(st.text(max_size=5), st.none() | floats, max_size=3),
    st.text(max_size=3),
)


@given(st.lists(windows, max_size=3), floats)
@settings(max_examples=20)
def test_what_an_analysis_gave_comes_back_to_the_bit(found: list[Scored], speech_s: float) -> None:
    import tempfile

    decisions = tuple(Decision("reject", ("overlap",)) for _ in found)
    result = Analysed("wav", "pcm", 48000, 2, 7, "0" * 64, speech_s, tuple(found), decisions, ("slopes-1", "AA"))
    freight_of_analysis = shipping.Freight(unpack, Analysed)
    with tempfile.TemporaryDirectory() as folder:
        parcel = Path(folder, "parcel")
        pack(freight_of_analysis, None, result, parcel)
        assert unpack(freight_of_analysis, None, parcel) == result
    assert TypeAdapter(Analysed).validate_python(TypeAdapter(Analysed).dump_python(result)) == result
