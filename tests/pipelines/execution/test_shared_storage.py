"""pipelines.execution.shared_storage: the same promises on a folder, in memory, and on a real S3 server on loopback."""

import hashlib
import os
import pickle
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import ConfigError
from pipelines.execution.shared_storage import NotThere, Storage, StorageError, storage_url
from pipelines.study import Study, create_study

SHELF = hashlib.sha256(b"a recording").hexdigest()
OTHER = hashlib.sha256(b"another recording").hexdigest()
NAME = hashlib.sha256(b"a task").hexdigest()


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    """A bucket on moto's server; secrets come from the environment, as on a real machine."""
    from tests.s3_server import object_store

    with object_store() as url:
        yield url


@pytest.fixture(params=["file", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "file":
        return Storage(f"file://{tmp_path}/shared")
    if request.param == "memory":
        return Storage(f"memory://{tmp_path.name}")
    return Storage(f"{request.getfixturevalue('s3_url')}/{tmp_path.name}")


def test_what_is_left_comes_back(storage: Storage, tmp_path: Path) -> None:
    storage.check()
    content = bytes(range(256)) * 1000
    whole = tmp_path / "whole"
    whole.write_bytes(content)
    name = storage.put_file(SHELF, whole)
    assert name == hashlib.sha256(content).hexdigest() == storage.put_bytes(SHELF, content)
    assert storage.has(SHELF, name) and not storage.has(OTHER, name) and not storage.has(SHELF, NAME)
    assert storage.get_bytes(SHELF, name) == content
    storage.get_file(SHELF, name, tmp_path / "back" / "whole")
    assert (tmp_path / "back" / "whole").read_bytes() == content
    there = pickle.loads(pickle.dumps(storage))
    assert there.get_bytes(SHELF, name) == content and there.url == storage.url


def test_a_name_stands_for_content_and_may_move(storage: Storage) -> None:
    assert storage.named(SHELF, NAME) is None
    for content in (b"one", b"two"):
        storage.name(SHELF, NAME, storage.put_bytes(SHELF, content))
        found = storage.named(SHELF, NAME)
        assert found is not None and storage.get_bytes(SHELF, found) == content


def test_what_is_missing_or_damaged_is_said_and_taken_away(storage: Storage, tmp_path: Path) -> None:
    target = tmp_path / "target"
    for _ in range(2):
        with pytest.raises(NotThere, match="holds nothing whole under"):
            storage.get_bytes(SHELF, NAME)
        with pytest.raises(NotThere):
            storage.get_file(SHELF, NAME, target)
        assert not target.exists() and not [file for file in tmp_path.glob(".*") if file.is_file()]
    for get in (storage.get_bytes, lambda shelf, name: storage.get_file(shelf, name, target)):
        name = storage.put_bytes(SHELF, b"whole")
        storage._fs.pipe_file(storage._place(SHELF, name), b"whol")
        with pytest.raises(NotThere):
            get(SHELF, name)
        assert not storage.has(SHELF, name) and not target.exists()
        assert storage.put_bytes(SHELF, b"whole") == name
        assert storage.get_bytes(SHELF, name) == b"whole"
        storage.clear(SHELF)


def test_one_recording_is_cleared_and_no_other(storage: Storage) -> None:
    mine, others = storage.put_bytes(SHELF, b"mine"), storage.put_bytes(OTHER, b"others")
    storage.name(SHELF, NAME, mine)
    storage.clear(SHELF)
    assert not storage.has(SHELF, mine) and storage.named(SHELF, NAME) is None
    assert storage.get_bytes(OTHER, others) == b"others"
    storage.clear(SHELF)


@given(content=st.binary(max_size=2000))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_come_back(tmp_path: Path, content: bytes) -> None:
    for url in (f"file://{tmp_path}/any", f"memory://{tmp_path.name}"):
        storage = Storage(url)
        assert storage.get_bytes(SHELF, storage.put_bytes(SHELF, content)) == content


def test_a_store_that_cannot_rename_nor_swallow_whole_is_written_beside_and_moved(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}/other")
    storage._protocol = "sftp"  # the way of every store that is neither a folder nor an object store
    name = storage.put_bytes(SHELF, b"content")
    path = tmp_path / "file"
    path.write_bytes(b"a file")
    storage.put_file(SHELF, path)
    assert storage.get_bytes(SHELF, name) == b"content"
    left = [file.name for file in (tmp_path / "other").rglob("*") if file.is_file()]
    assert sorted(left) == sorted([name, hashlib.sha256(b"a file").hexdigest()])


def test_nothing_half_written_is_ever_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = Storage(f"file://{tmp_path}/shared")
    whole = tmp_path / "whole"
    whole.write_bytes(b"x" * 1000)

    def breaks(source: Path, target: Path) -> None:
        Path(target).write_bytes(b"x" * 10)
        raise OSError(5, "the disk broke")

    with monkeypatch.context() as patched:
        patched.setattr("shutil.copyfile", breaks)
        with pytest.raises(StorageError, match=r"cannot be written: .*the disk broke"):
            storage.put_file(SHELF, whole)
    assert not [file for file in (tmp_path / "shared").rglob("*") if file.is_file()]
    with pytest.raises(FileNotFoundError):
        storage.put_file(SHELF, tmp_path / "absent", NAME)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "is not a URL"),
        ("/a/folder", "is not a URL"),
        ("file:/a/folder", "is not a URL"),
        ("simplecache::s3://bucket/x", "is not a URL"),
        ("file://folder", "three slashes"),
        ("file:///a/../b", "names no place"),
        ("s3://", "names no place"),
        ("file:///", "names no place"),
        ("nosuch://place/x", "nosuch"),
        ("sftp://lin:geheim@host/x", "names and secrets would travel"),
        ("s3://bucket/x?token=geheim", "names and secrets would travel"),
        ("http://[::1/x", "is not a URL"),
    ],
)
def test_a_url_that_will_not_do_is_refused_in_one_sentence_without_its_secret(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        Storage(url)
    assert "geheim" not in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "..", "a" * 63, "A" * 64, "../" + "a" * 61, "a" * 63 + "/", "g" * 64])
def test_a_name_that_is_no_checksum_is_refused(tmp_path: Path, name: str) -> None:
    storage = Storage(f"file://{tmp_path}/shared")
    for shelf, content in ((name, NAME), (SHELF, name)):
        with pytest.raises(ValueError, match="64 hex digits"):
            storage.has(shelf, content)
    with pytest.raises(ValueError, match="64 hex digits"):
        storage.clear(name)


def test_a_store_out_of_reach_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"file://.*cannot be .*: .*; see that it is there"):
        Storage(f"file://{tmp_path}/file/below").check()
    for key, value in {
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "geheim",
        "AWS_MAX_ATTEMPTS": "1",
    }.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StorageError, match="s3://bucket/x cannot be") as failed:
        Storage("s3://bucket/x").check()
    s3fs.S3FileSystem.clear_instance_cache()
    assert "geheim" not in str(failed.value)


@pytest.mark.skipif(
    os.name == "nt" or not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
)
def test_a_folder_that_may_not_be_written_is_said(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StorageError, match="Permission denied"):
        Storage(f"file://{tmp_path}/shared").check()


def test_where_the_storage_is_comes_from_the_environment_or_private_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKBENCH_STORAGE_URL", raising=False)
    study: Study = create_study("night", rights_basis="made up", root=tmp_path)
    assert storage_url(study) == ""
    (study.private / "private.toml").write_text('storage_url = "s3://bucket/night"\n')
    assert storage_url(study) == "s3://bucket/night"
    monkeypatch.setenv("WORKBENCH_STORAGE_URL", "file:///shared")
    assert storage_url(study) == "file:///shared"
    (study.private / "private.toml").write_text('storage_ulr = "s3://bucket/night"\n')
    monkeypatch.delenv("WORKBENCH_STORAGE_URL")
    with pytest.raises(ConfigError, match="did you mean 'storage_url'"):
        storage_url(study)
