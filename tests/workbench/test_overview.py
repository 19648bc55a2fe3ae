"""What holds a study back, and whether its labels can be trusted, in words."""

from dataclasses import replace

import pytest

from pipelines.schema import Estimate, NoEstimate
from workbench.overview import Standing, Trained, next_step, trust

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
