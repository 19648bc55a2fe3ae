"""What withdrawing a source touches: its clips, the releases that hold them, other sources with the same sound."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.errors import ConfigError, UnknownName
from pipelines.ingest.series.shared_audio import RelatedSource, related_sources
from pipelines.ingest.sources import read_sources
from pipelines.manifest import read_clips
from pipelines.schema import Clip
from pipelines.study import Study
from pipelines.takedowns import Takedown, read_takedowns, takedowns_of_clips
from pipelines.units import ClipId, SourceId


@dataclass
class Withdrawal:
    """What a takedown met and did. `kept_files` are the owner's own recordings outside the study: those stay.

    `kin`: other sources with the same sound; `running`: jobs that may still write what is withdrawn into their logs.
    """

    source_id: SourceId
    clips: tuple[ClipId, ...]
    reason: str = ""
    date: str = ""
    is_again: bool = False
    files: int = 0
    files_wiped: int = 0
    feature_rows: int = 0
    kept_files: tuple[str, ...] = ()
    releases: dict[str, int] = field(default_factory=dict)
    kin: tuple[RelatedSource, ...] = ()
    running: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "source_id": self.source_id,
            "clips": list(self.clips),
            "reason": self.reason,
            "date": self.date,
            "again": self.is_again,
            "files_removed": self.files,
            "logs_changed": self.files_wiped,
            "feature_rows_removed": self.feature_rows,
            "left_in_place": list(self.kept_files),
            "releases": self.releases,
            "kin": [{**asdict(one), "close": one.is_close} for one in self.kin],
            "jobs_running": list(self.running),
        }


def find_source(study: Study, name: str) -> SourceId:
    """The id of the source named by id, address or file name. Raises UnknownName, ConfigError when two have it."""
    sources = read_sources(study.sources_csv) if study.sources_csv.is_file() else ()
    ids = {source.source_id for source in sources} | {row.source_id for row in read_takedowns(study)} - {""}
    if name in ids:
        return name
    meant = [source.source_id for source in sources if source.uri == name and source.source_id]
    if len(meant) > 1:
        raise ConfigError(f"'{name}' is the file name of {len(meant)} sources: name one of {', '.join(meant)}")
    if not meant:
        raise UnknownName("source", name, ids)
    return meant[0]


def outlook(study: Study, name: str) -> Withdrawal:
    """What `take_down` would withdraw, nothing done. Raises UnknownName, ConfigError."""
    source_id = find_source(study, name)
    clips = tuple(clip.clip_id for clip in listed_clips(study) if clip.source_id == source_id)
    earlier = [row for row in read_takedowns(study) if row.source_id == source_id]
    return Withdrawal(
        source_id,
        clips,
        is_again=bool(earlier),
        releases=releases_with(study, clips),
        kin=related_sources(study, source_id),
    )


def listed_clips(study: Study) -> tuple[Clip, ...]:
    """The clips of the study; none where there is no table."""
    return read_clips(study.clips_csv) if study.clips_csv.is_file() else ()


def releases_with(study: Study, clips: Sequence[ClipId]) -> dict[str, int]:
    """How many of `clips` each release holds."""
    from pipelines.release import list_releases

    asked = frozenset(clips)
    counts = {
        release.name: sum(clip.clip_id in asked for clip in read_clips(release.folder / "clips.csv"))
        for release in list_releases(study)
        if (release.folder / "clips.csv").is_file()
    }
    return {name: count for name, count in counts.items() if count}


def withdrawn_from(study: Study, release: str) -> tuple[Takedown, ...]:
    """The takedowns that touch a release, each with the release's clips that it withdrew. Raises UnknownName."""
    from pipelines.release import find_release

    table = find_release(study, release).folder / "clips.csv"
    return takedowns_of_clips(study, [clip.clip_id for clip in read_clips(table)] if table.is_file() else [])
