"""Is a clip still what it was? Exact, equivalent, shifted, changed or gone, of files and of whole recordings."""

import math
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from pipelines.atomic_write import sha256_file
from pipelines.errors import MediaError
from pipelines.execution.process_pool import Tell
from pipelines.ingest.analysis.fingerprint import fingerprint_blocks
from pipelines.ingest.reproduce.alignment import EQUIVALENT_DB, REACH_S, SAME_SOUND_DB, Recording, best_start, find
from pipelines.ingest.reproduce.clip_checks import Check, read_pcm16
from pipelines.ingest.reproduce.sketch import snr_db
from pipelines.media.audio import Pcm16, decode_blocks, pcm_sha256, probe, to_mono, to_pcm16, write_pcm16
from pipelines.schema import Clip, clip_id
from pipelines.units import Audio, ClipId, Decibels, Samples, SourceId

Level = Literal["exact", "equivalent", "shifted", "changed", "gone"]
LEVELS: tuple[Level, ...] = ("exact", "equivalent", "shifted", "changed", "gone")

_WRITERS = 8


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one clip. `offset_samples` is how much later its sound stands now; `pcm_sha256` of what is there.

    `snr_db` is against the original, None where it is not known, infinite where exact.
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
class SourceTask:
    """One recording to hold against its clips. `sha256` is that of the recording the clips were cut from.

    With `out`, exact and equivalent clips are written there; shifted ones too, under their new ids, with `retime`.
    """

    source_id: SourceId
    path: Path
    clips: tuple[Clip, ...]
    checks: Mapping[ClipId, Check]
    sha256: str
    scratch: Path
    out: Path | None = None
    suffix: str = "wav"
    retime: bool = False


@dataclass(frozen=True, slots=True)
class Examined:
    """What one recording gave. `is_other_edition`: the file is not the one the clips were cut from."""

    findings: tuple[Finding, ...]
    sha256: str
    is_other_edition: bool


def counts(findings: Iterable[Finding]) -> dict[Level, int]:
    """How many findings of each level, all levels named."""
    found = Counter(finding.level for finding in findings)
    return {level: found[level] for level in LEVELS}


def moved(finding: Finding) -> Clip | None:
    """The clip where its sound stands now: itself when it is the same, None when its sound is nowhere."""
    clip = finding.clip
    if finding.is_same:
        return clip
    if finding.level != "shifted" or finding.offset_samples is None:
        return None
    start = clip.start_sample + finding.offset_samples
    name = clip_id(clip.source_id, start, clip.rate_hz)
    return replace(clip, clip_id=name, start_sample=start, pcm_sha256=finding.pcm_sha256)


def compare_file(clip: Clip, check: Check | None, path: Path) -> Finding:
    """The clip's own file on this machine against what it was."""
    try:
        pcm, rate_hz = read_pcm16(path)
    except MediaError as error:
        return Finding(clip, "gone" if error.failure == "gone" else "changed", error.reason)
    if rate_hz != clip.rate_hz or len(pcm) != clip.n_samples:
        told = f"has {len(pcm)} samples at {rate_hz} Hz, expected {clip.n_samples} at {clip.rate_hz} Hz"
        return Finding(clip, "changed", told, pcm_sha256=pcm_sha256(pcm))
    found = compare(clip, check, pcm)
    if found.is_same or check is None:
        return found
    reach = round(REACH_S * rate_hz)
    start, near = best_start(check.sketch, np.pad(pcm, reach), len(pcm))
    if start == reach or near < max(SAME_SOUND_DB, (found.snr_db or 0) + 1):
        return found
    return Finding(clip, "shifted", "was cut elsewhere", near, start - reach, found.pcm_sha256)


def compare(clip: Clip, check: Check | None, pcm: Pcm16) -> Finding:
    """Samples [n] that should be the clip: exact, equivalent or changed."""
    found = pcm_sha256(pcm)
    if found == clip.pcm_sha256:
        return Finding(clip, "exact", snr_db=math.inf, pcm_sha256=found)
    if check is None:
        return Finding(clip, "changed", "its checksum differs, and no sketch of it was kept", pcm_sha256=found)
    near = snr_db(check.sketch, pcm)
    if near >= EQUIVALENT_DB:
        return Finding(clip, "equivalent", "another decoder or processor", near, pcm_sha256=found)
    return Finding(clip, "changed", f"its sound differs ({near:.0f} dB)", near, pcm_sha256=found)


def examine(task: SourceTask, tell: Tell) -> Examined:
    """Decode a recording once from its first sample and hold all its clips against it.

    The same file gives the same samples: nothing else is done. Another edition is kept in a scratch file while it is
    decoded, and clips that are not where they were are looked for in it. Raises MediaError when nothing can be read.
    """
    facts = probe(task.path, task.clips[0].track)
    sha256 = sha256_file(task.path)
    other = bool(task.sha256) and sha256 != task.sha256
    if any(clip.rate_hz != facts.rate_hz for clip in task.clips):
        told = f"the recording is at {facts.rate_hz} Hz now, its clips were cut at {task.clips[0].rate_hz} Hz"
        return Examined(tuple(Finding(clip, "changed", told) for clip in task.clips), sha256, other)
    found = _pass(task, tell, facts.duration_s, looking=other or not task.sha256)
    lost = [one for one in found if not one.is_same and one.clip.clip_id in task.checks]
    if lost and not other and task.sha256:  # the same file, yet other samples: another decoder moved them
        found = _pass(task, tell, facts.duration_s, looking=True)
    return Examined(found, sha256, other)


def _pass(task: SourceTask, tell: Tell, duration_s: float | None, *, looking: bool) -> tuple[Finding, ...]:
    rate_hz = task.clips[0].rate_hz
    found: dict[ClipId, Finding] = {}
    trouble: list[MediaError] = []
    task.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=task.scratch) as spool, _Writer(task) as writer:

        def blocks() -> Iterator[Audio]:
            decoded = 0
            try:
                for block in decode_blocks(task.path, task.clips[0].track):
                    mono = to_mono(block)
                    if looking:
                        spool.write(to_pcm16(mono).astype("<i2", copy=False).tobytes())
                    decoded += len(mono)
                    tell(decoded / rate_hz, duration_s)
                    yield mono
            except MediaError as error:
                if not decoded:
                    raise
                trouble.append(error)

        for clip, pcm in cut(blocks(), task.clips):
            if len(pcm) < clip.n_samples:
                told = trouble[0].reason if trouble else "the recording ends before it"
                found[clip.clip_id] = Finding(clip, "gone", told)
                continue
            one = compare(clip, task.checks.get(clip.clip_id), pcm)
            found[clip.clip_id] = one
            if one.is_same:
                writer.write(clip.clip_id, pcm)
        if looking and not all(one.is_same for one in found.values()):
            there = _recording(spool, task)
            for one in _looked_for(found, task, there):
                found[one.clip.clip_id] = one
                after = moved(one)
                if task.retime and after is not None:
                    writer.write(after.clip_id, there.samples(after.start_sample, after.n_samples))
    return tuple(found[clip.clip_id] for clip in task.clips)


def _looked_for(found: Mapping[ClipId, Finding], task: SourceTask, there: Recording) -> Iterator[Finding]:
    """Findings for the clips that are not where they were but elsewhere; neighbours' offsets are tried first."""
    offsets = [0]
    taken = {one.clip.clip_id for one in found.values() if one.is_same}
    for clip in sorted(task.clips, key=lambda one: one.start_sample):
        one, check = found[clip.clip_id], task.checks.get(clip.clip_id)
        if one.is_same or check is None:
            continue
        guesses = [clip.start_sample + offset for offset in reversed(offsets)]
        place = find(check, clip.n_samples, there, guesses)
        if place is None:
            continue
        offset = place.start_sample - clip.start_sample
        name = clip_id(clip.source_id, place.start_sample, clip.rate_hz)
        if offset == 0 or place.start_sample < 0 or name in taken:  # a copy of what another clip holds
            continue
        taken.add(name)
        if offset not in offsets:
            offsets = [*offsets[-3:], offset]
        after = there.samples(place.start_sample, clip.n_samples)
        told = f"stands {abs(offset) / clip.rate_hz:.3f} s {'later' if offset > 0 else 'earlier'} now"
        yield Finding(clip, "shifted", told, place.snr_db, offset, pcm_sha256(after))


def cut(blocks: Iterable[Audio], clips: Sequence[Clip]) -> Iterator[tuple[Clip, Pcm16]]:
    """Each clip with its samples, s16 [n], as mono blocks float32 [k] go by; shorter where the recording ends.

    Only the samples of clips are converted and held.
    """
    waiting = deque(sorted(clips, key=lambda clip: clip.start_sample))
    open_: list[tuple[Clip, list[Pcm16]]] = []
    position = 0
    for block in blocks:
        end = position + len(block)
        while waiting and waiting[0].start_sample < end:
            open_.append((waiting.popleft(), []))
        still: list[tuple[Clip, list[Pcm16]]] = []
        for clip, parts in open_:
            stop = clip.start_sample + clip.n_samples
            parts.append(to_pcm16(block[max(0, clip.start_sample - position) : max(0, stop - position)]))
            if stop <= end:
                yield clip, np.concatenate(parts)
            else:
                still.append((clip, parts))
        open_ = still
        position = end
    for clip, parts in open_:
        yield clip, np.concatenate(parts)
    for clip in waiting:
        yield clip, np.zeros(0, np.int16)


def _recording(spool: IO[bytes], task: SourceTask) -> Recording:
    spool.flush()
    rate_hz = task.clips[0].rate_hz
    pcm = np.memmap(spool, dtype="<i2", mode="r")
    step = 30 * rate_hz
    parts = (pcm[at : at + step].astype(np.float32) / np.float32(32768) for at in range(0, len(pcm), step))
    return Recording(pcm, rate_hz, fingerprint_blocks(parts, rate_hz, task.source_id).items)


class _Writer:
    """Writes clips on the side, several at once: a disk syncs several small files in about the time of one."""

    def __init__(self, task: SourceTask) -> None:
        self._task = task
        self._pool = ThreadPoolExecutor(_WRITERS)
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> "_Writer":
        return self

    def write(self, name: ClipId, pcm: Pcm16) -> None:
        if self._task.out is None:
            return
        path = self._task.out / f"{name}.{self._task.suffix}"
        self._waiting.append(self._pool.submit(write_pcm16, path, pcm, self._task.clips[0].rate_hz))
        if len(self._waiting) > 2 * _WRITERS:
            self._waiting.popleft().result()

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)
        for written in self._waiting:
            written.result()
