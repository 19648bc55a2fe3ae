"""One lane per host: one errand in flight in each, hosts side by side, pauses between, rests where a host asks for one.

Lanes are threads; what they find out comes to the caller's own thread as news, so that only that one writes the queue.
"""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Generic, Self, TypeVar
from urllib.parse import urlsplit

from pipelines.errors import Cancelled, MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.failures import TooManyRequests
from pipelines.ingest.fetch.fetch_policy import LONGEST_REST_S, Manners, Rest
from pipelines.units import Seconds

Result = TypeVar("Result")

_NEWS_EVERY_S = 0.1


@dataclass(frozen=True, slots=True)
class Errand:
    """One address to be asked, under the caller's own key."""

    key: str
    url: str

    @property
    def host(self) -> str:
        return (urlsplit(self.url).hostname or "").lower()


@dataclass(frozen=True, slots=True)
class Told:
    """How far an errand is, in bytes."""

    key: str
    done: float
    total: float | None


@dataclass(frozen=True, slots=True)
class Rested:
    """A host's rest has changed."""

    host: str
    rest: Rest


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """How an errand ended: with a result, or with an error and after how many tries. No try: it was not begun."""

    key: str
    result: Result | None
    error: BaseException | None
    tries: int


Work = Callable[[Errand, OnProgress, threading.Event], Result]


class Lanes(Generic[Result]):
    """Runs errands for the length of a `with`; leaving it stops what is in flight and waits for it to tidy up."""

    def __init__(
        self, errands: Sequence[Errand], work: "Work[Result]", manners: Manners, rests: Mapping[str, Rest]
    ) -> None:
        self._work = work
        self._manners = manners
        self._rests = dict(rests)
        self._by_host: dict[str, list[Errand]] = {}
        for errand in errands:
            self._by_host.setdefault(errand.host, []).append(errand)
        self._left = len(errands)
        self._news: queue.SimpleQueue[Told | Rested | Done[Result]] = queue.SimpleQueue()
        self._stop = threading.Event()
        self._halted: MediaError | None = None

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(max(1, self._manners.lanes), thread_name_prefix="lane")
        for host, errands in self._by_host.items():
            self._pool.submit(self._lane, host, errands)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def ended(self) -> bool:
        """Whether all errands have ended and all news has been taken."""
        return self._left == 0 and self._news.empty()

    def news(self, timeout_s: Seconds) -> Iterator[Told | Rested | Done[Result]]:
        """What has come in; waits at most `timeout_s` for the first."""
        try:
            one = self._news.get(timeout=timeout_s) if timeout_s else self._news.get_nowait()
        except queue.Empty:
            return
        while True:
            if isinstance(one, Done):
                self._left -= 1
            yield one
            if self._news.empty():
                return
            one = self._news.get()

    def halt(self, error: MediaError) -> None:
        """Begin no further errand: each that is left ends with `error`."""
        self._halted = error

    def _lane(self, host: str, errands: Sequence[Errand]) -> None:
        waiting = deque((errand, 1, 0.0) for errand in errands)
        try:
            self._serve(host, waiting)
        except BaseException as error:  # noqa: BLE001  # an errand without an end would be waited for for ever
            for errand, attempt, _ in waiting:
                self._news.put(Done(errand.key, None, error, attempt - 1))

    def _serve(self, host: str, waiting: deque[tuple[Errand, int, float]]) -> None:
        """Until none is `waiting`, of (errand, its next try, when that may be): each leaves it as it ends."""
        manners = self._manners
        free_at = 0.0
        while waiting and not self._stop.is_set():
            errand, attempt, not_before = waiting[0]
            refusal = self._halted or self._resting(errand)
            if refusal is None:
                self._stop.wait(max(0.0, free_at - manners.clock(), not_before - manners.clock()))
                if self._stop.is_set():
                    return
                refusal = self._halted
            if refusal is not None:
                self._news.put(Done(errand.key, None, refusal, attempt - 1))
                waiting.popleft()
                continue
            try:
                result = self._work(errand, self._telling(errand), self._stop)
            except Cancelled:
                return
            except TooManyRequests as error:
                self._strike(host, error)
                self._news.put(Done(errand.key, None, self._resting(errand) or error, attempt))
            except MediaError as error:
                if error.reason_code == "disk_full":
                    self.halt(error)  # at once, before this lane begins another
                if error.failure == "retry" and attempt < manners.tries:
                    waiting.append((errand, attempt + 1, manners.clock() + manners.backoff_s(attempt)))
                else:
                    self._news.put(Done(errand.key, None, error, attempt))
            except BaseException as error:  # noqa: BLE001  # any error of one errand is told to the caller, who decides
                self._news.put(Done(errand.key, None, error, attempt))
            else:
                if self._rests.get(host):
                    self._set(host, Rest(0.0, 0))
                self._news.put(Done(errand.key, result, None, attempt))
            waiting.popleft()
            free_at = manners.clock() + manners.between_s()

    def _resting(self, errand: Errand) -> MediaError | None:
        rest = self._rests.get(errand.host)
        if rest is None or rest.strikes == 0:
            return None
        # One that is further away was stored before rests had an end, or by a clock that was wrong.
        if 0 < rest.until - self._manners.clock() <= LONGEST_REST_S:
            until = datetime.fromtimestamp(rest.until, UTC).strftime("%Y-%m-%d %H:%M UTC")
            return MediaError(
                "too_many_requests",
                f"{errand.url}: {errand.host} asked for a rest (429) and is left alone until {until}; "
                "ingest again after that",
                "defer",
            )
        if rest.strikes >= self._manners.rests:
            return MediaError(
                "too_many_requests",
                f"{errand.url}: {errand.host} asked for a rest {rest.strikes} times in a row; it is asked again only "
                "with --retry-failed",
                "fix",
            )
        return None

    def _strike(self, host: str, error: TooManyRequests) -> None:
        before = self._rests.get(host)
        seconds = self._manners.rest_s if error.rest_s is None else error.rest_s
        until = self._manners.clock() + min(seconds, LONGEST_REST_S)
        self._set(host, Rest(until, (before.strikes if before else 0) + 1))

    def _set(self, host: str, rest: Rest) -> None:
        self._rests[host] = rest
        self._news.put(Rested(host, rest))

    def _telling(self, errand: Errand) -> OnProgress:
        last = [0.0]

        def tell(done: float, total: float | None) -> None:
            if self._stop.is_set():
                raise Cancelled("stopped; nothing half-made was left")
            if time.monotonic() - last[0] > _NEWS_EVERY_S:
                last[0] = time.monotonic()
                self._news.put(Told(errand.key, done, total))

        return tell
