"""Repeat masks: the stretches that occur twice among the sources of a study, where no clip may lie.

A pure function of the finished sources: the same sources in any order give the same masks. The search runs again only
when fingerprints or the order of airing change. An edge that was once refined from the audio stays known after the
recordings are gone. The result is data/NAME/repeats.json, which the pages read.
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
from pipelines.execution.process_pool import Failed, OnProgress, WorkerCrashed, run_each
from pipelines.ingest.series.air_order import in_air_order
from pipelines.ingest.sources import Source, slug
from pipelines.ingest.state.queue import Item, Queue
from pipelines.progress import ProgressCallback, ignore_progress
from pipelines.study import Study
from pipelines.units import Audio, Seconds, SourceId

if TYPE_CHECKING:  # the package imports scipy.signal, which takes a second
    from pipelines.ingest.analysis.fingerprint import Fingerprint
    from pipelines.ingest.repeats.model import Interval, Repeat

#: Version of the search and of the refinement. Change it with any of their constants: everything is then done again.
SEARCH_VERSION = "repeats-1"
#: The stage name in progress reports.
REFINING_STAGE = "refining repeats"


@dataclass(frozen=True, slots=True)
class SourceCopy:
    """A re-upload of the earlier source `dup_of`; `overlap` is the share of it that the earlier one holds, 0 to 1."""

    dup_of: SourceId
    overlap: float


@dataclass(frozen=True)
class StudyRepeats:
    """Repeats in a study. `order` is the order of airing, `seconds` the duration of each source.

    `not_compared`: sources that are finished but have no fingerprint, or one of another version.
    """

    order: tuple[SourceId, ...] = ()
    seconds: Mapping[SourceId, Seconds] = field(default_factory=dict)
    repeats: "tuple[Repeat, ...]" = ()
    copies: Mapping[SourceId, SourceCopy] = field(default_factory=dict)
    not_compared: tuple[SourceId, ...] = ()

    @cached_property
    def masks(self) -> "Mapping[SourceId, tuple[Interval, ...]]":
        """Masked intervals by source, for sources that have any: in seconds, sorted, without overlap."""
        from pipelines.ingest.repeats.model import masked_intervals

        touched = {source for repeat in self.repeats for source in (repeat.source_a, repeat.source_b)}
        found = ((source, masked_intervals(self.repeats, source)) for source in self.order if source in touched)
        return {source: intervals for source, intervals in found if intervals}


def find_study_repeats(
    study: Study,
    queue: Queue,
    sources: Iterable[Source],
    report: ProgressCallback = ignore_progress,
    *,
    jobs: int | None = None,
    listen: bool = True,
) -> StudyRepeats:
    """Repeats among those of `sources` that are finished (here or, by sources.csv, elsewhere) and not taken down.

    A recap counts only where an earlier source holds it. Earlier means: within a series by season and episode, else by
    upload_date, else by source_id. Where recordings are on this machine, edges are refined from the audio, by one more
    decode of each recording with new repeats. Without `listen`, or if a recording cannot be read, edges are as the
    fingerprint gives them.
    Raises Cancelled out of `report`.
    """
    items = queue.items()
    marked = [_FingerprintedSource.of(source, items.get(source.source_id)) for source in in_air_order(sources, items)]
    compared = [one for one in marked if one is not None]
    file = repeats_file(study)
    before = _read(file)
    known = _input_digest(compared)
    if before.asked == known and not (listen and any(_is_here(queue, items, pair) for pair in before.unrefined)):
        return before.repeated
    here = {name: item for name, item in items.items() if listen and _is_here(queue, items, [name])}
    done = _search(compared, before if before.search == SEARCH_VERSION else _SavedRepeats(), here, report, jobs)
    write_text(file, done.text(known))
    return done.repeated


def read_study_repeats(study: Study) -> StudyRepeats:
    """The result of the last ingest, also while another one runs; empty if there was none."""
    return _read(repeats_file(study)).repeated


def forget_source(study: Study, source_id: SourceId) -> None:
    """Remove a withdrawn source from the result; the next ingest searches again."""
    file = repeats_file(study)
    if not file.is_file():
        return
    before = _read(file)
    found = before.repeated
    rest = _SavedRepeats(
        StudyRepeats(
            order=tuple(name for name in found.order if name != source_id),
            seconds={name: seconds for name, seconds in found.seconds.items() if name != source_id},
            repeats=tuple(repeat for repeat in found.repeats if source_id not in _pair(repeat)),
            copies={name: copy for name, copy in found.copies.items() if source_id not in (name, copy.dup_of)},
            not_compared=tuple(name for name in found.not_compared if name != source_id),
        ),
        refined={key: one for key, one in before.refined.items() if source_id not in key.split(" ")},
    )
    write_text(file, rest.text(asked=""))


def repeats_file(study: Study) -> Path:
    """Path of the result: private, and created again if missing."""
    return study.private / "repeats.json"


@dataclass(frozen=True, slots=True)
class _FingerprintedSource:
    """A finished source with its fingerprint as text."""

    source_id: SourceId
    series: str
    algorithm: str
    text: str

    @classmethod
    def of(cls, source: Source, item: Item | None) -> "_FingerprintedSource | None":
        """None if the source is not finished; `text` is empty if it has no fingerprint."""
        if source.is_taken_down:
            return None
        is_done = item is not None and item.status == "done"
        if not is_done and source.measured.get("status") != "ok":
            return None
        facts = item.facts if item is not None and is_done else source.measured
        return cls(source.source_id, slug(source.series), facts.get("fp_algo", ""), facts.get("fp_b64", ""))

    @property
    def fingerprint_digest(self) -> str:
        return hashlib.sha256(f"{self.algorithm} {self.text}".encode()).hexdigest()


@dataclass(frozen=True)
class _SavedRepeats:
    """Content of repeats.json. `refined`: each repeat after refinement, by `_key`; None for a chance match."""

    repeated: StudyRepeats = StudyRepeats()
    search: str = ""
    asked: str = ""
    refined: "Mapping[str, Repeat | None]" = field(default_factory=dict)
    #: Pairs of sources with repeats that were not refined because a recording is missing.
    unrefined: tuple[tuple[SourceId, SourceId], ...] = ()

    def text(self, asked: str) -> str:
        """The content as JSON; same content, same bytes."""
        found = self.repeated
        document = {
            "search": SEARCH_VERSION,
            "asked": asked,
            "sources": {source: found.seconds.get(source) for source in found.order},
            "unread": found.not_compared,
            "copies": {source: asdict(copy) for source, copy in found.copies.items()},
            "repeats": [_cells(repeat) for repeat in found.repeats],
            "unheard": self.unrefined,
            "heard": {key: None if one is None else _cells(one) for key, one in sorted(self.refined.items())},
        }
        return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"


def _read(file: Path) -> _SavedRepeats:
    """The file's content; empty if it is missing or does not parse, since it can be created again."""
    from pipelines.ingest.repeats.model import Repeat

    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return _SavedRepeats(
            StudyRepeats(
                order=tuple(document["sources"]),
                seconds={source: seconds for source, seconds in document["sources"].items() if seconds is not None},
                repeats=tuple(Repeat(*cells) for cells in document["repeats"]),
                copies={source: SourceCopy(**copy) for source, copy in document["copies"].items()},
                not_compared=tuple(document["unread"]),
            ),
            document["search"],
            document["asked"],
            {key: None if cells is None else Repeat(*cells) for key, cells in document["heard"].items()},
            tuple((a, b) for a, b in document["unheard"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return _SavedRepeats()


def _cells(repeat: "Repeat") -> list[Any]:
    return [getattr(repeat, cell.name) for cell in fields(repeat)]


def _input_digest(marked: Sequence[_FingerprintedSource]) -> str:
    """Digest over everything the result depends on, except which recordings are on this machine."""
    rows = [[one.source_id, one.series, one.fingerprint_digest] for one in marked]
    return hashlib.sha256(json.dumps([SEARCH_VERSION, rows]).encode()).hexdigest()


def _search(
    sources: Sequence[_FingerprintedSource],
    before: _SavedRepeats,
    here: Mapping[SourceId, Item],
    report: ProgressCallback,
    jobs: int | None,
) -> _SavedRepeats:
    """Search all `sources`; refine new repeats between those of them that are `here`."""
    from pipelines.ingest.repeats import find_repeats

    fingerprints = _decoded_fingerprints(sources)
    series = {one.source_id: one.series for one in sources}
    found = find_repeats(list(fingerprints.values()), report, series=[series[source] for source in fingerprints])
    digests = {one.source_id: one.fingerprint_digest for one in sources}
    keyed = [(_key(repeat, digests), repeat) for repeat in found]
    refined = _still_valid(before.refined, digests)
    new = {key: repeat for key, repeat in _unrefined(keyed, refined) if here.keys() >= set(_pair(repeat))}
    refined |= _refine_new(new, here, report, jobs)
    best = [_best(repeat, key, refined) for key, repeat in keyed]
    return _SavedRepeats(
        StudyRepeats(
            order=tuple(one.source_id for one in sources),
            seconds={source: fingerprint.duration_s for source, fingerprint in fingerprints.items()},
            repeats=tuple(repeat for repeat in best if repeat is not None),
            copies=_copies(found, fingerprints),
            not_compared=tuple(one.source_id for one in sources if one.source_id not in fingerprints),
        ),
        refined=refined,
        unrefined=tuple(sorted({_pair(repeat) for _, repeat in _unrefined(keyed, refined)})),
    )


def _decoded_fingerprints(sources: Sequence[_FingerprintedSource]) -> "dict[SourceId, Fingerprint]":
    """Fingerprints that this version can read, in the order of `sources`."""
    from pipelines.ingest.analysis.fingerprint import Fingerprint, from_text

    found: dict[SourceId, Fingerprint] = {}
    for one in sources:
        try:
            found[one.source_id] = from_text(one.source_id, one.algorithm, one.text)
        except DataError:
            continue
    return found


def _still_valid(refined: "Mapping[str, Repeat | None]", digests: Mapping[SourceId, str]) -> "dict[str, Repeat | None]":
    """Earlier refinements of which both fingerprints are still present."""
    present = frozenset(digests.values())
    return {key: one for key, one in refined.items() if present.issuperset(key.split(" ")[:2])}


def _unrefined(
    keyed: "Sequence[tuple[str, Repeat]]", refined: "Mapping[str, Repeat | None]"
) -> "list[tuple[str, Repeat]]":
    """Repeats to refine that are not yet in `refined`; re-uploads are masked whole and need no edges."""
    return [(key, repeat) for key, repeat in keyed if repeat.kind != "reupload" and key not in refined]


def _best(repeat: "Repeat", key: str, refined: "Mapping[str, Repeat | None]") -> "Repeat | None":
    """The refined repeat if there is one; a re-upload unchanged; None for a chance match."""
    known = refined.get(key, repeat) if repeat.kind != "reupload" else repeat
    return None if known is None else replace(known, kind=repeat.kind)


def _pair(repeat: "Repeat") -> tuple[SourceId, SourceId]:
    return repeat.source_a, repeat.source_b


def _key(repeat: "Repeat", digests: Mapping[SourceId, str]) -> str:
    """Key of a repeat: digests of both fingerprints, then every field of the repeat except its kind.

    The kind depends on how many other sources share the repeat, so another episode may change it.
    """
    cells = (str(getattr(repeat, cell.name)) for cell in fields(repeat) if cell.name != "kind")
    return " ".join([digests[repeat.source_a], digests[repeat.source_b], *cells])


def _copies(found: "Sequence[Repeat]", fingerprints: "Mapping[SourceId, Fingerprint]") -> dict[SourceId, SourceCopy]:
    """The original of each re-upload: the earliest source, preferably one that is no re-upload itself."""
    from pipelines.ingest.repeats.model import merge_spans

    spans: dict[SourceId, dict[SourceId, list[tuple[Seconds, Seconds]]]] = {}
    for repeat in found:
        if repeat.kind == "reupload":
            in_a = spans.setdefault(repeat.source_b, {}).setdefault(repeat.source_a, [])
            in_a.append((repeat.start_b_s, repeat.end_b_s))
    place = {source: number for number, source in enumerate(fingerprints)}
    copies: dict[SourceId, SourceCopy] = {}
    for source, originals in spans.items():
        original = min(originals, key=lambda one: (one in spans, place[one]))
        covered_s = sum(end - start for start, end in merge_spans(originals[original]))
        copies[source] = SourceCopy(original, round(min(1.0, covered_s / fingerprints[source].duration_s), 4))
    return copies


def _is_here(queue: Queue, items: Mapping[SourceId, Item], pair: Iterable[SourceId]) -> bool:
    """Whether the recordings are on this machine, unchanged since they were ingested."""
    found = [items.get(source) for source in pair]
    return all(one is not None and one.path and queue.is_as_it_was(Path(one.path)) for one in found)


@dataclass(frozen=True, slots=True)
class _ReadTask:
    """A recording and the intervals to read from it."""

    source_id: SourceId
    path: Path
    track: int
    spans: "tuple[Interval, ...]"


def _refine_new(
    repeats: "Mapping[str, Repeat]", items: Mapping[SourceId, Item], report: ProgressCallback, jobs: int | None
) -> "dict[str, Repeat | None]":
    """Each repeat refined from the audio; unchanged if a recording cannot be decoded."""
    from pipelines.ingest.repeats import IntervalAudio, intervals_to_read, refine_each

    if not repeats:
        return {}
    wanted = {
        source: _ReadTask(source, Path(items[source].path), int(items[source].facts.get("track") or 0), spans)
        for source, spans in intervals_to_read(repeats.values()).items()
    }
    audio: dict[SourceId, IntervalAudio] = {}
    unreadable: set[SourceId] = set()
    workers = jobs or min(os.cpu_count() or 1, len(wanted))
    for source, outcome in run_each(_read_intervals, wanted, jobs=workers, stage=REFINING_STAGE, report=report):
        if not isinstance(outcome, Failed):
            audio[source] = IntervalAudio(wanted[source].spans, outcome)
        elif isinstance(outcome.error, MediaError | WorkerCrashed):
            unreadable.add(source)  # the same file fails again next time
        elif not isinstance(outcome.error, OSError):
            raise outcome.error
    readable = {key: repeat for key, repeat in repeats.items() if audio.keys() >= set(_pair(repeat))}
    unchanged = {key: repeat for key, repeat in repeats.items() if not unreadable.isdisjoint(_pair(repeat))}
    results = refine_each(list(readable.values()), lambda name, spans: [audio[name].of(span) for span in spans], report)
    return unchanged | dict(zip(readable, results, strict=True))


def _read_intervals(task: _ReadTask, on_progress: OnProgress) -> Sequence[Audio]:
    from pipelines.ingest.repeats import interval_reader

    length_s = task.spans[-1].end_s
    on_progress(0.0, length_s)
    listen = interval_reader(
        {task.source_id: task.path}, lambda done_s: on_progress(done_s, length_s), track=task.track
    )
    return listen(task.source_id, task.spans)
