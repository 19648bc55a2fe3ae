"""Fetching whole recordings with yt-dlp as a library, its traps closed.

No ranges (they start at a cue, seconds early), no fixup (it rewrites the server's bytes), no silent holes in fragmented
audio, no success without a file; titles never become paths; a part of a file is never taken for the whole, and never
continued with bytes of another edition.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from yt_dlp.utils import DownloadCancelled

from pipelines.atomic_write import write_json
from pipelines.errors import Cancelled, MediaError
from pipelines.ingest.fetch.failure_classes import Refused
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.fetch.format_selection import SOUND
from pipelines.ingest.fetch.ytdlp import opened
from pipelines.units import Seconds, SourceId

#: Bytes done, bytes in all or None.
Tell = Callable[[float, float | None], None]

#: Looks at yt-dlp's description of a recording before its body is asked for; raises MediaError to have it left.
Judge = Callable[[Mapping[str, Any]], None]


_SAID = {
    "title": "title", "uploader": "uploader", "uploader_id": "uploader_id", "licence": "license",
    "extractor": "extractor", "extractor_id": "id", "availability": "availability", "live_status": "live_status",
    "format_id": "format_id",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fetched:
    """A recording in the folder of partial files, whole, and what the site said about it, by column of sources.csv.

    `duration_s`: as the site has it, where it tells.
    """

    path: Path
    facts: Mapping[str, str]
    duration_s: Seconds | None = None


def fetch(
    url: str,
    source_id: SourceId,
    partial: Path,
    *,
    manners: Manners,
    tell: Tell,
    judge: Judge | None = None,
    formats: str = SOUND,
    stop: threading.Event | None = None,
) -> Fetched:
    """Bring what `formats` chooses of `url` to `partial`/<source_id>.<ext>; a part left by an earlier try is continued
    where the server proves that it is still the same file, else begun anew.

    Raises MediaError (not_found, refused, too_many_requests, web_page, playlist, unreachable, private_host, too_big,
    too_slow, disk_full, ...), and Cancelled out of `tell`. `stop` ends pauses between tries.
    """
    partial.mkdir(parents=True, exist_ok=True)
    parts = _Parts(partial, source_id)
    stopped: list[Cancelled] = []

    def hook(state: Mapping[str, Any]) -> None:
        done = float(state.get("downloaded_bytes") or 0)
        if max(done, float(state.get("total_bytes") or 0)) > manners.largest_bytes:
            raise Refused(_too_big(manners))
        try:
            tell(done, state.get("total_bytes"))
        except Cancelled as error:
            stopped.append(error)
            raise DownloadCancelled("stopped") from None

    try:
        with opened(url, manners, {"progress_hooks": [hook], "format": formats}, stop) as (site, proxy):

            def before(info: Mapping[str, Any]) -> None:
                if judge is not None:
                    try:
                        judge(info)
                    except MediaError as error:
                        raise Refused(error) from None
                parts.begin(info)
                proxy.allow(
                    largest=2 * manners.largest_bytes + manners.metadata_bytes,
                    seconds=manners.fetch_s,
                    slow_s=manners.slow_s,
                    least=manners.slow_bytes_per_s,
                )

            site.stem = str(partial / source_id)
            site.before, site.asking, site.answered = before, parts.asking, parts.answered
            info = site.extract_info(url, download=True)
    except DownloadCancelled:
        raise (stopped[0] if stopped else Cancelled("stopped")) from None
    except MediaError as error:
        if error.failure == "gone" or error.reason_code == "too_big" or not parts.can_go_on:
            parts.remove()
        raise
    got = _taken(url, info)
    parts.forget()
    return got


class _Parts:
    """The half-fetched file of one source, and the marks by which its server tells one edition from another."""

    def __init__(self, partial: Path, source_id: SourceId) -> None:
        self._folder = partial
        self._name = source_id
        self._note = partial / f"{source_id}.mark"
        self._marks: Mapping[str, str] = {}
        self._format = ""
        self._url = ""

    @property
    def can_go_on(self) -> bool:
        """Whether the server told its edition apart, so that a later run may ask for the rest."""
        return bool(self._read())

    def begin(self, info: Mapping[str, Any]) -> None:
        """Keep what can be continued, and nothing else."""
        self._url = str(info.get("url") or "") if not info.get("fragments") else ""
        self._format = str(info.get("format_id") or "")
        found = self._read()
        if not found or found.get("format_id") != self._format or not str(info.get("protocol")).startswith("http"):
            self.remove()
        self._marks = self._read()

    def asking(self, request: Any) -> None:
        """Say of which edition a rest is wanted; a server that has another one sends it whole."""
        mark = self._marks.get("etag") or self._marks.get("modified")
        if mark and not mark.startswith("W/") and "Range" in request.headers and request.url == self._url:
            request.headers["If-Range"] = mark

    def answered(self, request: Any, response: Any) -> None:
        """Compare the edition that is sent with the one that was begun; note the one that is begun now."""
        if not self._url or getattr(request, "url", "") != self._url:
            return
        new = _marks(response, self._format)
        if response.status == 206 and request.headers.get("Range") not in (None, "bytes=0-"):
            if any(self._marks.get(name) != new[name] for name in ("etag", "modified", "total")):
                self.remove()
                self._marks = {}
                raise Refused(MediaError("changed_within", "was changed while it was being fetched", "retry"))
            return
        self._marks = new
        if new["etag"] or new["modified"]:
            write_json(self._note, new)
        else:
            self._note.unlink(missing_ok=True)

    def remove(self) -> None:
        """Take away every part."""
        for file in self._folder.glob(f"{self._name}.*"):
            file.unlink(missing_ok=True)

    def forget(self) -> None:
        self._note.unlink(missing_ok=True)

    def _read(self) -> Mapping[str, str]:
        try:
            found = json.loads(self._note.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _marks(response: Any, format_id: str) -> dict[str, str]:
    def header(name: str) -> str:
        return str(response.headers.get(name) or "")

    total = header("Content-Range").rpartition("/")[2] if response.status == 206 else header("Content-Length")
    return {"etag": header("ETag"), "modified": header("Last-Modified"), "total": total, "format_id": format_id}


def _taken(url: str, info: Mapping[str, Any] | None) -> Fetched:
    if info is None or info.get("_type") in ("playlist", "multi_video"):
        raise MediaError(
            "playlist",
            f"{url}: is a list of recordings; give the address of each, or a sources.csv with one per row",
            "gone",
        )
    downloads = info.get("requested_downloads") or []
    file = Path(str(downloads[0]["filepath"])) if len(downloads) == 1 and downloads[0].get("filepath") else None
    if file is None or not file.is_file():
        raise MediaError("no_file", f"{url}: the site gave no file, and no reason; try again later", "retry")
    length = info.get("duration")
    return Fetched(file, _facts(info), float(length) if isinstance(length, int | float) else None)


def _facts(info: Mapping[str, Any]) -> dict[str, str]:
    """Cells of sources.csv. Of the stream's own address only three numbers: the rest of it names who asked."""
    facts = {column: " ".join(str(info[key]).split()) for column, key in _SAID.items() if info.get(key)}
    if re.fullmatch(r"\d{8}", day := str(info.get("upload_date"))):
        facts["upload_date"] = f"{day[:4]}-{day[4:6]}-{day[6:]}"
    rate = info.get("abr") or info.get("tbr")
    if isinstance(rate, int | float):
        facts["bitrate_bps"] = str(round(rate * 1000))
    asked = parse_qs(urlsplit(str(info.get("url") or "")).query)
    for column, key in (("stream_clen", "clen"), ("stream_dur_s", "dur"), ("stream_lmt_us", "lmt")):
        if re.fullmatch(r"\d+(\.\d+)?", told := asked.get(key, [""])[0]):
            facts[column] = told
    return {**facts, "ytdlp_version": version("yt-dlp")}


def _too_big(manners: Manners) -> MediaError:
    return MediaError(
        "too_big",
        f"is larger than {manners.largest_bytes / 1e9:g} GB, the most that one recording may have (max_size_gb in "
        "[fetch] of study.toml)",
        "fix",
    )
