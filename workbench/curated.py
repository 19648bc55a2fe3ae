"""What stands of all that curators did by hand: a plain function of the history."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.ingest.picks import Pick, Speaker
from pipelines.units import ClipId, LabelName, Samples, SourceId
from workbench.store.curation import CurationEvent


@dataclass(frozen=True, slots=True)
class Curated:
    """Picks by source and first sample; nominations and speakers by clip; what was seen of each source.

    `decided` and `told` hold every stretch and clip that the history has a word on, also one taken back: of those a
    table written elsewhere has nothing to add. `speakers_lately`: as they were last given, the newest first.
    """

    picks: Mapping[SourceId, Mapping[Samples, Pick]] = field(default_factory=dict)
    nominations: Mapping[ClipId, LabelName] = field(default_factory=dict)
    speakers: Mapping[ClipId, Speaker] = field(default_factory=dict)
    skipped: Mapping[SourceId, frozenset[Samples]] = field(default_factory=dict)
    mined_to: Mapping[SourceId, Samples] = field(default_factory=dict)
    decided: frozenset[tuple[SourceId, Samples]] = frozenset()
    told: frozenset[ClipId] = frozenset()
    speakers_lately: tuple[Speaker, ...] = ()

    def picks_of(self, source_id: SourceId) -> tuple[Pick, ...]:
        """The picks of one source, in order of time."""
        return tuple(sorted(self.picks.get(source_id, {}).values()))


def curated(events: Sequence[CurationEvent]) -> Curated:
    """What stands after `events`, given in the order in which they were stored.

    The last word counts. An undone event never was; an undo itself is not undone, what it took back is done again.
    """
    undone = {event.undoes for event in events if event.kind == "undo"}
    picks: dict[SourceId, dict[Samples, Pick]] = {}
    nominations: dict[ClipId, LabelName] = {}
    speakers: dict[ClipId, Speaker] = {}
    skipped: dict[SourceId, set[Samples]] = {}
    mined_to: dict[SourceId, Samples] = {}
    decided: set[tuple[SourceId, Samples]] = set()
    told: set[ClipId] = set()
    lately: dict[Speaker, None] = {}
    for event in events:
        start = event.start_sample
        if event.kind in ("pick", "unpick") and start is not None:
            decided.add((event.source_id, start))
        speaker = Speaker(event.speaker, event.gender)
        if event.kind == "speaker" or (event.kind == "pick" and speaker != Speaker()):
            told.add(event.clip_id)
        if event.client_id in undone:
            continue
        if event.kind == "pick" and start is not None and event.n_samples is not None:
            picks.setdefault(event.source_id, {})[start] = Pick(start, event.n_samples)
        elif event.kind == "unpick" and start is not None:
            picks.get(event.source_id, {}).pop(start, None)
        elif event.kind == "skip" and start is not None:
            skipped.setdefault(event.source_id, set()).add(start)
        elif event.kind == "mined" and start is not None:
            mined_to[event.source_id] = max(start, mined_to.get(event.source_id, 0))
        if event.kind == "nominate" or (event.kind == "pick" and event.label is not None):
            nominations.pop(event.clip_id, None)
            if event.label is not None:
                nominations[event.clip_id] = event.label
        if event.kind == "speaker" or (event.kind == "pick" and speaker != Speaker()):
            speakers.pop(event.clip_id, None)
            if speaker != Speaker():
                speakers[event.clip_id] = speaker
                lately.pop(speaker, None)
                lately[speaker] = None
    return Curated(
        picks={source_id: found for source_id, found in picks.items() if found},
        nominations=nominations,
        speakers=speakers,
        skipped={source_id: frozenset(starts) for source_id, starts in skipped.items()},
        mined_to=mined_to,
        decided=frozenset(decided),
        told=frozenset(told),
        speakers_lately=tuple(reversed(lately)),
    )


def with_tables(here: Curated, picks: Mapping[SourceId, Iterable[Pick]], speakers: Mapping[ClipId, Speaker]) -> Curated:
    """`here`, and what picks.csv and speakers.csv hold that its history has no word on: another machine's work."""
    all_picks = {source_id: dict(found) for source_id, found in here.picks.items()}
    for source_id, listed in picks.items():
        for pick in listed:
            if (source_id, pick.start_sample) not in here.decided:
                all_picks.setdefault(source_id, {})[pick.start_sample] = pick
    foreign = {clip_id: speaker for clip_id, speaker in speakers.items() if clip_id not in here.told}
    return Curated(
        picks=all_picks,
        nominations=here.nominations,
        speakers={**foreign, **here.speakers},
        skipped=here.skipped,
        mined_to=here.mined_to,
        decided=here.decided,
        told=here.told,
        speakers_lately=tuple(dict.fromkeys([*here.speakers_lately, *foreign.values()])),
    )
