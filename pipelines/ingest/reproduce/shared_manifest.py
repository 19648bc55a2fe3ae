"""Shared manifest: a clips.csv with the sources.csv and the clip checks that verifying and rebuilding need."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import ConfigError
from pipelines.ingest.reproduce.clip_checks import ClipCheck, checks_path, read_checks
from pipelines.ingest.sources import Source, read_sources
from pipelines.manifest import read_clips
from pipelines.schema import Clip
from pipelines.units import ClipId, SourceId


@dataclass(frozen=True, slots=True)
class SharedManifest:
    """A shared table of clips with the sources that it was cut from."""

    path: Path
    clips: tuple[Clip, ...]
    sources: Mapping[SourceId, Source]

    def recording_sha256(self, source_id: SourceId) -> str:
        """The listed checksum of a source's recording; empty where it is unknown."""
        source = self.sources.get(source_id)
        return "" if source is None else source.measured.get("sha256", "")

    def is_withdrawn(self, source_id: SourceId) -> bool:
        """Whether a source was taken down."""
        source = self.sources.get(source_id)
        return source is not None and source.is_taken_down


def open_manifest(path: Path) -> SharedManifest:
    """Open a clips.csv, or the folder that holds one, with the sources.csv beside it (for a release: of its study).

    Raises TableError, ConfigError when there is none.
    """
    file = path / "clips.csv" if path.is_dir() else path
    if not file.is_file():
        raise ConfigError(f"{path}: holds no clips.csv; give a manifest, or the folder of a shared study")
    candidates = [folder / "sources.csv" for folder in (file.parent, file.parent.parent.parent)]
    listed = next((table for table in candidates if table.is_file()), None)
    if listed is None:
        raise ConfigError(f"{file}: there is no sources.csv beside it, so the recordings are unknown; add the table")
    sources = {source.source_id: source for source in read_sources(listed) if source.source_id}
    return SharedManifest(file, read_clips(file), sources)


def manifest_checks(manifest: SharedManifest) -> dict[ClipId, ClipCheck]:
    """The checks beside the manifest (for a release: of its study) that match its clips. Raises DataError."""
    places = (checks_path(manifest.path), manifest.path.parent.parent.parent / "clips_check.parquet")
    found = read_checks(next((place for place in places if place.is_file()), places[0]))
    return {
        clip.clip_id: found[clip.clip_id]
        for clip in manifest.clips
        if clip.clip_id in found and found[clip.clip_id].pcm_sha256 == clip.pcm_sha256
    }
