"""What stands of all that curators did by hand: a plain function of the history, whatever pieces it came in."""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field

from pipelines.ingest.selection.manual_picks import Pick, Speaker, overlaps_any
from pipelines.schema import Clip
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


class Fold:
    """What stands, kept up event by event, in the order in which they were stored.

    The last word counts. An undone event never was; an undo itself is not undone, what it took back is done again.
    """

    def __init__(self, events: Sequence[CurationEvent] = ()) -> None:
        self._events: list[CurationEvent] = []
        self._by_id: dict[str, CurationEvent] = {}
        self._undone: set[str | None] = set()
        self._begin()
        self.add(events)

    @property
    def last_seq(self) -> int:
        """The number of the newest event, 0 before the first."""
        return self._events[-1].seq if self._events else 0

    def event(self, client_id: str) -> CurationEvent | None:
        """The event of that id."""
        return self._by_id.get(client_id)

    def add(self, events: Sequence[CurationEvent]) -> None:
        """The next events."""
        self._events += events
        self._by_id.update((event.client_id, event) for event in events)
        undoes = {event.undoes for event in events if event.kind == "undo"}
        if undoes:
            self._undone |= undoes
            self._begin()
            events = self._events
        for event in events:
            self._take(event)

    def and_then(self, events: Sequence[CurationEvent]) -> "Fold":
        """Another one, with further events."""
        other = copy(self)
        for name, held in vars(self).items():
            nested = name in ("_picks", "_skipped")
            setattr(other, name, {key: copy(value) for key, value in held.items()} if nested else copy(held))
        other.add(events)
        return other

    def stands(self) -> Curated:
        """What stands now."""
        return Curated(
            picks={source_id: dict(found) for source_id, found in self._picks.items() if found},
            nominations=dict(self._nominations),
            speakers=dict(self._speakers),
            skipped={source_id: frozenset(starts) for source_id, starts in self._skipped.items()},
            mined_to=dict(self._mined_to),
            decided=frozenset(self._decided),
            told=frozenset(self._told),
            speakers_lately=tuple(reversed(self._lately)),
        )

    def _begin(self) -> None:
        self._picks: dict[SourceId, dict[Samples, Pick]] = {}
        self._nominations: dict[ClipId, LabelName] = {}
        self._speakers: dict[ClipId, Speaker] = {}
        self._skipped: dict[SourceId, set[Samples]] = {}
        self._mined_to: dict[SourceId, Samples] = {}
        self._decided: set[tuple[SourceId, Samples]] = set()
        self._told: set[ClipId] = set()
        self._lately: dict[Speaker, None] = {}

    def _take(self, event: CurationEvent) -> None:
        start, speaker = event.start_sample, Speaker(event.speaker, event.gender)
        says_who = event.kind == "speaker" or (event.kind == "pick" and speaker != Speaker())
        if event.kind in ("pick", "unpick") and start is not None:
            self._decided.add((event.source_id, start))
        if says_who:
            self._told.add(event.clip_id)
        if event.client_id in self._undone:
            return
        if event.kind == "pick" and start is not None and event.n_samples is not None:
            self._picks.setdefault(event.source_id, {})[start] = Pick(start, event.n_samples)
        elif event.kind == "unpick" and start is not None:
            self._picks.get(event.source_id, {}).pop(start, None)
        elif event.kind == "skip" and start is not None:
            self._skipped.setdefault(event.source_id, set()).add(start)
        elif event.kind == "mined" and start is not None:
            self._mined_to[event.source_id] = max(start, self._mined_to.get(event.source_id, 0))
        if event.kind == "nominate" or (event.kind == "pick" and event.label is not None):
            self._nominations.pop(event.clip_id, None)
            if event.label is not None:
                self._nominations[event.clip_id] = event.label
        if says_who:
            self._speakers.pop(event.clip_id, None)
            if speaker != Speaker():
                self._speakers[event.clip_id] = speaker
                self._lately.pop(speaker, None)
                self._lately[speaker] = None


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


def withheld(stands: Curated, clips: Mapping[SourceId, Iterable[Clip]], *, only_here: bool) -> frozenset[ClipId]:
    """Clips of the table that are none any more: another stretch is picked over them, or their pick was taken back.

    With `only_here`, `stands` may lack picks of other machines, and a picked clip without a pick stays.
    """
    gone = set()
    for source_id, listed in clips.items():
        picks = stands.picks_of(source_id)
        for clip in listed:
            stretch = Pick(clip.start_sample, clip.n_samples)
            if clip.arm == "picked":
                is_gone = not only_here and stretch not in picks
            else:
                is_gone = overlaps_any(stretch, picks) and stretch not in picks
            if is_gone:
                gone.add(clip.clip_id)
    return frozenset(gone)
