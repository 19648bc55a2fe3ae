"""What a site says of a recording before a byte of it is fetched, and whether it will be: accept, defer or reject."""

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pipelines.errors import FailureClass, MediaError
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.units import Seconds

Verdict = Literal["accept", "defer", "reject"]

#: Where the site tells only one of length and size, the other is reckoned at this many bytes a second (128 kbit/s).
BYTES_PER_S = 16_000
#: What clips and scratch files take at most, per second of sound: 48 kHz, 16 bit, twice.
DISK_PER_S = 192_000
#: Assumed, not measured, for the estimate of time: bytes fetched a second, seconds of sound analysed a second.
FETCH_PER_S = 2_000_000
ANALYSE_PER_S = 100

_ACCOUNT = "download it yourself and ingest the file, if its terms allow that"
_BY_AVAILABILITY: Mapping[str, tuple[str, str, FailureClass]] = {
    "private": ("private", "is private, says the site; ask its owner", "gone"),
    "needs_auth": ("needs_account", f"can be had only with an account of the site; {_ACCOUNT}", "fix"),
    "premium_only": ("members_only", f"is for members of the site only; {_ACCOUNT}", "fix"),
    "subscriber_only": ("members_only", f"is for subscribers of the site only; {_ACCOUNT}", "fix"),
}
_BY_LIVE_STATUS: Mapping[str, str] = {
    "is_live": "is a live stream that is running; give it when it has ended",
    "is_upcoming": "is a live stream that has not begun; give it when it has ended",
    "post_live": "is a live stream that is still being made ready; try again later",
}


@dataclass(frozen=True, slots=True)
class Outlook:
    """One recording before it is fetched. `size_bytes` and `duration_s` are None where the site does not tell them."""

    verdict: Verdict
    reason_code: str = ""
    reason: str = ""
    failure: str = ""
    duration_s: Seconds | None = None
    size_bytes: int | None = None
    extractor: str = ""
    extractor_id: str = ""
    format_id: str = ""

    @property
    def media_bytes(self) -> int:
        """Size of the file, reckoned from its length where it is not told."""
        return self.size_bytes if self.size_bytes is not None else int((self.duration_s or 0) * BYTES_PER_S)

    @property
    def sound_s(self) -> Seconds:
        """Length, reckoned from the size where it is not told."""
        return self.duration_s if self.duration_s is not None else (self.size_bytes or 0) / BYTES_PER_S

    @property
    def disk_bytes(self) -> int:
        """What the file, its clips and the scratch files may take."""
        return self.media_bytes + int(self.sound_s * DISK_PER_S)

    def text(self) -> str:
        """As JSON, for the queue."""
        return json.dumps(asdict(self), sort_keys=True)


def outlook_of(text: str) -> Outlook:
    """The inverse of `Outlook.text`."""
    return Outlook(**json.loads(text))


def refused(error: MediaError) -> Outlook:
    """The outlook of a recording that will not be fetched now."""
    verdict: Verdict = "defer" if error.failure in ("defer", "retry") else "reject"
    return Outlook(verdict, error.reason_code, error.reason, error.failure)


def look(url: str, manners: Manners, shortest_s: Seconds, stop: threading.Event | None = None) -> Outlook:
    """Ask the site about `url`, once, and fetch nothing; `stop` ends the waiting for an answer, and pauses.

    Raises MediaError for what cannot or will not be fetched, or was stopped.
    """
    from pipelines.ingest.fetch.ytdlp import opened

    sizes: dict[str, int] = {}

    def answered(_request: Any, response: Any) -> None:
        size = str(response.headers.get("Content-Length") or "")
        if size.isdecimal():
            sizes[str(response.url)] = int(size)

    with opened(url, manners, {}, stop) as (site, _proxy):
        site.answered = answered
        info = site.extract_info(url, download=False)
    judge(url, info or {}, manners, shortest_s)
    size = _whole(info, "filesize") or _whole(info, "filesize_approx") or sizes.get(str(info.get("url")))
    if size is not None and size > manners.largest_bytes:
        raise _too_big(url, size, manners)
    length = info.get("duration")
    known = [
        "length not told" if length is None else f"{length / 60:.1f} min",
        "size not told" if size is None else f"{size / 1e6:.1f} MB",
    ]
    return Outlook(
        verdict="accept",
        reason=f"{url}: can be fetched ({', '.join(known)})",
        duration_s=None if length is None else float(length),
        size_bytes=size,
        extractor=str(info.get("extractor") or ""),
        extractor_id=str(info.get("id") or ""),
        format_id=str(info.get("format_id") or ""),
    )


def judge(url: str, info: Mapping[str, Any], manners: Manners, shortest_s: Seconds) -> None:
    """Raise MediaError where what the site says speaks against fetching. `shortest_s`: length of one clip."""
    if not info or info.get("_type") in ("playlist", "multi_video"):
        raise MediaError(
            "playlist",
            f"{url}: is a list of recordings; give the address of each, or a sources.csv with one per row",
            "gone",
        )
    closed = _BY_AVAILABILITY.get(str(info.get("availability")))
    if closed is not None:
        raise MediaError(closed[0], f"{url}: {closed[1]}", closed[2])
    live = _BY_LIVE_STATUS.get("is_live" if info.get("is_live") else str(info.get("live_status")))
    if live is not None:
        raise MediaError("live", f"{url}: {live}", "defer")
    if info.get("has_drm") is True:
        raise MediaError("drm", f"{url}: is protected by DRM, which is never gone round", "gone")
    if info.get("acodec") == "none":
        raise MediaError("no_audio", f"{url}: has no sound", "gone")
    length = info.get("duration")
    if length is not None and length < shortest_s - 0.1:
        raise MediaError("too_short", f"{url}: lasts {length:g} s; one clip needs {shortest_s:g} s", "gone")
    if length is not None and length > manners.longest_s:
        raise MediaError(
            "too_long",
            f"{url}: lasts {length / 3600:.1f} h, more than {manners.longest_s / 3600:g} h; if that is meant, raise "
            "max_duration_h in [fetch] of study.toml",
            "fix",
        )
    size = _whole(info, "filesize")
    if size is not None and size > manners.largest_bytes:
        raise _too_big(url, size, manners)


def _too_big(url: str, size: int, manners: Manners) -> MediaError:
    return MediaError(
        "too_big",
        f"{url}: has {size / 1e9:.3g} GB, more than {manners.largest_bytes / 1e9:g} GB; if that is meant, raise "
        "max_size_gb in [fetch] of study.toml",
        "fix",
    )


def _whole(info: Mapping[str, Any], key: str) -> int | None:
    value = info.get(key)
    return int(value) if isinstance(value, int | float) else None
