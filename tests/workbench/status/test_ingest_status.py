"""workbench.status.ingest_status: how recordings stand, what to do next, and why windows are no clips, in words."""

import time

import pytest

from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.state.status import SourceStanding
from pipelines.study import ScreenThresholds, StudySettings
from workbench.status.ingest_status import SIGNS, STATES, State, advice, bounds_words, next_step, reason_words, state_of


@pytest.mark.parametrize(
    ("standing", "said"),
    [
        (SourceStanding("a", "a.wav", "waiting"), "not begun"),
        (SourceStanding("a", "a.wav", "fetched"), "fetched"),
        (SourceStanding("a", "a.wav", "done"), "done"),
        (SourceStanding("a", "a.wav", "failed", failure="fix"), "needs you"),
        (SourceStanding("a", "a.wav", "failed", failure="retry"), "broke off"),
        (SourceStanding("a", "a.wav", "failed", failure="defer"), "waits"),
        (SourceStanding("a", "a.wav", "failed", failure="gone"), "unusable"),
        (SourceStanding("a", "a.wav", "failed", failure="bug"), "our error"),
        (SourceStanding("a", "a.wav", "duplicate"), "taken once"),
        (SourceStanding("a", "a.wav", "taken_down"), "taken down"),
    ],
)
def test_every_state_has_a_word_a_sign_and_advice(standing: SourceStanding, said: State) -> None:
    state = state_of(standing)
    assert state == said and state in STATES
    assert SIGNS[state] and advice(standing, state).endswith(".")


def test_a_pause_shows_only_where_something_would_be_done() -> None:
    paused = frozenset({"a"})
    assert state_of(SourceStanding("a", "a.wav", "waiting"), paused) == "paused"
    assert state_of(SourceStanding("a", "a.wav", "failed", failure="retry"), paused) == "paused"
    assert state_of(SourceStanding("a", "a.wav", "done"), paused) == "done"


def test_a_source_that_waits_says_until_when() -> None:
    later = SourceStanding("a", "https://example.org/a", "failed", failure="defer", until=time.time() + 3600)
    assert advice(later, "waits").startswith("A run after ")


@pytest.mark.parametrize(
    ("states", "clips", "running", "action", "words"),
    [
        ([], 0, False, "add", "no recording here yet"),
        (["not begun", "broke off", "needs you"], 0, False, "start", "2 recordings wait to be made into clips, 1 of"),
        (["done", "broke off"], 3, False, "start", "1 recording broke off and can be tried again."),
        (["not begun"], 0, True, "watch", "being made into clips now"),
        (["done", "needs you"], 9, False, "mend", "1 recording needs you"),
        (["done"], 0, False, "screens", "one of them may be too strict"),
        (["done", "waits"], 9, False, "hear", "1 recording waits for a site"),
        (
            ["done", "unusable"],
            9,
            False,
            "hear",
            "1 recording cannot be used: the table says why. Nothing holds the oth",
        ),
        (["done", "our error", "unusable"], 9, False, "hear", "2 recordings cannot be used"),
        (["done", "taken once"], 9, False, "hear", "Nothing holds the recordings back"),
    ],
)
def test_the_next_step_is_the_first_that_can_be_taken(
    states: list[State], clips: int, running: bool, action: str, words: str
) -> None:
    step = next_step(states, clips, running=running, has_candidates=True)
    assert step.action == action and words in step.sentence
    assert bool(step.button) is (action != "watch")


def test_a_look_ahead_is_not_called_an_ingest() -> None:
    step = next_step([], 0, running=True, has_candidates=False, looking=True)
    assert step.sentence == "What you asked for is being looked at; nothing is fetched yet." and not step.button


def test_reasons_and_bounds_are_said_without_codes() -> None:
    settings = StudySettings(name="night", screen={"speech_ratio": ScreenThresholds(min=0.7)})
    assert reason_words("speech_ratio_low", settings) == "share of the clip that is speech: under 0.7"
    for name in SCREENS:
        for side in ("low", "high"):
            assert "_" not in reason_words(f"{name}_{side}", settings)
    for code in ("overlap", "picked_over", "repeated", "same_clip", "source_full", "speaker_full"):
        assert "_" not in reason_words(code, settings) and reason_words(code, settings) != code.replace("_", " ")
    assert bounds_words(ScreenThresholds(min=0.6, max=2)) == "at least 0.6 and at most 2"
    assert bounds_words(ScreenThresholds()) == "no limit"
