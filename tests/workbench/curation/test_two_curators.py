"""Two curators at one study: what one has moved since the other looked is told, never lost."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.study import ScreenThresholds, Study
from workbench.app.views.ingest import screens
from workbench.cli.main import main


def test_a_page_that_was_drawn_before_somebody_moved_the_limit_moves_nothing(
    ingested: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ingested.root, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path))
    study = Study(tmp_path, ingested.name)
    asked: list[list[str]] = []
    monkeypatch.setattr(screens.jobs, "start", lambda _study, argv, *_, **__: asked.append(list(argv)))
    shown = ScreenThresholds(max=1.0)
    for limit in (0.9, 0.8):  # both pages were drawn while it was 1.0
        screens.apply(study, "longest_pause_s", ScreenThresholds(max=limit), shown)
    codes, said = [], []
    for argv in asked:
        with pytest.raises(SystemExit) as left:
            main(argv)
        codes.append(left.value.code)
        said.append(json.loads(capsys.readouterr().out))
    assert codes == [0, 2]
    assert said[1]["error"].startswith(
        "somebody else has changed 'longest_pause_s' in the meantime, to max = 0.9; check it"
    )
    assert Study(tmp_path, study.name).settings.screen["longest_pause_s"] == ScreenThresholds(max=0.9)
