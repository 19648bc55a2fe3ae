import errno
import os
import sys
from pathlib import Path

import pytest

from pipelines.atomic_write import (
    AtomicPaths,
    atomic_path,
    move_into_place,
    remove_leftovers,
    sha256_file,
    write_json,
    write_text,
)


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path):
    target = tmp_path / "table.csv"
    write_text(target, "old")

    def fail_half_way():
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_the_same_content_is_not_written_again(tmp_path):
    target = tmp_path / "a.json"
    assert write_json(target, {"a": 1}) is True
    assert write_json(target, {"a": 1}) is False
    assert write_json(target, {"a": 2}) is True


def test_a_number_that_json_cannot_represent_is_rejected(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"a": float("nan")})


def test_sha256_is_that_of_the_standard(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    assert sha256_file(tmp_path / "abc").startswith("ba7816bf8f01cfea414140de5dae2223")


def test_leftovers_of_killed_writers_are_removed_and_nothing_else(tmp_path):
    kept = [tmp_path / name for name in ("a.csv", ".hidden", ".a.csv.txt", ".b.0123456789ab.csv")]
    names = ("a.csv", "odd [name]\n.wav", "l" * 200 + ".mp4", "bare")
    for number, name in enumerate(names):
        with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / name) as temporary:
            raise KeyboardInterrupt
        (tmp_path / temporary.name).write_text(str(number))
    for file in kept:
        file.touch()
    remove_leftovers(tmp_path, "a.csv")
    assert len(list(tmp_path.iterdir())) == len(kept) + 3
    kept.pop().rename(tmp_path / "b.csv")
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.csv", ".hidden", ".a.csv.txt", "b.csv"}
    remove_leftovers(tmp_path / "nowhere")


def test_many_files_are_whole_at_the_end_and_none_is_half_written_after_a_failure(tmp_path):
    names = [f"{number}.wav" for number in range(150)]
    with AtomicPaths() as files:
        for name in names:
            with files.path(tmp_path / "many" / name) as temporary:
                temporary.write_text(name)
    assert {path.name: path.read_text() for path in (tmp_path / "many").iterdir()} == {name: name for name in names}

    def fail_half_way():
        with AtomicPaths() as files:
            for name in names:
                with files.path(tmp_path / "few" / name) as temporary:
                    temporary.write_text(name)
                    if name == "100.wav":
                        raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    there = {path.name: path.read_text() for path in (tmp_path / "few").iterdir()}
    assert len(there) < 100 and all(name == content for name, content in there.items())


@pytest.fixture
def done(monkeypatch):
    """What is synced and renamed, in order."""
    done = []
    fsync, replace = os.fsync, Path.replace

    def told_fsync(descriptor):
        done.append(("sync", Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def told_replace(old, new):
        done.append(("rename", old))
        return replace(old, new)

    monkeypatch.setattr(os, "fsync", told_fsync)
    monkeypatch.setattr(Path, "replace", told_replace)
    return done


@pytest.mark.skipif(sys.platform != "linux", reason="names of descriptors are told there")
def test_files_are_synced_before_they_are_renamed_and_folders_after(tmp_path, monkeypatch, done):
    monkeypatch.setattr(os, "posix_fadvise", refused)
    with AtomicPaths() as files:
        for name in ("a", "b"):
            with files.path(tmp_path / name) as temporary:
                temporary.write_text(name)
    assert [what for what, _ in done] == ["sync", "sync", "rename", "rename", "sync"]
    assert [path for _, path in done[:2]] == [path for _, path in done[2:4]] and done[4][1] == tmp_path
    assert (tmp_path / "b").read_text() == "b"


@pytest.mark.skipif(sys.platform != "linux", reason="names of descriptors are told there")
def test_a_whole_file_is_synced_before_it_is_moved_and_its_folder_after(tmp_path, done):
    partial, target = tmp_path / "partial" / "film.mp4", tmp_path / "film.mp4"
    partial.parent.mkdir()
    partial.write_text("new")
    target.write_text("old")
    move_into_place(partial, target)
    assert done == [("sync", partial), ("rename", partial), ("sync", tmp_path)]
    assert target.read_text() == "new" and not partial.exists()


def test_a_whole_file_is_moved_to_another_disk_and_stays_where_it_cannot_be(tmp_path, monkeypatch):
    partial, target = tmp_path / "partial.mp4", tmp_path / "film.mp4"
    partial.write_text("new")
    replace = Path.replace

    def across(old, new):
        if old == partial:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(old, new)

    monkeypatch.setattr(Path, "replace", across)
    with pytest.raises(OSError, match=r"partial\.mp4"):  # a file is no folder
        move_into_place(partial, partial / "film.mp4")
    assert partial.read_text() == "new"
    move_into_place(partial, target)
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"] and target.read_text() == "new"


def refused(*_):
    raise OSError("not on this file system")


def test_a_failed_file_does_not_affect_the_others_of_its_batch(tmp_path):
    with AtomicPaths() as files:
        with files.path(tmp_path / "a") as temporary:
            temporary.write_text("a")
        with pytest.raises(RuntimeError), files.path(tmp_path / "b"):
            raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
