"""pipelines.progress: who is told hears often enough to stop the work, and never in the middle of a step."""

from collections.abc import Callable

import pytest

from pipelines.errors import Cancelled
from pipelines.progress import Listener, Progress

ONE, OTHER = Progress("one", 1), Progress("other", 1)


def test_a_fraction_is_within_its_bounds_and_unknown_without_a_total() -> None:
    assert [Progress("one", done, total).fraction for done, total in ((1, 4), (5, 4), (-1, 4), (1, None), (0, 0))] == [
        0.25, 1.0, 0.0, None, None
    ]  # fmt: skip


def test_asks_only_who_was_told_nothing_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("pipelines.progress.time.monotonic", lambda: now_s)
    told: list[Progress] = []
    listener = Listener(told.append)
    listener.ask(OTHER)
    listener.ask(OTHER)
    assert told == [OTHER]
    now_s += 0.2
    listener(ONE)
    now_s += 0.2
    listener.ask(OTHER)
    assert told == [OTHER, ONE]
    now_s += 0.1
    listener.ask(OTHER)
    assert told == [OTHER, ONE, OTHER]


def test_a_stop_that_is_held_back_comes_with_the_next_call() -> None:
    told: list[Progress] = []
    enough = Cancelled("enough")

    def report(one: Progress) -> None:
        told.append(one)
        if len(told) == 1:
            raise enough

    calls: list[Callable[[Listener], None]] = [Listener.check, lambda one: one(OTHER), lambda one: one.ask(OTHER)]
    for call in calls:
        listener = Listener(report)
        told.clear()
        with listener.held():
            listener(ONE)
        with listener.held():
            listener(OTHER)
        with pytest.raises(Cancelled) as raised:
            call(listener)
        assert raised.value is enough and told == [ONE]
    Listener(report).check()
