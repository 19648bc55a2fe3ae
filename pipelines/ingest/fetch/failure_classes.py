"""What yt-dlp's exceptions mean, as one sentence with a class each."""

import errno
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from yt_dlp.networking.exceptions import CertificateVerifyError, HTTPError, TransportError
from yt_dlp.utils import ContentTooShortError, GeoRestrictedError, UnsupportedError, UserNotLive, YoutubeDLError

from pipelines.errors import FailureClass, MediaError
from pipelines.ingest.failures import TooManyRequests, disk_full
from pipelines.ingest.fetch.fetch_policy import LONGEST_REST_S
from pipelines.units import Seconds


class Refused(YoutubeDLError):  # type: ignore[misc]  # yt-dlp has no types
    """A refusal of ours, on its way out through yt-dlp."""

    def __init__(self, error: MediaError) -> None:
        super().__init__(error.reason)
        self.error = error


@dataclass(frozen=True, slots=True)
class _Words:
    """What sites say in words only, through extractors that know no class for it."""

    pattern: str
    reason_code: str
    reason: str
    failure: FailureClass


#: First match counts. The words are those of yt-dlp's own extractors, read from its source and not from live sites.
_WORDS = (
    _Words(
        r"got error: (?!.*more expected).*giving up after|fragment.* not found|unable to download fragment",
        "pieces_missing",
        "a piece of the stream could not be fetched, and no hole is left in a recording; ingest again to go on",
        "retry",
    ),
    _Words(
        r"no connection adapters|unsupported url scheme|unknown url type", "bad_address",
        "leads to something else than http or https, which is not fetched", "gone",
    ),
    _Words(r"drm", "drm", "is protected by DRM, which is never gone round", "gone"),
    _Words(
        r"not a bot|captcha|unusual traffic|rate.?limit",
        "bot_check",
        "the site asks whether a person is there",
        "defer",
    ),
    _Words(r"\bage\b", "age_gate", "is behind an age gate; it needs an account of your own with the site", "fix"),
    _Words(
        r"(java ?script|js) runtime|challenge solv|only images are available",
        "runtime_missing",
        "yt-dlp needs a JavaScript runtime for this site; install deno (see 'workbench doctor')",
        "fix",
    ),
    _Words(
        r"members.only|subscriber|join this channel|premium|purchase|rental",
        "members_only",
        "is for members or subscribers of the site only",
        "fix",
    ),
    _Words(r"private", "private", "is private, says the site; ask its owner", "gone"),
    _Words(
        r"log ?in|sign in|registered users|account|cookies|password",
        "needs_account",
        "can be had only with an account of the site; download it yourself and ingest the file",
        "fix",
    ),
    _Words(
        r"geo.?restrict|your (country|location|region)|blocked it in", "geo_blocked",
        "may not be seen from this country, says the site; nothing here goes round that", "gone",
    ),
    _Words(r"will begin|premieres|upcoming|has not started|not started yet", "live", "has not begun yet", "defer"),
    _Words(r"no (video|audio) formats|requested format is not available", "no_audio", "has no sound to fetch", "gone"),
    _Words(
        r"removed|deleted|terminated|no longer available|unavailable|does not exist|not available",
        "not_found", "is no longer there, says the site", "gone",
    ),
    _Words(
        r"bytes read, \d+ more expected", "broken_off", "broke off before its end; ingest again to go on", "retry"
    ),
    _Words(r"did not get any data", "empty", "the server gives a file of 0 bytes", "gone"),
)  # fmt: skip


def sentence(url: str, error: YoutubeDLError) -> MediaError:
    """`error` as a MediaError: by the first cause of a known type, else by its words."""
    for cause in _causes(error):
        for kind, describe in _BY_TYPE:
            if isinstance(cause, kind):
                known = describe(url, cause)
                if known is not None:
                    return known
    return _by_words(url, _plain(error))


def _by_words(url: str, plain: str) -> MediaError:
    if f"Errno {errno.ENOSPC}" in plain:
        return disk_full(url)
    for words in _WORDS:
        if re.search(words.pattern, plain.replace(url, ""), re.IGNORECASE):
            said = f"{url}: {words.reason}"
            if words.reason_code == "bot_check":
                return TooManyRequests("bot_check", f"{said}; it rests for a while", None)
            return MediaError(words.reason_code, said, words.failure)
    return MediaError("site_error", f"{url}: {plain}", "retry")


def _http_status(url: str, cause: HTTPError) -> MediaError:
    cause.close()  # yt-dlp leaves the refused answer open
    return _status(url, int(cause.status), cause.response.get_header("Retry-After"))


def _geo_blocked(url: str, cause: GeoRestrictedError) -> MediaError:
    where = f"; it may be in {', '.join(cause.countries)}" if cause.countries else ""
    reason = f"{url}: may not be seen from this country, says the site{where}; nothing here goes round that"
    return MediaError("geo_blocked", reason, "gone")


def _not_live(url: str, _: Exception) -> MediaError:
    return MediaError("not_live", f"{url}: is a live stream that is not running; give it when it has ended", "defer")


def _web_page(url: str, _: Exception) -> MediaError:
    reason = f"{url}: is a web page, not a recording; give the address of the recording itself"
    return MediaError("web_page", reason, "gone")


def _broken_off(url: str, _: Exception) -> MediaError:
    return MediaError("broken_off", f"{url}: broke off before its end; ingest again to go on", "retry")


def _no_space(url: str, cause: OSError) -> MediaError | None:
    return disk_full(url) if cause.errno in (errno.ENOSPC, errno.EDQUOT) else None


def _bad_certificate(url: str, cause: Exception) -> MediaError:
    return MediaError(
        "bad_certificate",
        f"{url}: the server's certificate cannot be trusted ({_plain(cause)}); it may not be who it says it is",
        "fix",
    )


def _transport(url: str, cause: Exception) -> MediaError:
    if re.search(r"incomplete ?read|bytes (read|expected)|broken", str(cause), re.IGNORECASE):
        return _broken_off(url, cause)
    return MediaError("unreachable", f"{url}: cannot be reached ({_plain(cause)}); try again later", "retry")


#: What an exception of each type means, asked in this order; None where it means nothing by itself.
_BY_TYPE: tuple[tuple[type[BaseException], Callable[[str, Any], MediaError | None]], ...] = (
    (Refused, lambda url, cause: told(url, cause.error)),
    (HTTPError, _http_status),
    (GeoRestrictedError, _geo_blocked),
    (UserNotLive, _not_live),
    (UnsupportedError, _web_page),
    (ContentTooShortError, _broken_off),
    (OSError, _no_space),
    (CertificateVerifyError, _bad_certificate),
    (TransportError, _transport),
)


def told(url: str, error: MediaError) -> MediaError:
    """The same refusal, with the address that it is about in front."""
    if url not in error.reason:
        error.reason = f"{url}: {error.reason}"
        error.args = (error.reason,)
    return error


def _status(url: str, status: int, retry_after: str | None) -> MediaError:
    if status in (404, 410):
        return MediaError("not_found", f"{url}: is not there (the server says {status}); check the address", "gone")
    if status == 429:
        return TooManyRequests("too_many_requests", f"{url}: the server asks for a rest (429)", _rest_s(retry_after))
    if status in (401, 403):
        return MediaError("refused", f"{url}: the server refuses it (it says {status}); it may need an account", "gone")
    return MediaError(
        "server_error", f"{url}: the server could not give it (it says {status}); try again later", "retry"
    )


def _rest_s(retry_after: str | None) -> Seconds | None:
    """Seconds of a Retry-After in either form of RFC 9110, section 10.2.3; None where it says nothing sensible."""
    text = (retry_after or "").strip()
    if text.isdecimal():
        return min(float(text), LONGEST_REST_S)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the second for an offset of more seconds than a time may have
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (until - datetime.now(UTC)).total_seconds()), LONGEST_REST_S)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is None or one in seen:
            continue
        seen.append(one)
        yield one
        held = getattr(one, "exc_info", None)
        waiting += [held[1] if held else None, getattr(one, "cause", None), one.__cause__, one.__context__]


def _plain(error: BaseException) -> str:
    text = str(error).removeprefix("ERROR: ").split("; please report this issue")[0].split(" (caused by")[0]
    return " ".join(text.split())[:300]
