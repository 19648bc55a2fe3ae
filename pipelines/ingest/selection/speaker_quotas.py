"""Speaker quotas: clips to reject because their speaker has more than `[select] max_per_speaker` in the study."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pipelines.ingest.selection.manual_picks import read_speakers
from pipelines.ingest.selection.quotas import over_quota
from pipelines.manifest import read_clips
from pipelines.study import Study
from pipelines.units import ClipId, SourceId


@dataclass(frozen=True, slots=True)
class ClipSpeakers:
    """Speaker of each clip, where known; one name is one person throughout the study.

    `elsewhere`: clips per speaker in sources that another machine ingested; they stay and count.
    """

    by_clip: Mapping[ClipId, str] = field(default_factory=dict)
    elsewhere: Mapping[str, int] = field(default_factory=dict)

    @property
    def sources(self) -> frozenset[SourceId]:
        """Sources with a clip whose speaker is known."""
        return frozenset(name.rpartition("-")[0] for name in self.by_clip)

    def over_quota(self, clips: Mapping[ClipId, bool], most: int | None) -> frozenset[ClipId]:
        """The clips to reject so that no speaker has more than `most`; None: no limit.

        `clips`: whether each clip was picked by hand; a picked clip counts and always stays.
        """
        if most is None:
            return frozenset()
        by_speaker: dict[str, list[ClipId]] = {}
        left = {speaker: most - count for speaker, count in self.elsewhere.items()}
        for name, picked in clips.items():
            speaker = self.by_clip.get(name)
            if speaker is None:
                continue
            if picked:
                left[speaker] = left.get(speaker, most) - 1
            else:
                by_speaker.setdefault(speaker, []).append(name)
        full = (over_quota("speaker cap", names, left.get(speaker, most)) for speaker, names in by_speaker.items())
        return frozenset().union(*full)


def read_clip_speakers(
    study: Study, here: Collection[SourceId], listed: Collection[SourceId] | None = None
) -> ClipSpeakers:
    """Speakers from speakers.csv, and from clips.csv for sources not `here` (if given, only those in `listed`).

    Empty if the study has no quota per speaker. Raises TableError.
    """
    if study.settings.select.max_per_speaker is None:
        return ClipSpeakers()
    said = read_speakers(study)
    clips = read_clips(study.clips_csv) if study.clips_csv.is_file() else ()
    elsewhere: Counter[str] = Counter()
    for clip in clips:
        if clip.source_id not in here and (listed is None or clip.source_id in listed):
            elsewhere[said[clip.clip_id].speaker if clip.clip_id in said else clip.speaker] += 1
    del elsewhere[""]
    return ClipSpeakers({name: one.speaker for name, one in said.items() if one.speaker}, elsewhere)
