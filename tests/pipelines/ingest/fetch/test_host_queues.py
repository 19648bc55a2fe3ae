"""Host queues and runs on top of them: one task per host at a time, hosts in parallel, cool-downs that survive."""

import math
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from pipelines.errors import Cancelled, MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.failures import TooManyRequests
from pipelines.ingest.fetch.fetch_policy import Manners, Rest
from pipelines.ingest.fetch.host_queues import Done, Errand, Lanes, Rested, Told
from pipelines.ingest.run import run
from pipelines.ingest.state.queue import open_queue
from pipelines.progress import Progress
from pipelines.study import Study
from tests.pipelines.ingest.fetch.test_misbehaving import bodies, make_study, site
from tests.pipelines.ingest.misbehaving_server import Misbehaving

__all__ = ["bodies", "site"]

QUICK = Manners(allow_private=True, pause_s=0, reserve_bytes=0)


def drained(lanes: Lanes[str]) -> list[Told | Rested | Done[str]]:
    found: list[Told | Rested | Done[str]] = []
    while not lanes.ended:
        news = list(lanes.news(60))
        assert news, "an errand never ended"
        found += news
    return found


def errands(*urls: str) -> list[Errand]:
    return [Errand(url.removeprefix("http://"), url) for url in urls]


def test_one_at_a_time_per_host_and_hosts_side_by_side() -> None:
    both = threading.Barrier(2, timeout=60)
    busy: dict[str, int] = {}
    most: dict[str, int] = {}
    lock = threading.Lock()

    def work(errand: Errand, tell: OnProgress, stop: threading.Event) -> str:
        with lock:
            busy[errand.host] = busy.get(errand.host, 0) + 1
            most[errand.host] = max(most.get(errand.host, 0), busy[errand.host])
        both.wait()  # passes only when two hosts are asked at once
        with lock:
            busy[errand.host] -= 1
        return errand.key

    with Lanes(errands("http://a/1", "http://a/2", "http://b/1", "http://b/2"), work, QUICK, {}) as lanes:
        done = [one for one in drained(lanes) if isinstance(one, Done)]
    assert {one.result for one in done} == {"a/1", "a/2", "b/1", "b/2"}
    assert most == {"a": 1, "b": 1}


def test_tries_again_what_may_help_and_nothing_else() -> None:
    classes = iter(("retry", "gone", "retry", "retry"))

    def work(errand: Errand, tell: OnProgress, stop: threading.Event) -> str:
        kind = next(classes)
        raise MediaError(kind, kind, kind)  # type: ignore[arg-type]

    with Lanes(errands("http://a/1", "http://a/2"), work, QUICK, {}) as lanes:
        done = [one for one in drained(lanes) if isinstance(one, Done)]
    assert [(one.key, one.tries) for one in done] == [("a/2", 1), ("a/1", 3)]


def test_pauses_grow_with_chance_and_have_an_end() -> None:
    manners = Manners(jitter=lambda: 1.0)
    assert [manners.backoff_s(n) for n in (1, 2, 3, 20)] == [2, 4, 8, 300]
    assert [Manners(jitter=lambda: 0.0).backoff_s(n) for n in (1, 20)] == [1, 150]
    assert 3 <= Manners().between_s() <= 4.5


@pytest.mark.parametrize(("asked_s", "until"), [(120.0, 1120.0), (None, 4600.0)])
def test_a_host_that_asks_for_a_rest_gets_it_while_others_go_on(asked_s: float | None, until: float) -> None:
    manners = replace(QUICK, clock=lambda: 1000.0)

    def work(errand: Errand, tell: OnProgress, stop: threading.Event) -> str:
        if errand.host == "a":
            raise TooManyRequests("too_many_requests", "rest", asked_s)
        return errand.key

    with Lanes(errands("http://a/1", "http://a/2", "http://b/1", "http://b/2"), work, manners, {}) as lanes:
        news = drained(lanes)
    assert [one.rest for one in news if isinstance(one, Rested)] == [Rest(until, 1)]
    done = {one.key: one for one in news if isinstance(one, Done)}
    assert (done["b/1"].result, done["b/2"].result, done["a/2"].tries) == ("b/1", "b/2", 0)
    for key in ("a/1", "a/2"):
        assert isinstance(done[key].error, MediaError)
        assert "a asked for a rest (429) and is left alone until 1970-01-01" in str(done[key].error)


@pytest.mark.parametrize(("rest", "asked"), [(Rest(999.0, 1), True), (Rest(1001.0, 1), False), (Rest(999.0, 3), False)])
def test_a_rest_is_kept_and_after_three_the_host_is_given_up(rest: Rest, asked: bool) -> None:
    manners = replace(QUICK, clock=lambda: 1000.0)
    with Lanes(errands("http://a/1"), lambda errand, _tell, _stop: errand.key, manners, {"a": rest}) as lanes:
        news = drained(lanes)
    (done,) = [one for one in news if isinstance(one, Done)]
    assert (done.result is not None) == asked
    assert [one.rest.strikes for one in news if isinstance(one, Rested)] == ([0] if asked else [])


@pytest.mark.parametrize("until", [math.inf, 1e300, 1e13, 1000.0 + 86401])
def test_a_rest_that_no_host_was_ever_given_is_not_kept(until: float) -> None:
    """Stored before rests had an end, or by a clock that was wrong."""
    manners = replace(QUICK, clock=lambda: 1000.0)
    rests = {"a": Rest(until, 1)}
    with Lanes(errands("http://a/1"), lambda errand, _tell, _stop: errand.key, manners, rests) as lanes:
        news = drained(lanes)
    assert [one.result for one in news if isinstance(one, Done)] == ["a/1"]


@pytest.mark.parametrize("asked_s", [1e300, math.inf, None])
def test_no_host_gets_a_rest_of_more_than_a_day(asked_s: float | None) -> None:
    manners = replace(QUICK, clock=lambda: 1000.0, rest_s=math.inf)

    def work(errand: Errand, tell: OnProgress, stop: threading.Event) -> str:
        raise TooManyRequests("too_many_requests", "rest", asked_s)

    with Lanes(errands("http://a/1"), work, manners, {}) as lanes:
        news = drained(lanes)
    assert [one.rest for one in news if isinstance(one, Rested)] == [Rest(1000.0 + 86400, 1)]


def test_a_lane_that_dies_ends_all_of_its_errands() -> None:
    def no_clock() -> float:
        raise RuntimeError("no clock")

    manners = replace(QUICK, clock=no_clock)
    rests = {"a": Rest(2000.0, 1)}
    with Lanes(errands("http://a/1", "http://a/2"), lambda *_: "", manners, rests) as lanes:
        news = drained(lanes)
    assert [(one.key, str(one.error), one.tries) for one in news if isinstance(one, Done)] == [
        ("a/1", "no clock", 0), ("a/2", "no clock", 0)
    ]  # fmt: skip


def test_leaving_early_stops_what_is_in_flight() -> None:
    begun = threading.Event()
    stopped: list[str] = []

    def work(errand: Errand, tell: OnProgress, stop: threading.Event) -> str:
        begun.set()
        stop.wait(60)
        try:
            tell(1, None)
        except Cancelled:
            stopped.append(errand.key)
            raise
        return errand.key

    with Lanes(errands("http://a/1", "http://a/2"), work, QUICK, {}):
        begun.wait(60)
    assert stopped == ["a/1"]


@pytest.fixture
def other(bodies: tuple[bytes, bytes]) -> Iterator[Misbehaving]:
    made = Misbehaving(bodies[1])
    yield made
    made.close()


def again(study: Study, *urls: str, manners: Manners = QUICK) -> dict[str, tuple[str, str]]:
    report = run.ingest(Study(study.root, study.name), urls, jobs=1, manners=manners)
    return {row.source_id: (row.status, row.reason_code) for row in report.sources}


def test_a_rest_survives_the_end_of_the_program(
    site: Misbehaving, other: Misbehaving, tmp_path_factory: pytest.TempPathFactory
) -> None:
    study = make_study(tmp_path_factory.mktemp("root"))
    urls = (site.url("error429"), site.url("good"), other.url("fine", "localhost"))
    now = [1_000_000.0]
    manners = replace(QUICK, clock=lambda: now[0])
    rests = ("failed", "too_many_requests")
    first = again(study, *urls, manners=manners)
    assert first == {"error429": rests, "good": rests, "fine": ("ingested", "")}
    with open_queue(study.ingest_db) as queue:
        assert queue.rests() == {"127.0.0.1": Rest(now[0] + 7200, 1)}  # as its Retry-After said
    asked = len(site.asked)
    now[0] += 7000
    assert again(study, *urls, manners=manners)["good"] == rests and len(site.asked) == asked
    now[0] += 300
    assert again(study, urls[1], manners=manners)["good"] == ("ingested", "") and len(site.asked) > asked


def test_stopping_does_not_wait_for_a_server_that_is_silent(
    site: Misbehaving, other: Misbehaving, tmp_path_factory: pytest.TempPathFactory
) -> None:
    study = make_study(tmp_path_factory.mktemp("root"))
    site.gate.clear()

    def stop(progress: Progress) -> None:
        if progress.stage == "sources" and progress.done and site.at_once:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run.ingest(study, [site.url("good"), other.url("fine", "localhost")], jobs=1, report=stop, manners=QUICK)
    assert site.at_once, "the server still keeps its answer back"
    site.gate.set()
    assert again(study, site.url("good"), other.url("fine", "localhost")) == {
        "good": ("ingested", ""), "fine": ("unchanged", "")
    }  # fmt: skip


def test_a_stop_is_heard_while_the_only_server_is_silent(
    site: Misbehaving, tmp_path_factory: pytest.TempPathFactory
) -> None:
    study = make_study(tmp_path_factory.mktemp("root"))
    site.gate.clear()

    def stop(_: Progress) -> None:
        if site.at_once:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        run.ingest(study, [site.url("good")], jobs=1, report=stop, manners=QUICK)
    assert site.at_once == len(site.asked) == 1, "it still keeps its first answer back"


@pytest.mark.parametrize("name", ["error503", "promised"])
def test_a_stop_is_heard_in_a_long_pause(
    name: str, site: Misbehaving, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two tries of one recording, of ours or of yt-dlp's."""
    study = make_study(tmp_path_factory.mktemp("root"))
    pausing = threading.Event()

    def pause(*_: object) -> float:
        pausing.set()
        return 3600.0

    def stop(_: Progress) -> None:
        if pausing.is_set():
            raise Cancelled("enough")

    def ingest() -> None:
        with pytest.raises(Cancelled):
            run.ingest(study, [site.url(name)], jobs=1, report=stop, manners=QUICK)
        ended.set()

    monkeypatch.setattr(Manners, "backoff_s", pause)
    ended = threading.Event()
    threading.Thread(target=ingest, daemon=True).start()
    assert ended.wait(120)


def test_what_has_come_is_analysed_while_the_next_is_fetched(
    site: Misbehaving, other: Misbehaving, tmp_path_factory: pytest.TempPathFactory
) -> None:
    study = make_study(tmp_path_factory.mktemp("root"))
    site.gate.clear()  # the first host keeps its answer back until the other's recording has been analysed

    def watch(progress: Progress) -> None:
        if progress.stage == "analyse" and progress.item == "fine":
            site.gate.set()

    urls = [site.url("good"), other.url("fine", "localhost")]
    report = run.ingest(study, urls, jobs=1, report=watch, manners=QUICK)
    assert [row.status for row in report.sources] == ["ingested", "ingested"]
    assert site.gate.is_set() and site.most_at_once == other.most_at_once == 1
