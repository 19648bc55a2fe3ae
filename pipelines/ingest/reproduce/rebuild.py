"""Rebuild or verify the clips of a shared manifest from recordings: each recording is decoded once."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pipelines.atomic_write import write_text
from pipelines.errors import DataError, MediaError
from pipelines.execution.process_pool import Failed, OnProgress, WorkerCrashed, run_each
from pipelines.ingest.fetch.format_selection import sound_formats
from pipelines.ingest.reproduce.clip_checks import (
    checks_path,
    make_check,
    read_pcm16,
    write_checks,
)
from pipelines.ingest.reproduce.locate_sources import locate_recordings
from pipelines.ingest.reproduce.shared_manifest import SharedManifest, manifest_checks
from pipelines.ingest.reproduce.verify import (
    Finding,
    Level,
    VerifyTask,
    compare_file,
    count_levels,
    relocated_clip,
    verify_source,
)
from pipelines.ingest.sources import Source
from pipelines.manifest import table_to_csv, write_clips
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.schema import Clip
from pipelines.study import StudySettings
from pipelines.units import ClipId, SourceId

MOVES_COLUMNS = (
    "old_clip_id", "new_clip_id", "source_id", "level", "offset_samples", "old_start_sample", "new_start_sample",
    "rate_hz", "snr_db", "old_pcm_sha256", "new_pcm_sha256", "source_sha256",
)  # fmt: skip

#: Downloads the recording of a source to this machine; raises MediaError.
FetchSource = Callable[[Source, OnProgress], Path]


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """The findings of all clips, in the manifest's order. `editions`: checksums now of sources that changed."""

    findings: tuple[Finding, ...]
    editions: Mapping[SourceId, str] = field(default_factory=dict)
    decoded: int = 0
    retimed: tuple[Path, ...] = ()

    @property
    def counts(self) -> dict[Level, int]:
        return count_levels(self.findings)

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
            "shifts": shifted_runs(self.findings),
            "retimed": [str(path) for path in self.retimed],
            "clips": [one.document() for one in self.findings],
        }


def verify_files(
    manifest: SharedManifest, file_of: Callable[[ClipId], Path], report: ProgressCallback = ignore_progress
) -> VerificationReport:
    """Verify the clips' own files on this machine. Raises DataError for damaged checks."""
    checks = manifest_checks(manifest)
    findings = []
    with ThreadPoolExecutor(max(2, os.cpu_count() or 1)) as threads:
        results = threads.map(
            lambda one: compare_file(one, checks.get(one.clip_id), file_of(one.clip_id)), manifest.clips
        )
        for one in results:
            findings.append(one)
            report(Progress("clips", len(findings), len(manifest.clips)))
    return VerificationReport(tuple(findings))


def verify_sources(
    manifest: SharedManifest,
    folders: Sequence[Path],
    scratch: Path,
    *,
    remembered: Mapping[SourceId, Path] | None = None,
    jobs: int | None = None,
    report: ProgressCallback = ignore_progress,
) -> VerificationReport:
    """Decode every available recording once and compare its clips with it; writes nothing.

    Raises ConfigError, DataError; Cancelled out of `report`.
    """
    found = locate_recordings(manifest.sources.values(), folders, remembered)
    return _verify(manifest, found, {}, {}, _Options(scratch), jobs, report)


def rebuild(
    manifest: SharedManifest,
    out: Path,
    folders: Sequence[Path],
    scratch: Path,
    *,
    suffix: str = "wav",
    remembered: Mapping[SourceId, Path] | None = None,
    fetch: FetchSource | None = None,
    retime: bool = False,
    jobs: int | None = None,
    report: ProgressCallback = ignore_progress,
) -> VerificationReport:
    """Make the clips again in `out` from recordings in `folders`, or downloaded; intact clips there are not made again.

    Only exact and equivalent clips are written. With `retime`, shifted ones are written under new ids, with a manifest
    NAME.retimed.csv, its checks, and the table NAME.moves.csv from old to new beside the old manifest, which stays.
    Raises ConfigError, DataError; Cancelled out of `report`.
    """
    intact = _intact_clips(manifest, out, suffix)
    missing = {clip.source_id for clip in manifest.clips if clip.clip_id not in intact}
    wanted = [one for name, one in sorted(manifest.sources.items()) if name in missing and not one.is_taken_down]
    recordings = locate_recordings(wanted, folders, remembered)
    problems: dict[SourceId, str] = {}
    if fetch is not None:
        problems = _fetch_missing(wanted, recordings, fetch, report)
    options = _Options(scratch, out, suffix, retime)
    done = _verify(manifest, recordings, problems, intact, options, jobs, report)
    if not retime or all(one.is_same for one in done.findings):
        return done
    return replace(done, retimed=_write_retimed(manifest, done, out, suffix))


def _intact_clips(manifest: SharedManifest, out: Path, suffix: str) -> dict[ClipId, Finding]:
    """The clips whose files in `out` are unchanged, without those of withdrawn sources."""
    checks = manifest_checks(manifest)
    intact: dict[ClipId, Finding] = {}
    for clip in manifest.clips:
        one = compare_file(clip, checks.get(clip.clip_id), out / f"{clip.clip_id}.{suffix}")
        if one.is_same and not manifest.is_withdrawn(clip.source_id):
            intact[clip.clip_id] = one
    return intact


def _fetch_missing(
    wanted: Sequence[Source], recordings: dict[SourceId, Path], fetch: FetchSource, report: ProgressCallback
) -> dict[SourceId, str]:
    """Download what `recordings` lacks and a URL can give, into `recordings`; the problems of those that failed."""
    problems: dict[SourceId, str] = {}
    for source in wanted:
        if source.source_id not in recordings and source.is_url:
            try:
                recordings[source.source_id] = fetch(source, _fetch_progress(report, source.source_id))
            except MediaError as error:
                problems[source.source_id] = error.reason
    return problems


def shifted_runs(findings: Iterable[Finding]) -> list[dict[str, Any]]:
    """Runs of consecutive clips of a source that moved by the same offset, in order."""
    runs: list[dict[str, Any]] = []
    last: Finding | None = None
    for one in findings:
        if one.level != "shifted" or one.offset_samples is None:
            last = None if one.is_same else last
            continue
        if last and last.clip.source_id == one.clip.source_id and last.offset_samples == one.offset_samples:
            runs[-1]["last_clip"] = one.clip.clip_id
            runs[-1]["clips"] += 1
        else:
            run = {
                "source_id": one.clip.source_id,
                "first_clip": one.clip.clip_id,
                "last_clip": one.clip.clip_id,
                "clips": 1,
                "offset_samples": one.offset_samples,
                "offset_s": round(one.offset_samples / one.clip.rate_hz, 6),
            }
            runs.append(run)
        last = one
    return runs


def source_fetcher(media: Path, settings: StudySettings) -> FetchSource:
    """A function that downloads into the folder `media`, under the source's id, within the study's limits."""

    def download(source: Source, on_progress: OnProgress) -> Path:
        from pipelines.ingest.fetch.download import fetch
        from pipelines.ingest.fetch.fetch_policy import manners_of

        name = source.source_id
        formats = sound_formats(source.measured.get("format_id", ""), source.language or settings.language)
        got = fetch(
            source.uri, name, media / "partial", manners=manners_of(settings), tell=on_progress, formats=formats
        )
        target = media / f"{name}{got.path.suffix}"
        got.path.replace(target)
        return target

    return download


@dataclass(frozen=True, slots=True)
class _Options:
    """How recordings are verified, as in VerifyTask: with `out`, clips are written there."""

    scratch: Path
    out: Path | None = None
    suffix: str = "wav"
    retime: bool = False


def _verify(
    manifest: SharedManifest,
    recordings: Mapping[SourceId, Path],
    problems: Mapping[SourceId, str],
    known: Mapping[ClipId, Finding],
    options: _Options,
    jobs: int | None,
    report: ProgressCallback,
) -> VerificationReport:
    """Decode each recording once and compare the clips that are not `known`. `problems`: why recordings are missing."""
    findings = dict(known)
    tasks: dict[str, VerifyTask] = {}
    checks = manifest_checks(manifest)
    for (name, track), clips in _clips_by_track(manifest, known).items():
        reason = _unavailable(manifest, name, recordings, problems)
        if reason:
            findings |= {clip.clip_id: Finding(clip, "gone", reason) for clip in clips}
            continue
        tasks[f"{name} {track}" if track else name] = VerifyTask(
            source_id=name,
            path=recordings[name],
            clips=tuple(clips),
            checks={clip.clip_id: checks[clip.clip_id] for clip in clips if clip.clip_id in checks},
            sha256=manifest.recording_sha256(name),
            scratch=options.scratch,
            out=options.out,
            suffix=options.suffix,
            retime=options.retime,
        )
    editions: dict[SourceId, str] = {}
    workers = min(jobs or os.cpu_count() or 1, max(1, len(tasks)))
    for key, outcome in run_each(verify_source, tasks, jobs=workers, stage="decode", report=report):
        task = tasks[key]
        if isinstance(outcome, Failed):
            reason = _failure_reason(outcome.error)
            findings |= {clip.clip_id: Finding(clip, "gone", reason) for clip in task.clips}
            continue
        findings |= {one.clip.clip_id: one for one in outcome.findings}
        if outcome.is_other_edition:
            editions[task.source_id] = outcome.sha256
    return VerificationReport(tuple(findings[clip.clip_id] for clip in manifest.clips), editions, decoded=len(tasks))


def _clips_by_track(
    manifest: SharedManifest, known: Mapping[ClipId, Finding]
) -> dict[tuple[SourceId, int], list[Clip]]:
    by_track: dict[tuple[SourceId, int], list[Clip]] = {}
    for clip in manifest.clips:
        if clip.clip_id not in known:
            by_track.setdefault((clip.source_id, clip.track), []).append(clip)
    return by_track


def _unavailable(
    manifest: SharedManifest, name: SourceId, recordings: Mapping[SourceId, Path], problems: Mapping[SourceId, str]
) -> str:
    """Why the recording of a source cannot be decoded; empty where it can."""
    source = manifest.sources.get(name)
    if source is None:
        return f"source '{name}' is not in sources.csv"
    if source.is_taken_down:
        return f"source '{name}' was taken down"
    if name in recordings:
        return ""
    return problems.get(name, f"the recording of source '{name}' is not here; give its folder with --media")


def _failure_reason(error: BaseException) -> str:
    if isinstance(error, MediaError):
        return error.reason
    if isinstance(error, WorkerCrashed):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}; check the disk and try again"
    raise error


def _write_retimed(manifest: SharedManifest, done: VerificationReport, out: Path, suffix: str) -> tuple[Path, ...]:
    path = manifest.path
    retimed, moves = (path.with_name(f"{path.stem}.{word}.csv") for word in ("retimed", "moves"))
    pairs = [(one, relocated_clip(one)) for one in done.findings]
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
            "source_sha256": done.editions.get(one.clip.source_id, manifest.recording_sha256(one.clip.source_id)),
        }
        for one, after in pairs
    ]
    clips = [after for _, after in pairs if after is not None]
    if len({clip.clip_id for clip in clips}) < len(clips):
        raise DataError(
            f"{path.name}: two of its clips have the same position in the new edition; nothing was re-timed"
        )
    old = manifest_checks(manifest)
    checks = []
    for clip in sorted(clips, key=lambda one: (one.source_id, one.track, one.start_sample, one.clip_id)):
        same = old.get(clip.clip_id)
        if same is not None and same.pcm_sha256 == clip.pcm_sha256:
            checks.append(same)
        else:
            pcm, rate_hz = read_pcm16(out / f"{clip.clip_id}.{suffix}")
            checks.append(make_check(clip.clip_id, pcm, rate_hz))
    write_checks(checks_path(retimed), checks)
    write_text(moves, table_to_csv(MOVES_COLUMNS, rows))
    write_clips(retimed, clips)
    return retimed, moves


def _fetch_progress(report: ProgressCallback, name: SourceId) -> OnProgress:
    return lambda done, total: report(Progress("fetch", done, total, name))
