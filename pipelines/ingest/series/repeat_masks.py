"""What sounds twice among the sources of a study, and where clips must not stand because of it.

A pure function of the sources that are done: the same ones in any order give the same masks. The search is repeated
only when their fingerprints or their order change, and an edge that was once found in the sound itself stays known
when the recordings are no longer at hand. The result lies in data/NAME/repeats.json, where pages read it.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.atomic_write import write_text
from pipelines.errors import DataError, MediaError
from pipelines.execution.process_pool import Failed, Tell, WorkerCrashed, run_each
from pipelines.ingest.series.air_order import airing
from pipelines.ingest.sources import Source, slug
from pipelines.ingest.state.queue import Item, Queue
from pipelines.progress import Report, silent
from pipelines.study import Study
from pipelines.units import Audio, Seconds, SourceId

if TYPE_CHECKING:  # the package imports scipy.signal, which takes a second
    from pipelines.ingest.analysis.fingerprint import Fingerprint
    from pipelines.ingest.repeats.model import Interval, Repeat

#: Names how repeats are searched and heard. A change to the numbers there asks for a new name: all is done anew.
SEARCH = "repeats-1"
#: The stage under which progress is told.
LISTENING = "listening to repeats"


@dataclass(frozen=True, slots=True)
class Copy:
    """A source that holds what an earlier one holds; `overlap` is the share of it that does, 0 to 1."""

    dup_of: SourceId
    overlap: float


@dataclass(frozen=True)
class Repeated:
    """What repeats in a study. `order` is that of airing, `seconds` how long each source is.

    `unread` are sources that are done but could not be compared: no fingerprint, or one of another version.
    """

    order: tuple[SourceId, ...] = ()
    seconds: Mapping[SourceId, Seconds] = field(default_factory=dict)
    repeats: "tuple[Repeat, ...]" = ()
    copies: Mapping[SourceId, Copy] = field(default_factory=dict)
    unread: tuple[SourceId, ...] = ()

    @cached_property
    def masks(self) -> "Mapping[SourceId, tuple[Interval, ...]]":
        """Where no clip may stand, for the sources that have such stretches: in order, without overlap, seconds."""
        from pipelines.ingest.repeats.model import mask

        touched = {source for repeat in self.repeats for source in (repeat.source_a, repeat.source_b)}
        found = ((source, mask(self.repeats, source)) for source in self.order if source in touched)
        return {source: intervals for source, intervals in found if intervals}


def repeats_of(
    study: Study,
    queue: Queue,
    sources: Iterable[Source],
    report: Report = silent,
    *,
    jobs: int | None = None,
    listen: bool = True,
) -> Repeated:
    """What repeats among those of `sources` that are done and not taken down, here or, by sources.csv, elsewhere.

    A recap counts only where an earlier source holds it; earlier is: within a series by season and episode, else by
    upload_date, else by source_id. Edges are found in the sound where the recordings are at hand, by one further
    decode of those that repeat; without `listen`, and of a recording that cannot be read, they are as the fingerprint
    gives them.
    Raises Cancelled out of `report`.
    """
    items = queue.items()
    marked = [_Marked.of(source, items.get(source.source_id)) for source in airing(sources, items)]
    compared = [one for one in marked if one is not None]
    file = repeats_file(study)
    before = _read(file)
    known = _asked(compared)
    if before.asked == known and not (listen and any(_is_here(queue, items, pair) for pair in before.unheard)):
        return before.repeated
    here = {name: item for name, item in items.items() if listen and _is_here(queue, items, [name])}
    done = _searched(compared, before if before.search == SEARCH else _Kept(), here, report, jobs)
    write_text(file, done.text(known))
    return done.repeated


def read_repeated(study: Study) -> Repeated:
    """What the last ingest found, also while another one runs; nothing where there was none."""
    return _read(repeats_file(study)).repeated


def forget(study: Study, source_id: SourceId) -> None:
    """Take a withdrawn source out of the result; the next ingest looks again."""
    file = repeats_file(study)
    if not file.is_file():
        return
    before = _read(file)
    found = before.repeated
    rest = _Kept(
        Repeated(
            order=tuple(name for name in found.order if name != source_id),
            seconds={name: seconds for name, seconds in found.seconds.items() if name != source_id},
            repeats=tuple(repeat for repeat in found.repeats if source_id not in _pair(repeat)),
            copies={name: copy for name, copy in found.copies.items() if source_id not in (name, copy.dup_of)},
            unread=tuple(name for name in found.unread if name != source_id),
        ),
        heard={key: one for key, one in before.heard.items() if source_id not in key.split(" ")},
    )
    write_text(file, rest.text(asked=""))


def repeats_file(study: Study) -> Path:
    """Where the result is kept: private, and made again where it is missing."""
    return study.private / "repeats.json"


@dataclass(frozen=True, slots=True)
class _Marked:
    """A source with its fingerprint as text."""

    source_id: SourceId
    series: str
    algorithm: str
    text: str

    @classmethod
    def of(cls, source: Source, item: Item | None) -> "_Marked | None":
        """None where the source is not done; without a fingerprint where nobody has made one."""
        if source.is_taken_down:
            return None
        is_done = item is not None and item.status == "done"
        if not is_done and source.measured.get("status") != "ok":
            return None
        facts = item.facts if item is not None and is_done else source.measured
        return cls(source.source_id, slug(source.series), facts.get("fp_algo", ""), facts.get("fp_b64", ""))

    @property
    def mark(self) -> str:
        return hashlib.sha256(f"{self.algorithm} {self.text}".encode()).hexdigest()


@dataclass(frozen=True)
class _Kept:
    """repeats.json. `heard`: what listening made of a repeat, by `_key`; None for a match by chance."""

    repeated: Repeated = Repeated()
    search: str = ""
    asked: str = ""
    heard: "Mapping[str, Repeat | None]" = field(default_factory=dict)
    #: Pairs of sources with repeats that were not heard, for want of a recording.
    unheard: tuple[tuple[SourceId, SourceId], ...] = ()

    def text(self, asked: str) -> str:
        """As JSON, the same for the same content."""
        found = self.repeated
        document = {
            "search": SEARCH,
            "asked": asked,
            "sources": {source: found.seconds.get(source) for source in found.order},
            "unread": found.unread,
            "copies": {source: asdict(copy) for source, copy in found.copies.items()},
            "repeats": [_cells(repeat) for repeat in found.repeats],
            "unheard": self.unheard,
            "heard": {key: None if one is None else _cells(one) for key, one in sorted(self.heard.items())},
        }
        return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _read(file: Path) -> _Kept:
    """The file's content; nothing where it is missing or not ours, since it can be made again."""
    from pipelines.ingest.repeats.model import Repeat

    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return _Kept(
            Repeated(
                order=tuple(document["sources"]),
                seconds={source: seconds for source, seconds in document["sources"].items() if seconds is not None},
                repeats=tuple(Repeat(*cells) for cells in document["repeats"]),
                copies={source: Copy(**copy) for source, copy in document["copies"].items()},
                unread=tuple(document["unread"]),
            ),
            document["search"],
            document["asked"],
            {key: None if cells is None else Repeat(*cells) for key, cells in document["heard"].items()},
            tuple((a, b) for a, b in document["unheard"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _Kept()


def _cells(repeat: "Repeat") -> list[Any]:
    return [getattr(repeat, cell.name) for cell in fields(repeat)]


def _asked(marked: Sequence[_Marked]) -> str:
    """A digest over all that the result depends on, but for which recordings are at hand."""
    rows = [[one.source_id, one.series, one.mark] for one in marked]
    return hashlib.sha256(json.dumps([SEARCH, rows]).encode()).hexdigest()


def _searched(
    marked: Sequence[_Marked],
    before: _Kept,
    here: Mapping[SourceId, Item],
    report: Report,
    jobs: int | None,
) -> _Kept:
    from pipelines.ingest.analysis.fingerprint import Fingerprint, from_text
    from pipelines.ingest.repeats import find_repeats

    read: dict[SourceId, Fingerprint] = {}
    for one in marked:
        try:
            read[one.source_id] = from_text(one.source_id, one.algorithm, one.text)
        except DataError:
            continue
    series = {one.source_id: one.series for one in marked}
    found = find_repeats(list(read.values()), report, series=[series[source] for source in read])
    marks = {one.source_id: one.mark for one in marked}
    keys = [_key(repeat, marks) for repeat in found]
    present = frozenset(marks.values())
    heard = {key: one for key, one in before.heard.items() if present.issuperset(key.split(" ")[:2])}
    new = {
        key: repeat
        for key, repeat in zip(keys, found, strict=True)
        if repeat.kind != "reupload" and key not in heard and here.keys() >= set(_pair(repeat))
    }
    heard |= _listened(new, here, report, jobs)
    best = [_best(repeat, key, heard) for key, repeat in zip(keys, found, strict=True)]
    left = {
        _pair(repeat) for key, repeat in zip(keys, found, strict=True) if repeat.kind != "reupload" and key not in heard
    }
    return _Kept(
        Repeated(
            order=tuple(one.source_id for one in marked),
            seconds={source: mark.duration_s for source, mark in read.items()},
            repeats=tuple(repeat for repeat in best if repeat is not None),
            copies=_copies(found, read),
            unread=tuple(one.source_id for one in marked if one.source_id not in read),
        ),
        heard=heard,
        unheard=tuple(sorted(left)),
    )


def _best(repeat: "Repeat", key: str, heard: "Mapping[str, Repeat | None]") -> "Repeat | None":
    """The repeat as it was heard, if it was; a re-upload as it is."""
    known = heard.get(key, repeat) if repeat.kind != "reupload" else repeat
    return None if known is None else replace(known, kind=repeat.kind)


def _pair(repeat: "Repeat") -> tuple[SourceId, SourceId]:
    return repeat.source_a, repeat.source_b


def _key(repeat: "Repeat", marks: Mapping[SourceId, str]) -> str:
    """Names a repeat by what was compared: both fingerprints, then all that the search said of it.

    But for its kind: that goes by how many others share it, and another episode may change it.
    """
    cells = (str(getattr(repeat, cell.name)) for cell in fields(repeat) if cell.name != "kind")
    return " ".join([marks[repeat.source_a], marks[repeat.source_b], *cells])


def _copies(found: "Sequence[Repeat]", marks: "Mapping[SourceId, Fingerprint]") -> dict[SourceId, Copy]:
    """Of each re-upload the earliest source that it is one of, rather one that is none itself."""
    from pipelines.ingest.repeats.model import united

    spans: dict[SourceId, dict[SourceId, list[tuple[Seconds, Seconds]]]] = {}
    for repeat in found:
        if repeat.kind == "reupload":
            in_a = spans.setdefault(repeat.source_b, {}).setdefault(repeat.source_a, [])
            in_a.append((repeat.start_b_s, repeat.end_b_s))
    place = {source: number for number, source in enumerate(marks)}
    copies: dict[SourceId, Copy] = {}
    for source, originals in spans.items():
        original = min(originals, key=lambda one: (one in spans, place[one]))
        covered_s = sum(end - start for start, end in united(originals[original]))
        copies[source] = Copy(original, round(min(1.0, covered_s / marks[source].duration_s), 4))
    return copies


def _is_here(queue: Queue, items: Mapping[SourceId, Item], pair: Iterable[SourceId]) -> bool:
    """Whether the recordings are on this machine, as they were when they were ingested."""
    found = [items.get(source) for source in pair]
    return all(one is not None and one.path and queue.is_as_it_was(Path(one.path)) for one in found)


@dataclass(frozen=True, slots=True)
class _Hearing:
    """A recording and what of it is wanted."""

    source_id: SourceId
    path: Path
    track: int
    spans: "tuple[Interval, ...]"


def _listened(
    repeats: "Mapping[str, Repeat]", items: Mapping[SourceId, Item], report: Report, jobs: int | None
) -> "dict[str, Repeat | None]":
    """What listening makes of each, but for those of which a recording cannot be read."""
    from pipelines.ingest.repeats import Sound, listened, spans_of

    if not repeats:
        return {}
    wanted = {
        source: _Hearing(source, Path(items[source].path), int(items[source].facts.get("track") or 0), spans)
        for source, spans in spans_of(repeats.values()).items()
    }
    sounds: dict[SourceId, Sound] = {}
    deaf: set[SourceId] = set()
    workers = jobs or min(os.cpu_count() or 1, len(wanted))
    for source, outcome in run_each(_hear, wanted, jobs=workers, stage=LISTENING, report=report):
        if not isinstance(outcome, Failed):
            sounds[source] = Sound(wanted[source].spans, outcome)
        elif isinstance(outcome.error, MediaError | WorkerCrashed):
            deaf.add(source)  # the same file will be read no better the next time
        elif not isinstance(outcome.error, OSError):
            raise outcome.error
    clear = {key: repeat for key, repeat in repeats.items() if sounds.keys() >= set(_pair(repeat))}
    blunt = {key: repeat for key, repeat in repeats.items() if not deaf.isdisjoint(_pair(repeat))}
    results = listened(list(clear.values()), lambda name, spans: [sounds[name].of(span) for span in spans], report)
    return blunt | dict(zip(clear, results, strict=True))


def _hear(task: _Hearing, tell: Tell) -> Sequence[Audio]:
    from pipelines.ingest.repeats import from_files

    length_s = task.spans[-1].end_s
    tell(0.0, length_s)
    listen = from_files({task.source_id: task.path}, lambda done_s: tell(done_s, length_s), track=task.track)
    return listen(task.source_id, task.spans)
