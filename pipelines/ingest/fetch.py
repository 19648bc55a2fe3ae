"""Fetching whole recordings with yt-dlp as a library, its traps closed.

No ranges (they start at a cue, seconds early), no fixup (it rewrites the server's bytes), no silent holes in fragmented
audio, no success without a file; titles never become paths; a part of a file is never taken for the whole.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yt_dlp import YoutubeDL
from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import (
    ContentTooShortError,
    DownloadCancelled,
    GeoRestrictedError,
    UnsupportedError,
    UserNotLive,
    YoutubeDLError,
)

from pipelines.errors import Cancelled, MediaError
from pipelines.ingest.hosts import check_host
from pipelines.units import SourceId

#: Bytes done, bytes in all or None.
Tell = Callable[[float, float | None], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A recording on this machine, and what the site said about it, by column of sources.csv."""

    path: Path
    facts: Mapping[str, str]


def fetch(url: str, source_id: SourceId, media: Path, *, allow_private: bool, tell: Tell) -> Fetched:
    """Bring the best audio of `url` to `media`/<source_id>.<ext>; a part left by an earlier try is continued.

    Raises MediaError (not_found, refused, too_many_requests, web_page, playlist, unreachable, private_host, ...), and
    Cancelled out of `tell`.
    """
    partial = media / "partial"
    partial.mkdir(parents=True, exist_ok=True)
    stopped: list[Cancelled] = []

    def hook(state: Mapping[str, Any]) -> None:
        try:
            tell(float(state.get("downloaded_bytes") or 0), state.get("total_bytes"))
        except Cancelled as error:
            stopped.append(error)
            raise DownloadCancelled("stopped") from None

    options = {
        "format": "bestaudio/best",
        "outtmpl": {"default": _literal(partial / source_id) + ".%(ext)s"},
        "noplaylist": True,
        "extract_flat": "in_playlist",
        "fixup": "never",
        "postprocessors": [],
        "retries": 10,
        "fragment_retries": 10,
        "extractor_retries": 3,
        "skip_unavailable_fragments": False,
        "hls_prefer_native": True,
        "overwrites": False,
        "continuedl": True,
        "updatetime": False,
        "socket_timeout": 30,
        "cachedir": False,
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "color": "no_color",
        "logger": _Quiet(),
        "progress_hooks": [hook],
    }
    try:
        with _Guarded(options, allow_private) as site:
            info = site.extract_info(url, download=True)
    except DownloadCancelled:
        raise (stopped[0] if stopped else Cancelled("stopped")) from None
    except YoutubeDLError as error:
        raise _sentence(url, error) from None
    return _taken(url, info, source_id, media)


class _Guarded(YoutubeDL):  # type: ignore[misc]  # yt-dlp has no types
    """Looks at the host of every request before it is sent, and at where a redirect has led before it is used."""

    def __init__(self, options: Mapping[str, Any], allow_private: bool) -> None:
        self._allow_private = allow_private
        super().__init__(dict(options))

    def urlopen(self, request: Any) -> Any:
        address = request if isinstance(request, str) else getattr(request, "url", None) or request.full_url
        self._check(address)
        response = super().urlopen(request)
        try:
            self._check(response.url)
        except _Refused:
            response.close()
            raise
        return response

    def _check(self, address: str) -> None:
        try:
            check_host(address, self._allow_private)
        except MediaError as error:
            raise _Refused(error) from None


class _Refused(YoutubeDLError):  # type: ignore[misc]  # yt-dlp has no types
    def __init__(self, error: MediaError) -> None:
        super().__init__(error.reason)
        self.error = error


class _Quiet:
    def debug(self, _message: str) -> None: ...
    def info(self, _message: str) -> None: ...
    def warning(self, _message: str) -> None: ...
    def error(self, _message: str) -> None: ...


def _taken(url: str, info: Mapping[str, Any] | None, source_id: SourceId, media: Path) -> Fetched:
    if info is None or info.get("_type") in ("playlist", "multi_video"):
        raise MediaError(
            "playlist", f"{url}: is a list of recordings; give the address of each, or a sources.csv with one per row"
        )
    downloads = info.get("requested_downloads") or []
    file = Path(str(downloads[0]["filepath"])) if len(downloads) == 1 and downloads[0].get("filepath") else None
    if file is None or not file.is_file():
        raise MediaError("no_file", f"{url}: the site gave no file, and no reason; try again later", "retry")
    target = media / f"{source_id}{file.suffix}"
    file.replace(target)
    names = {"title": "title", "extractor": "extractor", "extractor_id": "id", "format_id": "format_id"}
    return Fetched(target, {column: str(info[key]) for column, key in names.items() if info.get(key)})


def _literal(path: Path) -> str:
    """A path in yt-dlp's output template, where % and $ have a meaning."""
    return str(path).replace("%", "%%").replace("$", "$$")


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


def _sentence(url: str, error: YoutubeDLError) -> MediaError:
    for cause in _causes(error):
        if isinstance(cause, _Refused):
            return cause.error
        if isinstance(cause, HTTPError):
            cause.close()  # yt-dlp leaves the refused answer open
            return _status(url, int(cause.status))
        if isinstance(cause, GeoRestrictedError):
            return MediaError("geo_blocked", f"{url}: may not be seen from this country, says the site", "gone")
        if isinstance(cause, UserNotLive):
            return MediaError(
                "not_live", f"{url}: is a live stream that is not running; give it when it has ended", "defer"
            )
        if isinstance(cause, UnsupportedError):
            return MediaError(
                "web_page", f"{url}: is a web page, not a recording; give the address of the recording itself", "gone"
            )
        if isinstance(cause, ContentTooShortError):
            return MediaError("broken_off", f"{url}: broke off before its end; ingest again to go on", "retry")
        if isinstance(cause, TransportError):
            return MediaError("unreachable", f"{url}: cannot be reached ({_plain(cause)}); try again later", "retry")
    return MediaError("site_error", f"{url}: {_plain(error)}", "retry")


def _status(url: str, status: int) -> MediaError:
    if status in (404, 410):
        return MediaError("not_found", f"{url}: is not there (the server says {status}); check the address", "gone")
    if status == 429:
        return MediaError(
            "too_many_requests", f"{url}: the server asks for a rest (429); try again in an hour", "defer"
        )
    if status in (401, 403):
        return MediaError("refused", f"{url}: the server refuses it (it says {status}); it may need an account", "gone")
    return MediaError(
        "server_error", f"{url}: the server could not give it (it says {status}); try again later", "retry"
    )


def _plain(error: BaseException) -> str:
    text = str(error).removeprefix("ERROR: ").split("; please report this issue")[0].split(" (caused by")[0]
    return " ".join(text.split())[:300]
