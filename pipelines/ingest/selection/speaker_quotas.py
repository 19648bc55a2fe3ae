"""Which clips leave because their speaker has more of them in the study than `[select] most_per_speaker` allows."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pipelines.ingest.selection.manual_picks import read_speakers
from pipelines.ingest.selection.quotas import over
from pipelines.manifest import read_clips
from pipelines.study import Study
from pipelines.units import ClipId, SourceId


@dataclass(frozen=True, slots=True)
class Speakers:
    """Who speaks in which clip, where somebody said so; one name is one person throughout the study.

    `elsewhere`: how many clips each has in sources that another machine ingested, which stay and count.
    """

    by_clip: Mapping[ClipId, str] = field(default_factory=dict)
    elsewhere: Mapping[str, int] = field(default_factory=dict)

    @property
    def sources(self) -> frozenset[SourceId]:
        """Those with a clip of which somebody said who speaks."""
        return frozenset(name.rpartition("-")[0] for name in self.by_clip)

    def over(self, clips: Mapping[ClipId, bool], most: int | None) -> frozenset[ClipId]:
        """Those of `clips` that leave so that no speaker has more than `most`; None: none does.

        `clips` says of each whether somebody picked it by hand: such a one counts and never leaves.
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
        full = (over("speaker cap", names, left.get(speaker, most)) for speaker, names in by_speaker.items())
        return frozenset().union(*full)


def speakers_of(study: Study, here: Collection[SourceId], listed: Collection[SourceId] | None = None) -> Speakers:
    """What speakers.csv says, and clips.csv of sources that are not `here`, of these only those `listed` where given.

    Empty where the study has no cap per speaker. Raises TableError.
    """
    if study.settings.select.most_per_speaker is None:
        return Speakers()
    said = read_speakers(study)
    clips = read_clips(study.clips_csv) if study.clips_csv.is_file() else ()
    elsewhere: Counter[str] = Counter()
    for clip in clips:
        if clip.source_id not in here and (listed is None or clip.source_id in listed):
            elsewhere[said[clip.clip_id].speaker if clip.clip_id in said else clip.speaker] += 1
    del elsewhere[""]
    return Speakers({name: one.speaker for name, one in said.items() if one.speaker}, elsewhere)
