"""One recording, decoded once from its first sample: where speech is, which windows are kept and why, the clips cut.

Clip recipe pcm16-v1: samples [start, start + n) of the linear decode at the recording's own rate, channel mean in
float32, rounded half to even to s16. Never resampled, never normalised: loudness carries arousal.
"""

import hashlib
import tempfile
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from pipelines.audio import Pcm16, Probe, open_recording, pcm_sha256, to_mono, to_pcm16, write_pcm16
from pipelines.errors import MediaError
from pipelines.execution import Tell
from pipelines.ingest.place import best_coverage, candidates
from pipelines.ingest.screen import Window, bounds_of, refusals, scores_of
from pipelines.ingest.speech import Span, SpeechTracker, spans, speech_between
from pipelines.schema import clip_id
from pipelines.study import StudySettings
from pipelines.units import Hertz, Samples, Seconds, SourceId

RECIPE = "pcm16-v1"
OVERLAP = "overlap"
WRITERS = 8
#: Short blocks stay in the processor's cache: 30 s cost a tenth more time and 40 MiB.
BLOCK_S: Seconds = 5.0

#: Containers whose header states the length of the sound itself, so that a missing end can be told.
_HONEST_LENGTH = frozenset({"mov", "wav", "aiff"})


@dataclass(frozen=True, slots=True)
class Task:
    """One recording to analyse. `clips` is where kept clips go, `scratch` where the decoded sound may lie meanwhile."""

    source_id: SourceId
    path: Path
    settings: StudySettings
    clips: Path
    scratch: Path
    track: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate window with all its scores. `reasons` is empty and `pcm_sha256` set where it is kept."""

    start_sample: Samples
    n_samples: Samples
    onset_s: Seconds
    scores: dict[str, float | None]
    reasons: tuple[str, ...]
    pcm_sha256: str = ""

    @property
    def kept(self) -> bool:
        return not self.reasons


@dataclass(frozen=True, slots=True)
class Analysed:
    """What one decode gave. `pcm_sha256` is over the whole recording as the mono s16 that clips are cut from."""

    container: str
    codec: str
    rate_hz: Hertz
    channels: int
    decoded_samples: Samples
    pcm_sha256: str
    speech_s: Seconds
    windows: tuple[Scored, ...]


def analyse(task: Task, tell: Tell) -> Analysed:
    """Decode, find speech, place, screen, cut. Memory does not grow with the recording; a scratch file holds its sound.

    Raises MediaError (as pipelines.audio does, and too_short, cut_short), and Cancelled out of `tell`.
    """
    settings = task.settings
    task.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=task.scratch) as spool:
        facts, heard = _heard(task, spool, tell)
        seconds = heard.samples / facts.rate_hz
        if facts.container in _HONEST_LENGTH and facts.duration_s and seconds < facts.duration_s * 0.98 - 1:
            raise MediaError(
                "cut_short",
                f"{task.path.name}: holds {seconds:.1f} s of the {facts.duration_s:.1f} s that it announces; "
                "get a whole copy",
                "gone",
            )
        if seconds < settings.clip.length_s:
            raise too_short(task.path, seconds, settings)
        speech = spans(heard.probabilities, settings.place)
        windows = _screened(spool, heard, speech, facts.rate_hz, settings)
        done = _cut(spool, windows, task, facts.rate_hz)
    tell(seconds, seconds)
    return Analysed(
        container=facts.container,
        codec=facts.codec,
        rate_hz=facts.rate_hz,
        channels=facts.channels,
        decoded_samples=heard.samples,
        pcm_sha256=heard.pcm_sha256,
        speech_s=sum(span.length_s for span in speech),
        windows=done,
    )


def too_short(path: Path, seconds: Seconds, settings: StudySettings) -> MediaError:
    """The error of a recording that cannot hold one clip."""
    return MediaError(
        "too_short",
        f"{path.name}: lasts {seconds:.2f} s; a clip of this study needs {settings.clip.length_s:g} s",
        "gone",
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Heard:
    """What stays of a recording besides the scratch file: `probabilities` of speech and `power`, both [hops]."""

    samples: Samples
    pcm_sha256: str
    probabilities: npt.NDArray[np.float32]
    power: npt.NDArray[np.float32]


def _heard(task: Task, spool: IO[bytes], tell: Tell) -> tuple[Probe, _Heard]:
    """Decode the whole into `spool` and listen to it."""
    whole = hashlib.sha256()
    samples = 0
    with open_recording(task.path, task.track) as recording:
        facts = recording.facts
        tracker = SpeechTracker(facts.rate_hz)
        for block in recording.blocks(BLOCK_S):
            mono = to_mono(block)
            raw = to_pcm16(mono).astype("<i2", copy=False).data
            spool.write(raw)
            whole.update(raw)
            tracker.feed(mono)
            samples += len(mono)
            tell(samples / facts.rate_hz, facts.duration_s)
    return facts, _Heard(samples, whole.hexdigest(), tracker.finish(), tracker.power)


def _screened(
    spool: IO[bytes], heard: _Heard, speech: tuple[Span, ...], rate_hz: Hertz, settings: StudySettings
) -> tuple[Scored, ...]:
    bounds = bounds_of(settings)
    found: list[Scored] = []
    worth: list[float] = []
    places = candidates(heard.probabilities, heard.power, heard.samples, rate_hz, settings.clip, settings.place)
    for place in places:
        start_s = place.start_sample / rate_hz
        inside = speech_between(speech, start_s, start_s + place.n_samples / rate_hz)
        window = Window(_samples(spool, place.start_sample, place.n_samples), rate_hz, inside)
        scores = scores_of(window)
        reasons = refusals(scores, bounds)
        found.append(Scored(place.start_sample, place.n_samples, place.onset_s, scores, reasons))
        worth.append(0.0 if reasons else sum(span.length_s for span in inside))
    chosen = set(best_coverage(places, worth))
    return tuple(
        window if window.reasons or number in chosen else replace(window, reasons=(OVERLAP,))
        for number, window in enumerate(found)
    )


def _cut(spool: IO[bytes], windows: Iterable[Scored], task: Task, rate_hz: Hertz) -> tuple[Scored, ...]:
    done: list[Scored] = []
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(WRITERS) as writers:  # a disk syncs several small files in about the time of one
        for window in windows:
            if not window.kept:
                done.append(window)
                continue
            pcm = _samples(spool, window.start_sample, window.n_samples)
            name = clip_id(task.source_id, window.start_sample, rate_hz)
            path = task.clips / f"{name}.{task.settings.clip.format}"
            waiting.append(writers.submit(write_pcm16, path, pcm, rate_hz))
            if len(waiting) > 2 * WRITERS:
                waiting.popleft().result()
            done.append(replace(window, pcm_sha256=pcm_sha256(pcm)))
        for written in waiting:
            written.result()
    return tuple(done)


def _samples(spool: IO[bytes], start: Samples, count: Samples) -> Pcm16:
    spool.seek(2 * start)
    return np.frombuffer(spool.read(2 * count), "<i2").astype(np.int16, copy=False)
