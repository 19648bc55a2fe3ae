"""What holds a study back, and whether its labels can be trusted, in words."""

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.manifest import table_to_csv
from pipelines.schema import Estimate, NoEstimate
from pipelines.study import create_study
from workbench.status.study_status import Standing, Trained, look, next_step, trust
from workbench.store import open_store

GOOD: Estimate = {"value": 0.85, "low": 0.81, "high": 0.9, "n": 40}
POOR: Estimate = {"value": 0.4, "low": 0.2, "high": 0.5, "n": 40}
NONE: NoEstimate = {"value": None, "reason": "only one rater has answered", "n": 0}
RUN = Trained("soap_five-1", "soap_five", GOOD, GOOD, False)
DONE = Standing(
    hours=1.0,
    sources=2,
    clips=40,
    answered=40,
    complete=40,
    k=3,
    people=3,
    simulated=0,
    alpha=GOOD,
    release="r1",
    released_clips=40,
    answers_since_release=0,
    run=RUN,
)


@pytest.mark.parametrize(
    ("changed", "action", "says"),
    [
        ({"clips": 0}, "ingest", "workbench ingest"),
        ({"answered": 0, "complete": 0, "people": 0}, "label", "Label the 40 waiting clips"),
        ({"complete": 10}, "label", "Label the 30 waiting clips"),
        ({"alpha": POOR, "release": None}, "agreement", "dispute"),
        ({"release": None}, "release", "workbench release create NAME --study night"),
        ({"answers_since_release": 7}, "release", "7 answers came after release 'r1'"),
        ({"run": None}, "train", "No model has learnt from release 'r1'"),
        ({"people": 0, "simulated": 3, "complete": 0}, "label", "only simulated raters"),
        ({}, "compare", "Compare"),
    ],
)
def test_one_thing_holds_it_back(changed: dict[str, object], action: str, says: str) -> None:
    step = next_step("night", replace(DONE, **changed))
    assert step.action == action
    assert says in f"{step.sentence} {step.button} {step.command}"


@pytest.mark.parametrize(
    ("alpha", "answer"),
    [
        (NONE, "Not known yet: only one rater has answered."),
        (GOOD, "Yes"),
        ({**GOOD, "low": 0.7}, "Probably"),
        ({**GOOD, "value": 0.7, "low": 0.6}, "With care"),
        (POOR, "Not as they stand"),
        ({**POOR, "low": -0.1}, "No:"),
    ],
)
def test_trust_is_said_in_words(alpha: Estimate | NoEstimate, answer: str) -> None:
    assert trust(alpha).startswith(answer)


def test_a_recording_that_was_withdrawn_is_counted_no_more(tmp_path: Path) -> None:
    study = create_study("night", rights_basis="made", root=tmp_path)
    columns = ("source_id", "uri", "status", "sample_rate_hz", "decoded_samples")
    rows = [dict(zip(columns, (name, f"{name}.wav", "ok", "16000", str(16000 * 3600)), strict=True)) for name in "ab"]
    with open_store(study) as store:
        study.sources_csv.write_text(table_to_csv(columns, rows), encoding="utf-8")
        before = look(study, store, NONE)
        rows[1]["status"] = "taken_down"
        study.sources_csv.write_text(table_to_csv(columns, rows), encoding="utf-8")
        after = look(study, store, NONE)
    assert (before.sources, before.hours, after.sources, after.hours) == (2, 2.0, 1, 1.0)
