"""workbench.status.doctor: what is there, what is missing, and what to do about it."""

from pathlib import Path

import pytest

from pipelines.study import create_study
from workbench.status.doctor import CHECKS, Finding


def machines(root: Path) -> Finding:
    return CHECKS["machines"](root)


def test_storage_that_many_machines_share_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKBENCH_STORAGE_URL", raising=False)
    study = create_study("night", rights_basis="made up", root=tmp_path)
    assert (machines(tmp_path).state, machines(tmp_path).found) == ("ok", "no storage named: this machine alone")
    url = f"file://{tmp_path}/storage"
    (study.private / "private.toml").write_text(f'storage_url = "{url}"\n')
    assert (machines(tmp_path).state, machines(tmp_path).found) == ("ok", url)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("WORKBENCH_STORAGE_URL", f"file://{tmp_path}/file/below")
    found = machines(tmp_path)
    assert found.state == "missing" and "file/below cannot be " in found.found and found.advice
    monkeypatch.setattr("workbench.status.doctor.find_spec", lambda _name: None)
    assert machines(tmp_path).state == "optional" and "[cluster]" in machines(tmp_path).advice
