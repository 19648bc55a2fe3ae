"""The clips of a shared manifest held against recordings, and made again from them: each recording is decoded once."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.atomic_write import write_text
from pipelines.errors import ConfigError, DataError, MediaError
from pipelines.execution.process_pool import Failed, WorkerCrashed, run_each
from pipelines.ingest.fetch.format_selection import sound_formats
from pipelines.ingest.reproduce.clip_checks import Check, check_of, checks_file, read_checks, read_pcm16, write_checks
from pipelines.ingest.reproduce.locate_sources import find_media
from pipelines.ingest.reproduce.verify import Examined, Finding, Level, SourceTask, compare_file, counts, examine, moved
from pipelines.ingest.sources import Source, read_sources
from pipelines.manifest import read_clips, table_to_csv, write_clips
from pipelines.progress import Progress, Report, silent
from pipelines.schema import Clip
from pipelines.study import StudySettings
from pipelines.units import ClipId, SourceId

MOVES = (
    "old_clip_id", "new_clip_id", "source_id", "level", "offset_samples", "old_start_sample", "new_start_sample",
    "rate_hz", "snr_db", "old_pcm_sha256", "new_pcm_sha256", "source_sha256",
)  # fmt: skip

#: Brings the recording of a source from its address to this machine; raises MediaError.
Fetch = Callable[[Source, Callable[[float, float | None], None]], Path]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A shared table of clips with all that is needed to check it."""

    path: Path
    clips: tuple[Clip, ...]
    sources: Mapping[SourceId, Source]


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of every clip, in the manifest's order. `editions`: checksums now of sources that changed."""

    findings: tuple[Finding, ...]
    editions: Mapping[SourceId, str] = field(default_factory=dict)
    decoded: int = 0
    retimed: tuple[Path, ...] = ()

    @property
    def counts(self) -> dict[Level, int]:
        return counts(self.findings)

    @property
    def exit_code(self) -> int:
        """0 when every clip is exact or equivalent, 3 when some are not."""
        return 0 if all(one.is_same for one in self.findings) else 3

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "ok": self.exit_code == 0,
            "counts": self.counts,
            "sources_decoded": self.decoded,
            "other_editions": dict(self.editions),
            "shifts": shifts(self.findings),
            "retimed": [str(path) for path in self.retimed],
            "clips": [one.document() for one in self.findings],
        }


def open_manifest(path: Path) -> Manifest:
    """A clips.csv, or the folder that holds one, with the sources.csv beside it (for a release: of its study).

    Raises TableError, ConfigError when there is none.
    """
    file = path / "clips.csv" if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"{path}: holds no clips.csv; give a manifest, or the folder of a shared study")
    beside = [folder / "sources.csv" for folder in (file.parent, file.parent.parent.parent)]
    listed = next((table for table in beside if table.is_file()), None)
    if listed is None:
        raise ConfigError(f"{file}: there is no sources.csv beside it, so nobody can tell what it was cut from")
    sources = {source.source_id: source for source in read_sources(listed) if source.source_id}
    return Manifest(file, read_clips(file), sources)


def checks_of(manifest: Manifest) -> dict[ClipId, Check]:
    """The checks beside the manifest (for a release: of its study) that are of its very clips. Raises DataError."""
    places = (checks_file(manifest.path), manifest.path.parent.parent.parent / "clips_check.parquet")
    found = read_checks(next((place for place in places if place.is_file()), places[0]))
    return {
        clip.clip_id: found[clip.clip_id]
        for clip in manifest.clips
        if clip.clip_id in found and found[clip.clip_id].pcm_sha256 == clip.pcm_sha256
    }


def verify_files(manifest: Manifest, file_of: Callable[[ClipId], Path], report: Report = silent) -> Checked:
    """The clips' own files on this machine against what they were. Raises DataError for damaged checks."""
    checks = checks_of(manifest)
    findings = []
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as readers:
        work = readers.map(lambda one: compare_file(one, checks.get(one.clip_id), file_of(one.clip_id)), manifest.clips)
        for one in work:
            findings.append(one)
            report(Progress("clips", len(findings), len(manifest.clips)))
    return Checked(tuple(findings))


def verify_sources(
    manifest: Manifest,
    folders: Sequence[Path],
    scratch: Path,
    *,
    remembered: Mapping[SourceId, Path] | None = None,
    jobs: int | None = None,
    report: Report = silent,
) -> Checked:
    """Decode every recording that is at hand once and hold its clips against it; nothing is written.

    Raises ConfigError, DataError; Cancelled out of `report`.
    """
    found = find_media(manifest.sources.values(), folders, remembered)
    return _examined(manifest, found, {}, scratch, jobs=jobs, report=report)


def rebuild(
    manifest: Manifest,
    out: Path,
    folders: Sequence[Path],
    scratch: Path,
    *,
    suffix: str = "wav",
    remembered: Mapping[SourceId, Path] | None = None,
    fetch: Fetch | None = None,
    retime: bool = False,
    jobs: int | None = None,
    report: Report = silent,
) -> Checked:
    """Make the clips again in `out` from recordings in `folders`, or fetched; what is there already is not made again.

    Only exact and equivalent clips are written. With `retime` shifted ones are written under new ids, with a manifest
    NAME.retimed.csv, its checks, and the table NAME.moves.csv from old to new beside the old one, which stays.
    Raises ConfigError, DataError; Cancelled out of `report`.
    """
    checks = checks_of(manifest)
    there: dict[ClipId, Finding] = {}
    for clip in manifest.clips:
        one = compare_file(clip, checks.get(clip.clip_id), out / f"{clip.clip_id}.{suffix}")
        if one.is_same and not _withdrawn(manifest, clip):
            there[clip.clip_id] = one
    asked = {clip.source_id for clip in manifest.clips if clip.clip_id not in there}
    wanted = [source for name, source in sorted(manifest.sources.items()) if name in asked and not source.is_taken_down]
    found = find_media(wanted, folders, remembered)
    missing: dict[SourceId, str] = {}
    for source in wanted:
        if source.source_id not in found and source.is_url and fetch is not None:
            try:
                found[source.source_id] = fetch(source, _teller(report, source.source_id))
            except MediaError as error:
                missing[source.source_id] = error.reason
    done = _examined(
        manifest, found, missing, scratch, there=there, out=out, suffix=suffix, retime=retime, jobs=jobs, report=report
    )
    if not retime or all(one.is_same for one in done.findings):
        return done
    return replace(done, retimed=_write_retimed(manifest, done, out, suffix))


def shifts(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Runs of clips of a source that moved by the same offset: one piece each, in order."""
    pieces: list[dict[str, Any]] = []
    last: Finding | None = None
    for one in findings:
        if one.level != "shifted" or one.offset_samples is None:
            last = None if one.is_same else last
            continue
        if last and last.clip.source_id == one.clip.source_id and last.offset_samples == one.offset_samples:
            pieces[-1]["last_clip"] = one.clip.clip_id
            pieces[-1]["clips"] += 1
        else:
            piece = {
                "source_id": one.clip.source_id,
                "first_clip": one.clip.clip_id,
                "last_clip": one.clip.clip_id,
                "clips": 1,
                "offset_samples": one.offset_samples,
                "offset_s": round(one.offset_samples / one.clip.rate_hz, 6),
            }
            pieces.append(piece)
        last = one
    return pieces


def fetch_into(media: Path, settings: StudySettings) -> Fetch:
    """Fetches into the folder `media`, under the id of the source, within what the study allows."""

    def bring(source: Source, tell: Callable[[float, float | None], None]) -> Path:
        from pipelines.ingest.fetch.download import fetch
        from pipelines.ingest.fetch.fetch_policy import manners_of

        name = source.source_id
        formats = sound_formats(source.measured.get("format_id", ""), source.language or settings.language)
        got = fetch(source.uri, name, media / "partial", manners=manners_of(settings), tell=tell, formats=formats)
        target = media / f"{name}{got.path.suffix}"
        got.path.replace(target)
        return target

    return bring


def _examined(
    manifest: Manifest,
    found: Mapping[SourceId, Path],
    missing: Mapping[SourceId, str],
    scratch: Path,
    *,
    there: Mapping[ClipId, Finding] | None = None,
    out: Path | None = None,
    suffix: str = "wav",
    retime: bool = False,
    jobs: int | None,
    report: Report,
) -> Checked:
    checks = checks_of(manifest)
    known = dict(there or {})
    tasks: dict[str, SourceTask] = {}
    by_recording: dict[tuple[SourceId, int], list[Clip]] = {}
    for clip in manifest.clips:
        if clip.clip_id not in known:
            by_recording.setdefault((clip.source_id, clip.track), []).append(clip)
    for (name, track), clips in by_recording.items():
        source = manifest.sources.get(name)
        told = missing.get(name, f"the recording of source '{name}' is not here; give its folder with --media")
        if source is None or source.is_taken_down or name not in found:
            if source is None:
                told = f"source '{name}' is not in sources.csv"
            elif source.is_taken_down:
                told = f"source '{name}' was taken down"
            known |= {clip.clip_id: Finding(clip, "gone", told) for clip in clips}
            continue
        tasks[f"{name} {track}" if track else name] = SourceTask(
            source_id=name,
            path=found[name],
            clips=tuple(clips),
            checks={clip.clip_id: checks[clip.clip_id] for clip in clips if clip.clip_id in checks},
            sha256=source.measured.get("sha256", ""),
            scratch=scratch,
            out=out,
            suffix=suffix,
            retime=retime,
        )
    editions: dict[SourceId, str] = {}
    workers = min(jobs or os.cpu_count() or 1, max(1, len(tasks)))
    for key, outcome in run_each(examine, tasks, jobs=workers, stage="decode", report=report):
        task = tasks[key]
        if isinstance(outcome, Failed):
            told = _told(outcome.error)
            known |= {clip.clip_id: Finding(clip, "gone", told) for clip in task.clips}
        else:
            known |= {one.clip.clip_id: one for one in outcome.findings}
            editions |= _edition(task, outcome)
    return Checked(tuple(known[clip.clip_id] for clip in manifest.clips), editions, decoded=len(tasks))


def _edition(task: SourceTask, outcome: Examined) -> dict[SourceId, str]:
    return {task.source_id: outcome.sha256} if outcome.is_other_edition else {}


def _told(error: BaseException) -> str:
    if isinstance(error, MediaError):
        return error.reason
    if isinstance(error, WorkerCrashed):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}; see to the disk and try again"
    raise error


def _write_retimed(manifest: Manifest, done: Checked, out: Path, suffix: str) -> tuple[Path, ...]:
    beside = manifest.path
    retimed, moves = (beside.with_name(f"{beside.stem}.{word}.csv") for word in ("retimed", "moves"))
    pairs = [(one, moved(one)) for one in done.findings]
    rows = [
        {
            "old_clip_id": one.clip.clip_id,
            "new_clip_id": after.clip_id if after else "",
            "source_id": one.clip.source_id,
            "level": one.level,
            "offset_samples": 0 if one.is_same else one.offset_samples,
            "old_start_sample": one.clip.start_sample,
            "new_start_sample": after.start_sample if after else None,
            "rate_hz": one.clip.rate_hz,
            "snr_db": one.document()["snr_db"],
            "old_pcm_sha256": one.clip.pcm_sha256,
            "new_pcm_sha256": one.pcm_sha256 if after else "",
            "source_sha256": done.editions.get(one.clip.source_id, _listed(manifest, one.clip.source_id)),
        }
        for one, after in pairs
    ]
    clips = [after for _, after in pairs if after is not None]
    if len({clip.clip_id for clip in clips}) < len(clips):
        raise DataError(f"{beside.name}: two of its clips stand at one place in the new edition; nothing was re-timed")
    old = checks_of(manifest)
    checks = []
    for clip in sorted(clips, key=lambda one: (one.source_id, one.track, one.start_sample, one.clip_id)):
        same = old.get(clip.clip_id)
        if same is not None and same.pcm_sha256 == clip.pcm_sha256:
            checks.append(same)
        else:
            pcm, rate_hz = read_pcm16(out / f"{clip.clip_id}.{suffix}")
            checks.append(check_of(clip.clip_id, pcm, rate_hz))
    write_checks(checks_file(retimed), checks)
    write_text(moves, table_to_csv(MOVES, rows))
    write_clips(retimed, clips)
    return retimed, moves


def _listed(manifest: Manifest, name: SourceId) -> str:
    return manifest.sources[name].measured.get("sha256", "") if name in manifest.sources else ""


def _withdrawn(manifest: Manifest, clip: Clip) -> bool:
    source = manifest.sources.get(clip.source_id)
    return source is not None and source.is_taken_down


def _teller(report: Report, name: SourceId) -> Callable[[float, float | None], None]:
    return lambda done, total: report(Progress("fetch", done, total, name))
