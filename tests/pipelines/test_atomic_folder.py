import os
import stat

import pytest

from pipelines.atomic_write import atomic_folder


def test_a_folder_appears_whole(tmp_path):
    with atomic_folder(tmp_path / "made" / "it") as folder:
        (folder / "a").write_text("a")
        assert not (tmp_path / "made" / "it").exists()
    assert (tmp_path / "made" / "it" / "a").read_text() == "a"
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["it"]


def test_a_failure_leaves_no_folder(tmp_path):
    def fill():
        with atomic_folder(tmp_path / "it") as folder:
            (folder / "a").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_changed(tmp_path):
    (tmp_path / "it").mkdir()
    (tmp_path / "it" / "a").write_text("old")
    with pytest.raises(FileExistsError, match="already exists"), atomic_folder(tmp_path / "it") as folder:
        (folder / "a").write_text("new")
    assert (tmp_path / "it" / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


@pytest.mark.skipif(os.name == "nt", reason="needs a umask")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask(tmp_path, mask):
    before = os.umask(mask)
    try:
        with atomic_folder(tmp_path / "it") as folder:
            (folder / "a").write_text("a")
            (folder / "in").mkdir()
    finally:
        os.umask(before)
    modes = [
        stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "it", tmp_path / "it" / "in", tmp_path / "it" / "a")
    ]
    assert modes == [0o777 & ~mask, 0o777 & ~mask, 0o666 & ~mask]
