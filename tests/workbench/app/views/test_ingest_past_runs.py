"""The Ingest page tells of the last runs, and of clips with answers that leave, would leave, or are outside."""

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipelines.ingest.selection.threshold_preview import preview_thresholds, read_candidates
from pipelines.study import ScreenThresholds, Study, create_study
from tests.workbench.app.page_harness import Viewed, words
from workbench.store import Event, open_store

Opened = Callable[..., AppTest]


@pytest.fixture
def study(ingested: Study, tmp_path: Path) -> Study:
    shutil.copytree(ingested.root, tmp_path, dirs_exist_ok=True)
    return Study(tmp_path, ingested.name)


@pytest.fixture
def opened(viewed: Viewed) -> Opened:
    def run(study: Study, **query: str) -> AppTest:
        return viewed(study, "workbench.app.views.ingest:show", "curator", **query)

    return run


def say(study: Study, names: list[str]) -> None:
    with open_store(study) as store:
        store.ensure_rater("ada")
        assert not store.record([Event(name, "ada", clip_id=name, label="happy") for name in names]).refused


def test_the_last_runs_stand_in_a_table_of_words(opened: Opened, study: Study) -> None:
    app = opened(study)
    (table,) = [one.value for one in app.dataframe if "new sound" in one.value.columns]
    assert list(table["what"]) == ["recordings"] and list(table["what failed"]) == [""]
    assert re.fullmatch(r"\d+ \w{3} \d\d:\d\d", table["when"][0]) and table["clips"][0] > 0
    assert table["new sound"][0] == table["of"][0]


def test_before_the_first_run_there_is_no_such_table(opened: Opened, tmp_path: Path) -> None:
    app = opened(create_study("bare", root=tmp_path))
    assert not [one for one in app.dataframe if "new sound" in one.value.columns]


def test_a_limit_on_its_way_says_how_many_clips_with_answers_it_would_take(opened: Opened, study: Study) -> None:
    found = preview_thresholds(
        read_candidates(study.candidates), study.settings, {"speech_ratio": ScreenThresholds(min=0.99)}
    ).lost
    say(study, list(found[:2]))
    app = opened(study, screen="speech_ratio")
    assert not app.warning
    app.number_input(key="exact-speech_ratio-min").set_value(0.99).run()
    (warning,) = app.warning
    assert warning.value.startswith(f"2 of the {len(found)} clips that would leave have answers")


def test_a_run_that_took_clips_with_answers_says_so_and_losses_keep_saying_it(opened: Opened, study: Study) -> None:
    say(study, ["gone-000000000"])
    folder = study.jobs / "run"
    folder.mkdir(parents=True)
    facts = {
        "program": [], "argv": ["ingest", "--study", "night", "--json"], "title": "Ingest", "about": {},
        "started": time.time() - 60, "state": "done", "runner": None, "worker": None, "exit_code": 0,
        "ended": time.time(),
    }  # fmt: skip
    (folder / "job.json").write_text(json.dumps(facts))
    (folder / "out.json").write_text(json.dumps({"sources": [], "left": {"repeated": 3}, "left_answered": 1}))
    app = opened(study, part="Funnel")
    (told,) = app.info
    assert told.value.startswith("Ingest: 1 of the 3 clips that left has answers")
    said = words(app)
    assert "**1 clip with answers is not in the study now**" in said
    assert "- 1: its recording is no longer in sources.csv" in said
