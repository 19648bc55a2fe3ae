"""What the clipper shows of a source: its sound or the making of it, what was heard in it, clips, proposals."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pipelines.errors import DataError
from pipelines.ingest.preview.decoded_audio import DecodedAudio, DecodeTask, decoded_audio_folder, open_decoded_audio
from pipelines.ingest.selection.manual_picks import Pick, overlaps_any
from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.series.repeat_masks import read_study_repeats, repeats_file
from pipelines.ingest.source_analysis import tracks_file
from pipelines.ingest.state.queue import Item
from pipelines.ingest.state.status import opened_beside
from pipelines.schema import clip_id
from pipelines.study import PlacementSettings, Study
from pipelines.units import ClipId, Hertz, Samples, Seconds, SourceId
from workbench.curation.current_picks import Curated
from workbench.curation.recordings import Mined, Stamp, all_clips, clips_of, mineable, stamp
from workbench.jobs import jobs

SoundState = Literal["ready", "making", "none", "away"]
#: What each reason against a window takes from its worth as a proposal; a hard screen's takes more.
_SOFT, _HARD = 0.8, 0.3

_starting = threading.Lock()


@dataclass(frozen=True, slots=True)
class SoundStanding:
    """Whether a source can be heard. `share` of it made, 0 to 1; `sentence` says why it cannot be."""

    state: SoundState
    share: float | None = None
    eta_s: Seconds | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A window that could be a clip. `score` 0 to 1: share of speech, less for every reason against it."""

    start_sample: Samples
    n_samples: Samples
    status: str
    codes: tuple[str, ...]
    score: float


@dataclass(frozen=True, slots=True)
class ShownClip:
    """A clip of clips.csv, or a pick that is not there yet (`is_waiting`)."""

    clip_id: ClipId
    stretch: Pick
    arm: str
    is_waiting: bool


def sound_of(study: Study, mined: Mined) -> DecodedAudio | None:
    """The source's exact sound, opened once for as long as it is the same; None while it is not made."""
    facts = decoded_audio_folder(study, mined.source_id, mined.sha256) / "facts.json"
    return _sound(study, mined.source_id, mined.sha256, stamp(facts))


@dataclass(frozen=True, slots=True)
class Known:
    """What one look at the queue and the jobs gave, for many sources at once: the newest making of each sound."""

    items: Mapping[SourceId, Item]
    makings: Mapping[SourceId, jobs.Job]


def known(study: Study) -> Known:
    """Look now."""
    with opened_beside(study) as queue:
        items = queue.items() if queue is not None else {}
    makings = {str(job.about["sound"]): job for job in reversed(jobs.jobs(study)) if "sound" in job.about}
    return Known(items, makings)


def recording_of(known: Known, mined: Mined) -> Path | None:
    """The source's recording on this machine."""
    item = known.items.get(mined.source_id)
    path = Path(item.path) if item is not None and item.path else None
    return path if path is not None and path.is_file() else None


def sound_task(study: Study, mined: Mined, known: Known) -> DecodeTask | str:
    """What has to be made so that the source can be heard, or the sentence that says why it cannot be."""
    item = known.items.get(mined.source_id)
    if item is None or not item.path:
        return f"'{mined.source_id}' was not ingested on this machine: its recording is not here"
    if item.sha256 != mined.sha256:
        return f"'{mined.source_id}': the recording here is not the one of sources.csv; ingest it again"
    path = Path(item.path)
    if not path.is_file():
        return f"the recording of '{mined.source_id}', {path.name}, is no longer where it was ingested: put it back"
    return DecodeTask(
        mined.source_id,
        path,
        mined.sha256,
        decoded_audio_folder(study, mined.source_id, mined.sha256),
        mined.n_samples,
        track=int(item.facts.get("track") or 0),
        salvage=item.reason_code == "salvaged",
    )


def sound_standing(study: Study, mined: Mined, known: Known) -> SoundStanding:
    """How far the sound is; a making that failed is said so until somebody begins it again."""
    if sound_of(study, mined) is not None:
        return SoundStanding("ready")
    job = known.makings.get(mined.source_id)
    if job is not None and not job.is_over:
        progress = job.progress
        return SoundStanding("making", progress.fraction if progress else None, job.eta_s)
    task = sound_task(study, mined, known)
    if isinstance(task, str):
        return SoundStanding("away", sentence=task)
    if job is not None and job.state in ("failed", "lost") and job.about.get("sha256") == mined.sha256:
        said = job.message if job.state == "failed" else ""
        return SoundStanding("away", sentence=said or f"the making of the sound of '{mined.source_id}' was stopped")
    return SoundStanding("none")


def begin_sound(study: Study, mined: Mined, *, again: bool = False) -> SoundStanding:
    """Begin to make the sound unless it is made, being made, or failed before and not asked for `again`."""
    with _starting:
        seen = known(study)
        now = sound_standing(study, mined, seen)
        if now.state in ("ready", "making") or (now.state == "away" and not again):
            return now
        if isinstance(sound_task(study, mined, seen), str):
            return now
        jobs.start(
            study,
            ["clips", "sound", mined.source_id, "--study", study.name],
            f"Sound of {mined.source_id} for the clipper",
            about={"sound": mined.source_id, "sha256": mined.sha256},
        )
        return SoundStanding("making", 0.0)


def shown_clips(study: Study, stands: Curated, source_id: SourceId, rate_hz: Hertz) -> list[ShownClip]:
    """Clips and picks in order of time. What a pick replaces, and a clip whose pick was taken back, is gone at once."""
    picks = stands.picks_of(source_id)
    listed = {clip.start_sample: clip for clip in clips_of(study, source_id)}
    found = [
        ShownClip(
            clip_id(source_id, pick.start_sample, rate_hz),
            pick,
            "picked",
            is_waiting=pick.start_sample not in listed or listed[pick.start_sample].arm != "picked",
        )
        for pick in picks
    ]
    for clip in listed.values():
        stretch = Pick(clip.start_sample, clip.n_samples)
        if clip.arm != "picked" and not overlaps_any(stretch, picks):
            found.append(ShownClip(clip.clip_id, stretch, clip.arm or "model", is_waiting=False))
    return sorted(found, key=lambda one: one.stretch)


def proposals(windows: Sequence[Proposal], clips: Sequence[ShownClip]) -> list[Proposal]:
    """Those of the candidate windows that meet no clip, best first."""
    taken = [clip.stretch for clip in clips]
    free = [one for one in windows if not overlaps_any(Pick(one.start_sample, one.n_samples), taken)]
    return sorted(free, key=lambda one: (-one.score, one.start_sample))


def candidates(study: Study, source_id: SourceId) -> tuple[Proposal, ...]:
    """The candidate windows of one source, in order of time."""
    return _candidates(study.candidates, stamp(study.candidates), source_id).get(source_id, ())


def all_candidates(study: Study) -> Mapping[SourceId, tuple[Proposal, ...]]:
    """The candidate windows of every source that has any."""
    return _candidates(study.candidates, stamp(study.candidates), None)


def onsets(study: Study, source_id: SourceId) -> list[Samples]:
    """Where windows may begin, in order: just before speech sets in."""
    return [one.start_sample for one in candidates(study, source_id)]


def speech(study: Study, mined: Mined) -> list[tuple[Samples, Samples]]:
    """Where somebody speaks, in order; from the windows alone where what was heard is not on this machine."""
    path = tracks_file(study, mined.source_id)
    try:
        return _speech(path, stamp(path), mined.rate_hz, study.settings.place)
    except DataError:
        speech_spans: list[tuple[Samples, Samples]] = []
        for one in candidates(study, mined.source_id):
            end = one.start_sample + one.n_samples
            if speech_spans and one.start_sample <= speech_spans[-1][1]:
                speech_spans[-1] = (speech_spans[-1][0], max(end, speech_spans[-1][1]))
            else:
                speech_spans.append((one.start_sample, end))
        return speech_spans


def repeated(study: Study, mined: Mined) -> list[tuple[Samples, Samples, str]]:
    """Stretches that sound elsewhere too, in order, each with what it is: opening, ending, recap, ..."""
    found = []
    for start_s, end_s, kind in _repeats(study, stamp(repeats_file(study))).get(mined.source_id, ()):
        end = min(end_s * mined.rate_hz, mined.n_samples)
        found.append((round(start_s * mined.rate_hz), round(end), kind))
    return sorted(found)


def nominated(study: Study, stands: Curated) -> dict[str, int]:
    """How many clips and picks each label of the scheme is nominated for, in scheme order."""
    sources = mineable(study)
    there = {clip.clip_id for clips in all_clips(study).values() for clip in clips}
    for name, picks in stands.picks.items():
        mined = sources.get(name)
        if isinstance(mined, Mined):
            there |= {clip_id(name, start, mined.rate_hz) for start in picks}
    counts = dict.fromkeys(study.scheme.label_names, 0)
    for name, label in stands.nominations.items():
        if name in there and label in counts:
            counts[label] += 1
    return counts


@lru_cache(maxsize=16)
def _sound(study: Study, source_id: SourceId, sha256: str, _facts: Stamp) -> DecodedAudio | None:
    return open_decoded_audio(study, source_id, sha256)


@lru_cache(maxsize=4)
def _candidates(path: Path, changed: Stamp, only: SourceId | None) -> Mapping[SourceId, tuple[Proposal, ...]]:
    import pyarrow.parquet as pq

    if not any(changed):
        return {}
    columns = ["source_id", "start_sample", "n_samples", "status", "reasons", "speech_ratio"]
    wanted = None if only is None else [("source_id", "==", only)]
    table = pq.read_table(path, columns=columns, filters=wanted).to_pydict()
    found: dict[SourceId, list[Proposal]] = {}
    for name, start, count, status, reasons, spoken in zip(*(table[column] for column in columns), strict=True):
        codes = tuple(filter(None, reasons.split(";")))
        worth = float(spoken or 0)
        for code in codes:
            screen = SCREENS.get(code.rpartition("_")[0])
            worth *= _HARD if code == "repeated" or (screen is not None and screen.is_hard) else _SOFT
        found.setdefault(name, []).append(Proposal(start, count, status, codes, round(min(1.0, max(0.0, worth)), 4)))
    return {name: tuple(sorted(windows, key=lambda one: one.start_sample)) for name, windows in found.items()}


@lru_cache(maxsize=8)
def _speech(path: Path, _changed: Stamp, rate_hz: Hertz, place: PlacementSettings) -> list[tuple[Samples, Samples]]:
    from pipelines.ingest.analysis.analyzer import load
    from pipelines.ingest.analysis.speech import speech_spans

    heard = speech_spans(load(path).speech, place)
    return [(round(span.start_s * rate_hz), round(span.end_s * rate_hz)) for span in heard]


@lru_cache(maxsize=2)
def _repeats(study: Study, _changed: Stamp) -> Mapping[SourceId, Sequence[tuple[Seconds, Seconds, str]]]:
    found: dict[SourceId, set[tuple[Seconds, Seconds, str]]] = {}
    for one in read_study_repeats(study).repeats:
        found.setdefault(one.source_a, set()).add((one.start_a_s, one.end_a_s, one.kind))
        found.setdefault(one.source_b, set()).add((one.start_b_s, one.end_b_s, one.kind))
    return {name: sorted(stretches) for name, stretches in found.items()}
