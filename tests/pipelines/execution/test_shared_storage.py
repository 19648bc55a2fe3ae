"""pipelines.execution.shared_storage: the same behaviour on a folder, in memory, and on a real S3 server."""

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
from pipelines.execution.shared_storage import ObjectMissing, Storage, StorageError, storage_url
from pipelines.study import Study, create_study

RECORDING = hashlib.sha256(b"a recording").hexdigest()
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


def test_a_stored_file_comes_back(storage: Storage, tmp_path: Path) -> None:
    storage.check()
    content = bytes(range(256)) * 1000
    whole = tmp_path / "whole"
    whole.write_bytes(content)
    name = storage.put_file(RECORDING, whole)
    assert name == hashlib.sha256(content).hexdigest() == storage.put_bytes(RECORDING, content)
    assert storage.has(RECORDING, name) and not storage.has(OTHER, name) and not storage.has(RECORDING, NAME)
    assert storage.get_bytes(RECORDING, name) == content
    storage.get_file(RECORDING, name, tmp_path / "back" / "whole")
    assert (tmp_path / "back" / "whole").read_bytes() == content
    there = pickle.loads(pickle.dumps(storage))
    assert there.get_bytes(RECORDING, name) == content and there.url == storage.url


def test_a_name_points_to_an_object_and_may_be_changed(storage: Storage) -> None:
    assert storage.resolve(RECORDING, NAME) is None
    for content in (b"one", b"two"):
        storage.set_name(RECORDING, NAME, storage.put_bytes(RECORDING, content))
        found = storage.resolve(RECORDING, NAME)
        assert found is not None and storage.get_bytes(RECORDING, found) == content


def test_a_missing_or_damaged_object_is_reported_and_deleted(storage: Storage, tmp_path: Path) -> None:
    target = tmp_path / "target"
    for _ in range(2):
        with pytest.raises(ObjectMissing, match="has no intact object"):
            storage.get_bytes(RECORDING, NAME)
        with pytest.raises(ObjectMissing):
            storage.get_file(RECORDING, NAME, target)
        assert not target.exists() and not [file for file in tmp_path.glob(".*") if file.is_file()]
    for get in (storage.get_bytes, lambda recording, name: storage.get_file(recording, name, target)):
        name = storage.put_bytes(RECORDING, b"whole")
        storage._fs.pipe_file(storage._location(RECORDING, name), b"whol")
        with pytest.raises(ObjectMissing):
            get(RECORDING, name)
        assert not storage.has(RECORDING, name) and not target.exists()
        assert storage.put_bytes(RECORDING, b"whole") == name
        assert storage.get_bytes(RECORDING, name) == b"whole"
        storage.delete(RECORDING)


def test_one_recording_is_deleted_and_no_other(storage: Storage) -> None:
    mine, others = storage.put_bytes(RECORDING, b"mine"), storage.put_bytes(OTHER, b"others")
    storage.set_name(RECORDING, NAME, mine)
    storage.delete(RECORDING)
    assert not storage.has(RECORDING, mine) and storage.resolve(RECORDING, NAME) is None
    assert storage.get_bytes(OTHER, others) == b"others"
    storage.delete(RECORDING)


@given(content=st.binary(max_size=2000))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_come_back(tmp_path: Path, content: bytes) -> None:
    for url in (f"file://{tmp_path}/any", f"memory://{tmp_path.name}"):
        storage = Storage(url)
        assert storage.get_bytes(RECORDING, storage.put_bytes(RECORDING, content)) == content


def test_a_store_without_atomic_uploads_is_written_to_a_temporary_name(tmp_path: Path) -> None:
    storage = Storage(f"file://{tmp_path}/other")
    storage._protocol = "sftp"  # the way of every store that is neither a folder nor an object store
    name = storage.put_bytes(RECORDING, b"content")
    path = tmp_path / "file"
    path.write_bytes(b"a file")
    storage.put_file(RECORDING, path)
    assert storage.get_bytes(RECORDING, name) == b"content"
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
            storage.put_file(RECORDING, whole)
    assert not [file for file in (tmp_path / "shared").rglob("*") if file.is_file()]
    with pytest.raises(FileNotFoundError):
        storage.put_file(RECORDING, tmp_path / "absent", NAME)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("", "is not a URL"),
        ("/a/folder", "is not a URL"),
        ("file:/a/folder", "is not a URL"),
        ("simplecache::s3://bucket/x", "is not a URL"),
        ("file://folder", "three slashes"),
        ("file:///a/../b", "names no folder or bucket"),
        ("s3://", "names no folder or bucket"),
        ("file:///", "names no folder or bucket"),
        ("nosuch://place/x", "nosuch"),
        ("sftp://lin:geheim@host/x", "user names and passwords would get onto"),
        ("s3://bucket/x?token=geheim", "user names and passwords would get onto"),
        ("http://[::1/x", "is not a URL"),
    ],
)
def test_an_invalid_url_is_rejected_in_one_sentence_without_its_secret(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as refused:
        Storage(url)
    assert "geheim" not in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["", "..", "a" * 63, "A" * 64, "../" + "a" * 61, "a" * 63 + "/", "g" * 64])
def test_a_name_that_is_no_checksum_is_rejected(tmp_path: Path, name: str) -> None:
    storage = Storage(f"file://{tmp_path}/shared")
    for recording, content in ((name, NAME), (RECORDING, name)):
        with pytest.raises(ValueError, match="64 hex digits"):
            storage.has(recording, content)
    with pytest.raises(ValueError, match="64 hex digits"):
        storage.delete(name)


def test_a_store_out_of_reach_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match=r"file://.*cannot be .*: .*; check that it exists"):
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
def test_a_read_only_folder_is_reported(tmp_path: Path) -> None:
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
