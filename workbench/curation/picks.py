"""Clips that a curator picks by hand, nominations and speakers: stored as events, checked, and handed on to ingest.

The store is the truth. picks.csv, speakers.csv and the clips' files follow from it, and whatever stopped a program
between the two is made good by the next one that calls `write_tables`. Nominations never leave the store.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import get_args

import sqlalchemy as sa

from pipelines.atomic_write import remove_leftovers, write_text
from pipelines.errors import DataError, TableError
from pipelines.ingest.preview.decoded_audio import open_decoded_audio
from pipelines.ingest.selection.manual_picks import (
    Pick,
    gender_problem,
    picks_file,
    picks_to_csv,
    speaker_problem,
    speakers_file,
    speakers_to_csv,
)
from pipelines.media.audio import write_pcm16
from pipelines.schema import clip_id
from pipelines.study import Study
from pipelines.units import ClipId, Samples, SourceId
from workbench.curation.current_picks import Curated, Fold, with_tables, withheld
from workbench.curation.recordings import Mined, all_clips, clip_samples, clips_of, mineable, stamp, tables, withdrawn
from workbench.labels.clips_in_use import Taken, kept, meet, overlap, stretches, taken_of
from workbench.store import Refused, Store, open_store
from workbench.store.connection import store_url
from workbench.store.curation import CurationEvent, CurationKind, add_curation, curation_events, stored_among
from workbench.store.values import plain

_LONGEST_ID = 200


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a batch. `acked`: safely stored, now or before; `new`: just now; `undone`: what that took back.

    A pick that was made again since, by somebody else perhaps, stands and is not among `undone`.
    """

    acked: tuple[str, ...]
    refused: tuple[Refused, ...] = ()
    new: tuple[CurationEvent, ...] = ()
    undone: tuple[CurationEvent, ...] = ()


class Desk:
    """The picks of one study. Safe to share between threads; several processes may each have one."""

    def __init__(self, study: Study, store: Store) -> None:
        self._place = study
        self.store = store
        self._lock = threading.Lock()
        self._fold = Fold()
        self._withheld: tuple[tuple[object, ...], frozenset[ClipId]] | None = None

    @property
    def study(self) -> Study:
        """The study with its settings as they are now."""
        return Study(self._place.root, self._place.name)

    def stands(self) -> Curated:
        """What stands now, the tables' rows from other machines with it. Raises TableError."""
        with self.store.reading() as connection:
            return self._with_tables(self._read(connection).stands())

    def taken(self, source_id: SourceId) -> Mapping[ClipId, Taken]:
        """Clips of the source that people have labelled or are hearing: those stay as they are."""
        with self.store.reading() as connection:
            return taken_of(connection, source_id, datetime.now(UTC))

    def withheld(self, connection: sa.Connection) -> frozenset[ClipId]:
        """Clips of clips.csv that nobody should be given any more, though the table still lists them.

        An ingest that runs keeps the table as it is until its end, for a night perhaps. Worked out when something
        changed, within the transaction that gives clips away: a pick comes before it or after, never beside it.
        """
        study, fold = self.study, self._read(connection)
        files = (study.clips_csv, picks_file(study))
        state = (fold.last_seq, *map(stamp, files))
        with self._lock:
            if self._withheld is not None and self._withheld[0] == state:
                return self._withheld[1]
        found: frozenset[ClipId] = frozenset()
        if fold.last_seq or picks_file(study).is_file():
            here = fold.stands()
            try:
                stands, only_here = self._with_tables(here), False
            except TableError:  # a curator's table is no reason to keep annotators waiting
                stands, only_here = here, True
            found = withheld(stands, all_clips(study), only_here=only_here)
        with self._lock:
            self._withheld = state, found
        return found

    def record(self, events: Sequence[CurationEvent]) -> Done:
        """Store events in the order given, in one transaction; what is acknowledged survives a power cut.

        Idempotent by client id. An event that does not fit (an overlap, a clip that is labelled) is refused by itself,
        in one sentence. Raises TableError, StoreError.
        """
        now = datetime.now(UTC)
        acked: list[str] = []
        refused: list[Refused] = []
        new: list[CurationEvent] = []
        with self.store.writing() as connection:
            history = self._read(connection)
            known = dict(stored_among(connection, [event.client_id for event in events]))
            for given in events:
                problem: str | None = None
                if given.client_id not in known:
                    stands = self._with_tables(history.stands())
                    event = self._completed(given, stands)
                    if isinstance(event, str):
                        problem = event
                    elif (problem := self._problem(event, stands, history, connection, now)) is None:
                        add_curation(connection, event, now)
                        known[event.client_id] = event
                        new.append(event)
                        history = history.and_then([event])
                elif known[given.client_id].rater != given.rater:
                    problem = "another person's pick has this id"
                if problem is None:
                    acked.append(given.client_id)
                else:
                    refused.append(Refused(given.client_id, problem))
        stand = {(name, start) for name, found in history.stands().picks.items() for start in found} if new else set()
        took_back = [history.event(event.undoes) for event in new if event.undoes is not None]
        undone = tuple(one for one in took_back if one is not None and (one.source_id, one.start_sample) not in stand)
        return Done(tuple(dict.fromkeys(acked)), tuple(refused), tuple(new), undone)

    def write_tables(self) -> bool:
        """Bring picks.csv and speakers.csv up to what stands; returns whether a byte changed.

        Within a transaction, so that no later state can be overwritten by an earlier one. Raises TableError, and
        DataError where a table from elsewhere holds a pick that overlaps one of this store.
        """
        study = self.study
        with self.store.writing() as connection:
            stands = self._with_tables(self._read(connection).stands())
            gone = withdrawn(study)
            picks = {name: found.values() for name, found in stands.picks.items() if name not in gone}
            for name in picks:
                _check_apart(name, stands.picks_of(name))
            speakers = {name: one for name, one in stands.speakers.items() if name.rpartition("-")[0] not in gone}
            remove_leftovers(
                study.manifests, "picks.csv", "speakers.csv"
            )  # of a server that was killed while it wrote them
            changed = False
            if any(picks.values()) or picks_file(study).is_file():
                changed |= write_text(picks_file(study), picks_to_csv(picks))
            if speakers or speakers_file(study).is_file():
                changed |= write_text(speakers_file(study), speakers_to_csv(speakers))
        return changed

    def _read(self, connection: sa.Connection) -> Fold:
        """The history as far as it is stored; the one that is returned is not changed any more."""
        with self._lock:
            newer = curation_events(connection, after=self._fold.last_seq)
            if newer:
                self._fold = self._fold.and_then(newer)
            return self._fold

    def _with_tables(self, here: Curated) -> Curated:
        return with_tables(here, *tables(self.study))

    def _completed(self, event: CurationEvent, stands: Curated) -> CurationEvent | str:
        """The event with all that follows from what it says, or what is wrong with it whatever else stands."""
        if event.kind not in get_args(CurationKind):  # it may have come over a wire
            return f"'{event.kind}' is nothing that can be done; expected one of {', '.join(get_args(CurationKind))}"
        if not event.client_id or len(event.client_id) > _LONGEST_ID or not event.client_id.isprintable():
            return "it needs an id of 1 to 200 printable characters"
        if event.kind == "undo":
            return event if event.undoes else "it does not say what is taken back"
        mined = mineable(self.study).get(event.source_id)
        if isinstance(mined, str) or mined is None:
            return mined or f"there is no source '{event.source_id}' in this study"
        start = event.start_sample
        if start is None or start < 0:
            return "it does not say where"
        labels = self.study.scheme.label_names
        if event.label is not None and event.label not in labels:
            return f"unknown emotion '{event.label}'; known: {', '.join(labels)}"
        speaker = " ".join(plain(event.speaker).split())
        problem = speaker_problem(speaker) or gender_problem(event.gender)
        if problem is not None:
            return problem
        length = clip_samples(self.study, mined.rate_hz)
        if event.kind == "pick":
            if event.n_samples not in (None, length):
                return f"a clip of this study lasts {self.study.settings.clip.length_s:g} s: expected {length} samples"
            if start + length > mined.n_samples:
                return f"the recording ends at {mined.n_samples / mined.rate_hz:.3f} s: a clip from there would not fit"
        if event.kind in ("nominate", "speaker") and not self._has_clip(event.source_id, start, stands):
            return f"there is no clip at {start / mined.rate_hz:.3f} s"
        return replace(
            event,
            clip_id=clip_id(event.source_id, start, mined.rate_hz),
            n_samples=length if event.kind == "pick" else None,
            scheme=self.study.settings.scheme,
            speaker=speaker,
        )

    def _has_clip(self, source_id: SourceId, start: Samples, stands: Curated) -> bool:
        listed = any(clip.start_sample == start for clip in clips_of(self.study, source_id))
        return listed or start in stands.picks.get(source_id, {})

    def _problem(
        self,
        event: CurationEvent,
        stands: Curated,
        history: Fold,
        connection: sa.Connection,
        now: datetime,
    ) -> str | None:
        if event.kind == "undo":
            of = history.event(event.undoes or "")
            if of is None:
                return "what is to be taken back is not here"
            if of.kind in ("undo", "unpick"):
                return "what was taken back comes back by doing it again"
            if of.rater != event.rater:
                return "somebody else did that, and an undo takes back one's own alone"
            if of.kind == "pick":
                return kept(of.source_id, of.clip_id, connection, now)
            return None
        if event.kind == "unpick":
            if event.start_sample not in stands.picks.get(event.source_id, {}):
                return "there is no pick at this place"
            return kept(event.source_id, event.clip_id, connection, now)
        if event.kind == "pick" and event.start_sample is not None and event.n_samples is not None:
            source_id = event.source_id
            mined = mineable(self.study)[source_id]
            if isinstance(mined, str):
                return mined
            pick = Pick(event.start_sample, event.n_samples)
            taken = taken_of(connection, source_id, now)
            fixed = stretches(taken, clips_of(self.study, source_id), mined.rate_hz, event.n_samples)
            return overlap(pick, stands.picks_of(source_id), fixed, mined.rate_hz)
        return None


def cut(study: Study, mined: Mined, pick: Pick) -> bool:
    """Write the clip's file from the exact sound; False while that is not made, and ingest cuts it then.

    Raises MediaError, OSError.
    """
    sound = open_decoded_audio(study, mined.source_id, mined.sha256)
    if sound is None:
        return False
    path = study.clip_path(clip_id(mined.source_id, pick.start_sample, mined.rate_hz))
    pcm = sound.samples(pick.start_sample, pick.n_samples)
    try:
        write_pcm16(path, pcm, mined.rate_hz)
    except FileNotFoundError:  # an ingest that began at this very moment swept the half-made file away, once
        write_pcm16(path, pcm, mined.rate_hz)
    return True


def follow(study: Study, done: Done) -> None:
    """Make or remove the files of what was picked or taken back just now. Raises MediaError, OSError."""
    for event in (*done.undone, *(event for event in done.new if event.kind == "unpick")):
        if event.kind in ("pick", "unpick"):
            study.clip_path(event.clip_id).unlink(missing_ok=True)  # a model clip of the same id is cut again by ingest
    taken_back = {event.client_id for event in done.undone}
    last = {(event.source_id, event.start_sample): event.kind for event in done.new if event.kind in ("pick", "unpick")}
    for event in done.new:
        mined = mineable(study).get(event.source_id)
        if event.kind != "pick" or event.client_id in taken_back or not isinstance(mined, Mined):
            continue
        if last[event.source_id, event.start_sample] == "unpick":  # a page that was offline sends both at once
            continue
        if event.start_sample is None or event.n_samples is None:
            continue
        if not cut(study, mined, Pick(event.start_sample, event.n_samples)):
            study.clip_path(event.clip_id).unlink(missing_ok=True)  # perhaps a model clip of the same millisecond


def make_good(study: Study) -> None:
    """Write the tables of picks that were stored by a program which was stopped before it could. Raises as they do."""
    if study.labels_db.is_file() or store_url(study):
        with open_store(study) as store:
            Desk(study, store).write_tables()


def _check_apart(source_id: SourceId, picks: Sequence[Pick]) -> None:
    for before, after in pairwise(picks):
        if meet(before, after):
            raise DataError(
                f"picks.csv and the picks made on this machine have overlapping clips of '{source_id}', at samples "
                f"{before.start_sample} and {after.start_sample}: take one of them out of picks.csv, or unpick it here"
            )
