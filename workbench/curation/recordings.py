"""What can be mined by hand: every source as ingest measured it, and its clips, read again when their tables change."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pipelines.ingest.selection.manual_picks import Pick, Speaker, picks_file, read_picks, read_speakers, speakers_file
from pipelines.ingest.sources import Source, read_sources
from pipelines.manifest import read_clips
from pipelines.schema import Clip
from pipelines.study import Study
from pipelines.takedowns import read_takedowns
from pipelines.units import ClipId, Hertz, Samples, SourceId

Stamp = tuple[int, int]
_NOT_THERE: Stamp = (0, 0)


@dataclass(frozen=True, slots=True)
class Mined:
    """A source that can be picked from: its rate and length as ingest measured them, and its recording's checksum."""

    source: Source
    rate_hz: Hertz
    n_samples: Samples
    sha256: str

    @property
    def source_id(self) -> SourceId:
        return self.source.source_id


def mineable(study: Study) -> Mapping[SourceId, Mined | str]:
    """Every source with an id: what is known of it, or the sentence that says why nothing can be picked from it.

    Raises TableError.
    """
    return _mineable(study.sources_csv, stamp(study.sources_csv), stamp(study.takedowns_csv), study)


def clips_of(study: Study, source_id: SourceId) -> tuple[Clip, ...]:
    """The clips of one source in clips.csv, in order. Raises TableError."""
    return _clips(study.clips_csv, stamp(study.clips_csv)).get(source_id, ())


def all_clips(study: Study) -> Mapping[SourceId, tuple[Clip, ...]]:
    """The clips of clips.csv by source, in order. Raises TableError."""
    return _clips(study.clips_csv, stamp(study.clips_csv))


def clip_samples(study: Study, rate_hz: Hertz) -> Samples:
    """How long a clip of this study is at this rate."""
    return round(study.settings.clip.length_s * rate_hz)


def withdrawn(study: Study) -> frozenset[SourceId]:
    """Sources that were taken down."""
    return frozenset(row.source_id for row in read_takedowns(study))


def tables(study: Study) -> tuple[Mapping[SourceId, tuple[Pick, ...]], Mapping[ClipId, Speaker]]:
    """picks.csv and speakers.csv. Raises TableError."""
    return _tables(study, stamp(picks_file(study)), stamp(speakers_file(study)))


def stamp(path: Path) -> Stamp:
    """Tells one state of a file from another: its time of change in ns and its size."""
    try:
        state = path.stat()
    except FileNotFoundError:
        return _NOT_THERE
    return (state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _mineable(path: Path, changed: Stamp, _takedowns: Stamp, study: Study) -> Mapping[SourceId, Mined | str]:
    gone = withdrawn(study)
    found: dict[SourceId, Mined | str] = {}
    for source in read_sources(path) if changed != _NOT_THERE else ():
        told = source.measured
        name = source.source_id
        if not name:
            continue
        if source.is_taken_down or name in gone:
            found[name] = f"'{name}' was taken down"
        elif not all(told.get(cell, "").isdecimal() for cell in ("sample_rate_hz", "decoded_samples")):
            found[name] = f"'{name}' has not been ingested yet: run 'workbench ingest' first"
        else:
            found[name] = Mined(
                source, int(told["sample_rate_hz"]), int(told["decoded_samples"]), told.get("sha256", "")
            )
    return found


@lru_cache(maxsize=4)
def _clips(path: Path, changed: Stamp) -> Mapping[SourceId, tuple[Clip, ...]]:
    found: dict[SourceId, list[Clip]] = {}
    for clip in read_clips(path) if changed != _NOT_THERE else ():
        found.setdefault(clip.source_id, []).append(clip)
    return {name: tuple(sorted(clips, key=lambda clip: clip.start_sample)) for name, clips in found.items()}


@lru_cache(maxsize=4)
def _tables(
    study: Study, _picks: Stamp, _speakers: Stamp
) -> tuple[Mapping[SourceId, tuple[Pick, ...]], Mapping[ClipId, Speaker]]:
    return read_picks(study), read_speakers(study)
