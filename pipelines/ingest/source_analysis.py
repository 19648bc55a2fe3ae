"""Analysis of one source: decoded once from its first sample, speech found, every window scored, clips cut.

pipelines.ingest.selection.decision decides which windows become clips, as often as needed. The clips cut here are those
that this source alone would give without a quota, so that few are left to cut when rules over all sources and manual
picks are applied.

Clip recipe pcm16-v1: samples [start, start + n) of the linear decode at the recording's own rate, channel mean in
float32, rounded half to even to s16. Never resampled, never normalised: loudness carries arousal.
"""

import hashlib
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from pipelines.errors import MediaError
from pipelines.execution.blas_threads import one_blas_thread
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.analysis.analyzer import Analyzer, FeatureTracks
from pipelines.ingest.analysis.fingerprint import ALGORITHM as FP_ALGORITHM
from pipelines.ingest.analysis.fingerprint import Fingerprint, to_text
from pipelines.ingest.analysis.speech import SpeechSpan, spans_between, speech_spans
from pipelines.ingest.analysis.track_language import tracks_to_text
from pipelines.ingest.analysis.track_reader import FileState, TrackReader, open_track
from pipelines.ingest.reproduce.clip_checks import serialize_checks
from pipelines.ingest.reproduce.clip_cutting import ClipWriter
from pipelines.ingest.selection.decision import Decision, ScoredWindow, decide, with_clip_ids
from pipelines.ingest.selection.placement import candidates
from pipelines.ingest.selection.screens import SCORES_VERSION, SCREENS, Window, scores_of
from pipelines.manifest import digest
from pipelines.media.audio import Pcm16, pcm_sha256, to_pcm16
from pipelines.study import Study, StudySettings
from pipelines.units import Hertz, Samples, Seconds, SourceId

RECIPE = "pcm16-v1"

_OF_SAMPLES_ALONE = frozenset({"bandwidth_hz", "clip_ratio", "peak_dbfs", "loudness_lufs"})


@dataclass(frozen=True, slots=True)
class Task:
    """One recording to analyse. `clips` is where kept clips go, `scratch` where the decoded sound may lie meanwhile.

    `tracks` is the file that what was heard is saved to; with None it is not. `language` (BCP-47) chooses the audio
    track, `salvage` keeps what comes before damage, `state` is that of the file whose checksum was taken.
    """

    source_id: SourceId
    path: Path
    settings: StudySettings
    clips: Path
    scratch: Path
    tracks: Path | None = None
    language: str = ""
    salvage: bool = False
    state: FileState | None = None


@dataclass(frozen=True, slots=True)
class Analysed:
    """What one decode gave. `pcm_sha256` is over the whole recording as the mono s16 that clips are cut from.

    `decisions`: one per window, provisional; `checks`: of the clips that were cut by them. `fingerprint`: its algorithm
    and text. `track`: the analysed one of `all_tracks` (pipelines.ingest.analysis.track_language).
    `reason_code` and `reason`: a remark, or empty.
    """

    container: str
    codec: str
    rate_hz: Hertz
    channels: int
    decoded_samples: Samples
    pcm_sha256: str
    speech_s: Seconds
    windows: tuple[ScoredWindow, ...]
    decisions: tuple[Decision, ...]
    fingerprint: tuple[str, str]
    checks: str = ""
    first_pts_s: Seconds | None = None
    track: int = 0
    all_tracks: str = ""
    reason_code: str = ""
    reason: str = ""


def analysis_hash(settings: StudySettings) -> str:
    """16 hex digits over all that a recording has to be heard again for: length and places of windows, and scores.

    Bounds are no part of it, nor is the form of a clip's file.
    """
    deciding = {
        "length_s": settings.clip.length_s,
        "place": settings.place.model_dump(mode="json"),
        "scores": [SCORES_VERSION, *SCREENS],
        "fingerprint": FP_ALGORITHM,
        "recipe": RECIPE,
    }
    return digest(json.dumps(deciding, sort_keys=True))[:16]


def analyse(task: Task, tell: OnProgress) -> Analysed:
    """Decode, find speech, place, score, cut. Memory does not grow with the recording; a scratch file holds its sound.

    Raises MediaError (as pipelines.ingest.analysis.track_reader does, and too_short), and Cancelled out of `tell`.
    """
    settings = task.settings
    task.scratch.mkdir(parents=True, exist_ok=True)
    with one_blas_thread(), tempfile.TemporaryFile(dir=task.scratch) as spool:
        heard = _heard(task, spool, tell)
        facts, seconds = heard.reading.facts, heard.tracks.duration_s
        if seconds < settings.clip.length_s:
            raise too_short(task.path, seconds, settings)
        speech = speech_spans(heard.tracks.speech, settings.place)
        windows = _scored(spool, heard.tracks, speech, settings)
        free = settings.model_copy(update={"select": settings.select.model_copy(update={"max_per_source": None})})
        decisions = decide(windows, facts.rate_hz, free, source_id=task.source_id)
        with ClipWriter(task.clips, settings.clip.format, facts.rate_hz) as writer:
            for one in with_clip_ids(windows, decisions, task.source_id, facts.rate_hz):
                if one.decision.kept:
                    pcm = _samples(spool, one.window.start_sample, one.window.n_samples)
                    writer.write(one.clip_id, pcm, one.window.pcm_sha256)
    if task.tracks is not None:
        heard.tracks.save(task.tracks)
    tell(seconds, seconds)
    return Analysed(
        container=facts.container,
        codec=facts.codec,
        rate_hz=facts.rate_hz,
        channels=facts.channels,
        decoded_samples=heard.tracks.samples,
        pcm_sha256=heard.pcm_sha256,
        speech_s=sum(span.length_s for span in speech),
        windows=windows,
        decisions=decisions,
        fingerprint=(FP_ALGORITHM, to_text(Fingerprint(task.source_id, seconds, heard.tracks.items))),
        checks=serialize_checks(writer.checks),
        first_pts_s=facts.first_pts_s,
        track=heard.reading.track,
        all_tracks=tracks_to_text(facts.tracks) if len(facts.tracks) > 1 else "",
        reason_code=heard.reading.reason_code,
        reason=heard.reading.reason,
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
    """What stays of a recording besides the scratch file."""

    reading: TrackReader
    pcm_sha256: str
    tracks: FeatureTracks


def _heard(task: Task, spool: IO[bytes], tell: OnProgress) -> _Heard:
    """Decode the whole into `spool` and listen to it."""
    whole = hashlib.sha256()
    with open_track(task.path, language=task.language, salvage=task.salvage, state=task.state) as reading:
        listener = Analyzer(reading.facts.rate_hz)
        for mono in reading.mono(tell):
            raw = to_pcm16(mono).astype("<i2", copy=False).data
            spool.write(raw)
            whole.update(raw)
            listener.feed(mono)
    return _Heard(reading, whole.hexdigest(), listener.finish())


def tracks_file(study: Study, source_id: SourceId) -> Path:
    """Where what was heard of a source is kept; made again where it is missing."""
    return study.cache / "tracks" / f"{source_id}.npz"


def scores_at(
    pcm: Pcm16, rate_hz: Hertz, start_sample: Samples, speech: Sequence[SpeechSpan], tracks: FeatureTracks | None
) -> dict[str, float | None]:
    """Every screen's score of the samples `pcm` [n] that stand at `start_sample` of what `tracks` were heard of.

    Without tracks, those that their samples alone tell. Rounded to 32 bits, as candidates.parquet holds them, so that
    whoever decides from there decides the same.
    """
    start_s = start_sample / rate_hz
    inside = spans_between(speech, start_s, start_s + len(pcm) / rate_hz)
    scores = scores_of(Window(pcm, rate_hz, inside, start_s=start_s, tracks=tracks))
    known = SCREENS if tracks is not None else _OF_SAMPLES_ALONE
    return {
        name: None if score is None or name not in known else float(np.float32(score)) for name, score in scores.items()
    }


def _scored(
    spool: IO[bytes], tracks: FeatureTracks, speech: Sequence[SpeechSpan], settings: StudySettings
) -> tuple[ScoredWindow, ...]:
    places = candidates(tracks.speech, tracks.power, tracks.samples, tracks.rate_hz, settings.clip, settings.place)
    found: list[ScoredWindow] = []
    for place in places:
        pcm = _samples(spool, place.start_sample, place.n_samples)
        scores = scores_at(pcm, tracks.rate_hz, place.start_sample, speech, tracks)
        found.append(ScoredWindow(place.start_sample, place.n_samples, place.onset_s, scores, pcm_sha256(pcm)))
    return tuple(found)


def _samples(spool: IO[bytes], start: Samples, count: Samples) -> Pcm16:
    spool.seek(2 * start)
    return np.frombuffer(spool.read(2 * count), "<i2").astype(np.int16, copy=False)
