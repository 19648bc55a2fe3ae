"""pipelines.progress: the caller can cancel often enough, and never in the middle of a step."""

from collections.abc import Callable

import pytest

from pipelines.errors import Cancelled
from pipelines.progress import Progress, ProgressReporter

ONE, OTHER = Progress("one", 1), Progress("other", 1)


def test_a_fraction_is_within_its_bounds_and_unknown_without_a_total() -> None:
    assert [Progress("one", done, total).fraction for done, total in ((1, 4), (5, 4), (-1, 4), (1, None), (0, 0))] == [
        0.25, 1.0, 0.0, None, None
    ]  # fmt: skip


def test_reports_again_only_after_a_while_without_a_report(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("pipelines.progress.time.monotonic", lambda: now_s)
    told: list[Progress] = []
    reporter = ProgressReporter(told.append)
    reporter.report_if_due(OTHER)
    reporter.report_if_due(OTHER)
    assert told == [OTHER]
    now_s += 0.2
    reporter(ONE)
    now_s += 0.2
    reporter.report_if_due(OTHER)
    assert told == [OTHER, ONE]
    now_s += 0.1
    reporter.report_if_due(OTHER)
    assert told == [OTHER, ONE, OTHER]


def test_a_deferred_cancellation_is_raised_by_the_next_call() -> None:
    told: list[Progress] = []
    enough = Cancelled("enough")

    def report(one: Progress) -> None:
        told.append(one)
        if len(told) == 1:
            raise enough

    calls: list[Callable[[ProgressReporter], None]] = [
        ProgressReporter.raise_if_cancelled,
        lambda one: one(OTHER),
        lambda one: one.report_if_due(OTHER),
    ]
    for call in calls:
        reporter = ProgressReporter(report)
        told.clear()
        with reporter.cancellation_deferred():
            reporter(ONE)
        with reporter.cancellation_deferred():
            reporter(OTHER)
        with pytest.raises(Cancelled) as raised:
            call(reporter)
        assert raised.value is enough and told == [ONE]
    ProgressReporter(report).raise_if_cancelled()
