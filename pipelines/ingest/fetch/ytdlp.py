"""yt-dlp as a library, held to http and https, to one proxy of ours, and to its own downloaders."""

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

from yt_dlp import YoutubeDL
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import DownloadCancelled, YoutubeDLError

from pipelines.errors import MediaError
from pipelines.ingest.fetch.failure_classes import Refused, sentence, told
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.fetch.filtering_proxy import FilteringProxy
from pipelines.ingest.fetch.format_selection import SOUND
from pipelines.units import Seconds

#: Downloaders of yt-dlp itself, whose requests go through the proxy; others start programs of their own.
PROTOCOLS = frozenset(("http", "https", "m3u8", "m3u8_native", "http_dash_segments", "http_dash_segments_generator"))

#: Answers that are left open at once: who asks again and again has read the first long ago.
_MOST_UNREAD = 20

#: Called with the answer to every request, before a byte of its body is read.
Answered = Callable[[Any, Any], None]


class Site(YoutubeDL):  # type: ignore[misc]  # yt-dlp has no types
    """One YoutubeDL for one recording. `before` sees what will be fetched, `asking` and `answered` every request.

    `extra` extractors come before those of yt-dlp.
    """

    extra: ClassVar[tuple[Any, ...]] = ()

    def __init__(self, proxy: FilteringProxy, options: Mapping[str, Any]) -> None:
        self._proxy = proxy
        self.stem = ""
        self.before: Callable[[Mapping[str, Any]], None] = lambda _info: None
        self.asking: Callable[[Any], None] = lambda _request: None
        self.answered: Answered = lambda _request, _response: None
        self.log = _Quiet()
        self._unread: list[Any] = []
        super().__init__({**_OPTIONS, "proxy": proxy.url, "logger": self.log, **options}, auto_init=False)
        for extractor in self.extra:
            self.add_info_extractor(extractor())
        self.add_default_info_extractors()

    def urlopen(self, request: Any) -> Any:
        address = request if isinstance(request, str) else getattr(request, "url", None) or request.full_url
        self._check(address)
        if not isinstance(request, str):
            self.asking(request)
        try:
            response = super().urlopen(request)
        except HTTPError as error:
            self._keep(error.response)
            raise
        self._keep(response)
        try:
            self._check(response.url)
            self.answered(request, response)
        except Refused:
            response.close()
            raise
        return response

    def close(self) -> None:
        """End also the answers that nobody read to their end: yt-dlp closes none whose status is an error."""
        try:
            for response in self._unread:
                response.close()
        finally:
            super().close()

    def prepare_filename(self, info_dict: Mapping[str, Any], *_further: Any, **_options: Any) -> str:
        """Where the file goes: never a template, in which %, $ and ~ of a folder's name would have a meaning."""
        ending = str(info_dict.get("ext"))
        return f"{self.stem}.{ending if re.fullmatch(r'[a-z0-9]{1,8}', ending) else 'bin'}"

    def process_info(self, info_dict: dict[str, Any]) -> Any:
        parts = info_dict.get("requested_formats") or [info_dict]
        for part in parts:
            protocol = str(part.get("protocol") or "http")
            if protocol not in PROTOCOLS:
                raise Refused(MediaError("bad_protocol", f"is sent by {protocol}, which is not fetched here", "gone"))
        self.before(info_dict)
        return super().process_info(info_dict)

    def _keep(self, response: Any) -> None:
        left = [one for one in self._unread if not one.closed]
        for old in left[:-_MOST_UNREAD]:
            old.close()
        self._unread = [*left[-_MOST_UNREAD:], response]

    def _check(self, address: str) -> None:
        if self._proxy.refused is not None:
            raise Refused(self._proxy.refused)
        if not str(address).lower().startswith(("http://", "https://")):
            raise Refused(
                MediaError("bad_address", f"leads to '{str(address)[:200]}': only http and https are fetched", "gone")
            )


@contextmanager
def opened(
    url: str, manners: Manners, options: Mapping[str, Any], stop: threading.Event | None = None
) -> Iterator[tuple[Site, FilteringProxy]]:
    """A Site behind a proxy of its own. Errors of yt-dlp come out as MediaError with a sentence about `url`."""
    stop = stop or threading.Event()
    warnings: list[str] = []
    with FilteringProxy(manners.allow_private, stop=stop) as proxy:
        proxy.allow(largest=manners.metadata_bytes, seconds=manners.metadata_s)

        def rest(n: int) -> Seconds:
            seconds = manners.backoff_s(n)
            proxy.resting(seconds)
            stop.wait(seconds)
            return 0.0

        waits = dict.fromkeys(("http", "fragment", "extractor", "file_access"), rest)
        try:
            with Site(proxy, {"retries": manners.retries, "fragment_retries": manners.retries,
                              "retry_sleep_functions": waits, **options}) as site:  # fmt: skip
                warnings = site.log.warnings
                yield site, proxy
        except DownloadCancelled:
            raise
        except YoutubeDLError as error:
            raise _cause(url, error, proxy, warnings) from None


def _cause(url: str, error: YoutubeDLError, proxy: FilteringProxy, warnings: Sequence[str]) -> MediaError:
    found = sentence(url, error)
    if found.reason_code == "no_audio" and any(_RUNTIME.search(warning) for warning in warnings):
        return MediaError(
            "runtime_missing",
            f"{url}: yt-dlp needs a JavaScript runtime for this site; install deno (see 'workbench doctor')",
            "fix",
        )
    if proxy.refused is not None:
        return told(url, proxy.refused)
    if found.reason_code == "unreachable" and proxy.unreachable is not None:
        return told(url, proxy.unreachable)
    return found


class _Quiet:
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def debug(self, _message: str) -> None: ...
    def info(self, _message: str) -> None: ...
    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def error(self, _message: str) -> None: ...


_RUNTIME = re.compile(r"java ?script runtime|js runtime|challenge|only images are available", re.IGNORECASE)

_OPTIONS: Mapping[str, Any] = {
    "format": SOUND,
    "noplaylist": True,
    "extract_flat": "in_playlist",
    "fixup": "never",
    "postprocessors": [],
    "extractor_retries": 1,
    "skip_unavailable_fragments": False,
    "hls_prefer_native": True,
    # A program that opens connections of its own would go past the proxy.
    "external_downloader": {"default": "native"},
    "ffmpeg_location": "/nonexistent",
    "overwrites": False,
    "continuedl": True,
    "updatetime": False,
    "socket_timeout": 30,
    "cachedir": False,
    "quiet": True,
    "no_warnings": True,
    "noprogress": True,
    "color": "no_color",
}
