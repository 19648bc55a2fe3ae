"""How recordings are fetched: what is too much, and how politely a host is asked. One object, passed whole."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.ingest.fetch.allowed_hosts import Private
from pipelines.study import StudySettings
from pipelines.units import Seconds

#: No host gets a longer rest, whatever it asks for.
LONGEST_REST_S: Seconds = 24 * 3600


@dataclass(frozen=True, slots=True)
class Manners:
    """Caps and pauses. `clock` gives seconds since 1970, `jitter` a number in [0, 1): tests put in their own."""

    allow_private: Private = False
    #: Caps on one recording: bytes, its own length, the time a fetch may take, and a speed that is no speed.
    largest_bytes: int = 8_000_000_000
    longest_s: Seconds = 4 * 3600
    fetch_s: Seconds = 6 * 3600
    slow_s: Seconds = 60
    slow_bytes_per_s: float = 1024
    #: Caps on what is asked before a recording is fetched.
    metadata_bytes: int = 64_000_000
    metadata_s: Seconds = 180
    #: Towards one host: pause between two recordings, rest after a 429 without Retry-After, rests before giving up.
    pause_s: Seconds = 3
    rest_s: Seconds = 3600
    rests: int = 3
    #: How long one recording is left alone that may come later, such as a live stream.
    defer_s: Seconds = 6 * 3600
    #: Tries of one request inside yt-dlp, and of one recording inside a run.
    retries: int = 10
    tries: int = 3
    #: Hosts asked at the same time.
    lanes: int = 8
    #: Disk that is left free.
    reserve_bytes: int = 1_000_000_000
    clock: Callable[[], float] = time.time
    jitter: Callable[[], float] = random.random

    def backoff_s(self, attempt: int) -> Seconds:
        """Seconds to wait after failed attempt 1, 2, ...: 2, 4, 8 ... up to 300, half of it by chance.

        No pause at all where `pause_s` is 0.
        """
        if not self.pause_s:
            return 0.0
        return float(min(300.0, 2.0 ** min(attempt, 10)) * (0.5 + 0.5 * self.jitter()))

    def between_s(self) -> Seconds:
        """Seconds between two recordings of one host: `pause_s`, up to half as much again by chance."""
        return self.pause_s * (1 + 0.5 * self.jitter())


@dataclass(frozen=True, slots=True)
class Rest:
    """A host is left alone until this time (seconds since 1970); `strikes` counts its refusals in a row."""

    until: float
    strikes: int


def manners_of(settings: StudySettings) -> Manners:
    """What study.toml says in `allow_private_hosts` and [fetch]."""
    fetch = settings.fetch
    return Manners(
        allow_private=settings.allow_private_hosts,
        largest_bytes=int(fetch.max_size_gb * 1e9),
        longest_s=fetch.max_duration_h * 3600,
        fetch_s=fetch.timeout_h * 3600,
        pause_s=fetch.pause_s,
        rest_s=fetch.cooldown_min * 60,
        reserve_bytes=int(fetch.reserve_gb * 1e9),
    )
