"""Verify clips against their files or recordings: each is exact, equivalent, shifted, changed or gone."""

import math
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from pipelines.atomic_write import sha256_file
from pipelines.errors import MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.analysis.fingerprint import fingerprint_blocks
from pipelines.ingest.reproduce.alignment import (
    EQUIVALENT_DB,
    SAME_AUDIO_DB,
    SEARCH_RADIUS_S,
    DecodedRecording,
    best_start,
    locate_clip,
)
from pipelines.ingest.reproduce.clip_checks import ClipCheck, read_pcm16
from pipelines.ingest.reproduce.clip_cutting import slice_blocks
from pipelines.ingest.reproduce.sketch import snr_db
from pipelines.media.audio import Pcm16, decode_blocks, pcm_sha256, probe, to_mono, to_pcm16, write_pcm16
from pipelines.schema import Clip, clip_id
from pipelines.units import Audio, ClipId, Decibels, Samples, SourceId

Level = Literal["exact", "equivalent", "shifted", "changed", "gone"]
LEVELS: tuple[Level, ...] = ("exact", "equivalent", "shifted", "changed", "gone")

_THREADS = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """The result for one clip. `offset_samples` is how much later its audio starts now; `pcm_sha256` is that of now.

    `snr_db` is against the original, None where it is unknown, infinite where exact.
    """

    clip: Clip
    level: Level
    reason: str = ""
    snr_db: Decibels | None = None
    offset_samples: Samples | None = None
    pcm_sha256: str = ""

    @property
    def is_same(self) -> bool:
        return self.level in ("exact", "equivalent")

    def document(self) -> dict[str, Any]:
        """For JSON."""
        known = self.snr_db is not None and math.isfinite(self.snr_db)
        return {
            "clip_id": self.clip.clip_id,
            "source_id": self.clip.source_id,
            "level": self.level,
            "reason": self.reason,
            "snr_db": round(self.snr_db, 2) if known and self.snr_db is not None else None,
            "offset_samples": self.offset_samples,
        }


@dataclass(frozen=True, slots=True)
class VerifyTask:
    """One recording to verify its clips against. `sha256` is that of the recording that the clips were cut from.

    With `out`, exact and equivalent clips are written there; with `retime` shifted ones too, under their new ids.
    """

    source_id: SourceId
    path: Path
    clips: tuple[Clip, ...]
    checks: Mapping[ClipId, ClipCheck]
    sha256: str
    scratch: Path
    out: Path | None = None
    suffix: str = "wav"
    retime: bool = False


@dataclass(frozen=True, slots=True)
class SourceResult:
    """The findings of one recording. `is_other_edition`: the file is not the one that the clips were cut from."""

    findings: tuple[Finding, ...]
    sha256: str
    is_other_edition: bool


def count_levels(findings: Iterable[Finding]) -> dict[Level, int]:
    """The number of findings of each level, with all levels present."""
    found = Counter(finding.level for finding in findings)
    return {level: found[level] for level in LEVELS}


def relocated_clip(finding: Finding) -> Clip | None:
    """The clip at its present position: itself when it is unchanged, None when its audio is absent."""
    clip = finding.clip
    if finding.is_same:
        return clip
    if finding.level != "shifted" or finding.offset_samples is None:
        return None
    start = clip.start_sample + finding.offset_samples
    name = clip_id(clip.source_id, start, clip.rate_hz)
    return replace(clip, clip_id=name, start_sample=start, pcm_sha256=finding.pcm_sha256)


def compare_file(clip: Clip, check: ClipCheck | None, path: Path) -> Finding:
    """Compare the clip's own file on this machine with the manifest."""
    try:
        pcm, rate_hz = read_pcm16(path)
    except MediaError as error:
        return Finding(clip, "gone" if error.failure == "gone" else "changed", error.reason)
    if rate_hz != clip.rate_hz or len(pcm) != clip.n_samples:
        reason = f"has {len(pcm)} samples at {rate_hz} Hz, expected {clip.n_samples} at {clip.rate_hz} Hz"
        return Finding(clip, "changed", reason, pcm_sha256=pcm_sha256(pcm))
    found = compare_samples(clip, check, pcm)
    if found.is_same or check is None:
        return found
    radius = round(SEARCH_RADIUS_S * rate_hz)
    start, snr = best_start(check.sketch, np.pad(pcm, radius), len(pcm))
    if start == radius or snr < max(SAME_AUDIO_DB, (found.snr_db or 0) + 1):
        return found
    return Finding(clip, "shifted", "was cut at another position", snr, start - radius, found.pcm_sha256)


def compare_samples(clip: Clip, check: ClipCheck | None, pcm: Pcm16) -> Finding:
    """Compare samples [n] with the clip that they should be: exact, equivalent or changed."""
    found = pcm_sha256(pcm)
    if found == clip.pcm_sha256:
        return Finding(clip, "exact", snr_db=math.inf, pcm_sha256=found)
    if check is None:
        return Finding(clip, "changed", "its checksum differs, and there is no sketch of it", pcm_sha256=found)
    snr = snr_db(check.sketch, pcm)
    if snr >= EQUIVALENT_DB:
        return Finding(clip, "equivalent", "another decoder or processor", snr, pcm_sha256=found)
    return Finding(clip, "changed", f"its audio differs ({snr:.0f} dB)", snr, pcm_sha256=found)


def verify_source(task: VerifyTask, on_progress: OnProgress) -> SourceResult:
    """Decode a recording once from its first sample and compare all its clips with it.

    The same file gives the same samples, and only comparing remains. Another edition is spooled to a scratch file while
    it is decoded, and clips that are not at their position are searched in it. Raises MediaError when nothing can be
    read.
    """
    facts = probe(task.path, task.clips[0].track)
    sha256 = sha256_file(task.path)
    is_other = bool(task.sha256) and sha256 != task.sha256
    if any(clip.rate_hz != facts.rate_hz for clip in task.clips):
        reason = f"the recording is at {facts.rate_hz} Hz now, its clips were cut at {task.clips[0].rate_hz} Hz"
        return SourceResult(tuple(Finding(clip, "changed", reason) for clip in task.clips), sha256, is_other)
    search = is_other or not task.sha256
    found = _compare_clips(task, on_progress, facts.duration_s, search=search)
    lost = [one for one in found if not one.is_same and one.clip.clip_id in task.checks]
    if lost and not search:  # the same file gives other samples: another decoder shifted them
        found = _compare_clips(task, on_progress, facts.duration_s, search=True)
    return SourceResult(found, sha256, is_other)


def _compare_clips(
    task: VerifyTask, on_progress: OnProgress, duration_s: float | None, *, search: bool
) -> tuple[Finding, ...]:
    """Decode the recording and compare each clip; with `search`, look elsewhere for those that are not the same."""
    found: dict[ClipId, Finding] = {}
    task.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=task.scratch) as spool, _Writer(task) as writer:
        decoder = _SpoolingDecoder(task, on_progress, duration_s, spool if search else None)
        for clip, pcm in slice_blocks(decoder.blocks(), task.clips):
            if len(pcm) < clip.n_samples:
                reason = decoder.error.reason if decoder.error else "the recording ends before it"
                found[clip.clip_id] = Finding(clip, "gone", reason)
                continue
            one = compare_samples(clip, task.checks.get(clip.clip_id), pcm)
            found[clip.clip_id] = one
            if one.is_same:
                writer.write(clip.clip_id, pcm)
        if search and not all(one.is_same for one in found.values()):
            recording = _open_spool(spool, task)
            for one in _search_shifted(found, task, recording):
                found[one.clip.clip_id] = one
                after = relocated_clip(one)
                if task.retime and after is not None:
                    writer.write(after.clip_id, recording.samples(after.start_sample, after.n_samples))
    return tuple(found[clip.clip_id] for clip in task.clips)


class _SpoolingDecoder:
    """Decodes a recording to mono blocks and copies their samples to `spool`. `error`: of a damaged end."""

    def __init__(
        self, task: VerifyTask, on_progress: OnProgress, duration_s: float | None, spool: IO[bytes] | None
    ) -> None:
        self._task, self._on_progress, self._duration_s, self._spool = task, on_progress, duration_s, spool
        self.error: MediaError | None = None

    def blocks(self) -> Iterator[Audio]:
        """Mono blocks up to the end or to damage. Raises MediaError where nothing can be decoded."""
        decoded = 0
        rate_hz = self._task.clips[0].rate_hz
        try:
            for block in decode_blocks(self._task.path, self._task.clips[0].track):
                mono = to_mono(block)
                if self._spool is not None:
                    self._spool.write(to_pcm16(mono).astype("<i2", copy=False).tobytes())
                decoded += len(mono)
                self._on_progress(decoded / rate_hz, self._duration_s)
                yield mono
        except MediaError as error:
            if not decoded:
                raise
            self.error = error


def _search_shifted(
    found: Mapping[ClipId, Finding], task: VerifyTask, recording: DecodedRecording
) -> Iterator[Finding]:
    """Findings for clips that moved to another position; the offsets of their neighbours are tried first."""
    offsets = [0]
    taken = {one.clip.clip_id for one in found.values() if one.is_same}
    for clip in sorted(task.clips, key=lambda one: one.start_sample):
        check = task.checks.get(clip.clip_id)
        if found[clip.clip_id].is_same or check is None:
            continue
        guesses = [clip.start_sample + offset for offset in reversed(offsets)]
        position = locate_clip(check, clip.n_samples, recording, guesses)
        if position is None:
            continue
        offset = position.start_sample - clip.start_sample
        name = clip_id(clip.source_id, position.start_sample, clip.rate_hz)
        if offset == 0 or position.start_sample < 0 or name in taken:  # a copy of the audio of another clip
            continue
        taken.add(name)
        if offset not in offsets:
            offsets = [*offsets[-3:], offset]
        pcm = recording.samples(position.start_sample, clip.n_samples)
        reason = f"is {abs(offset) / clip.rate_hz:.3f} s {'later' if offset > 0 else 'earlier'} now"
        yield Finding(clip, "shifted", reason, position.snr_db, offset, pcm_sha256(pcm))


def _open_spool(spool: IO[bytes], task: VerifyTask) -> DecodedRecording:
    spool.flush()
    rate_hz = task.clips[0].rate_hz
    pcm = np.memmap(spool, dtype="<i2", mode="r")
    step = 30 * rate_hz
    parts = (pcm[at : at + step].astype(np.float32) / np.float32(32768) for at in range(0, len(pcm), step))
    return DecodedRecording(pcm, rate_hz, fingerprint_blocks(parts, rate_hz, task.source_id).items)


class _Writer:
    """Writes clips in threads, several at once: a disk syncs several small files in about the time of one."""

    def __init__(self, task: VerifyTask) -> None:
        self._task = task
        self._pool = ThreadPoolExecutor(_THREADS)
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> "_Writer":
        return self

    def write(self, name: ClipId, pcm: Pcm16) -> None:
        if self._task.out is None:
            return
        path = self._task.out / f"{name}.{self._task.suffix}"
        self._waiting.append(self._pool.submit(write_pcm16, path, pcm, self._task.clips[0].rate_hz))
        if len(self._waiting) > 2 * _THREADS:
            self._waiting.popleft().result()

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)
        for written in self._waiting:
            written.result()
