"""sources.csv, clips.csv with its checks, and candidates.parquet, derived from the queue: same state, same bytes."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from pipelines import __version__
from pipelines.atomic_write import write_bytes, write_text
from pipelines.ingest.candidates import are_candidates_of, heard_items, write_candidates
from pipelines.ingest.preflight.plan import Plan
from pipelines.ingest.report import Row
from pipelines.ingest.reproduce.clip_checks import ClipCheck, checks_path, update_checks
from pipelines.ingest.selection.manual_picks import Speaker
from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.series.repeat_masks import StudyRepeats
from pipelines.ingest.source_analysis import RECIPE
from pipelines.ingest.sources import CURATED, MEASURED, Source, sources_to_csv
from pipelines.ingest.state.dropped_clips import left_rows, unlisted_rows
from pipelines.ingest.state.queue import Item, Queue
from pipelines.manifest import FIXED_COLUMNS, OPTIONAL_COLUMNS, clips_to_csv, read_clips
from pipelines.schema import Clip
from pipelines.study import Study
from pipelines.units import ClipId, SourceId


@dataclass(frozen=True, slots=True)
class Ended:
    """How one plan ended: its row in the report, its source and its item as the queue has it.

    `checks`: of the clips that were cut (pipelines.ingest.reproduce.clip_checks.serialize_checks).
    """

    plan: Plan
    row: Row
    source: Source
    item: Item
    checks: str = ""


class Present:
    """Which clips have a file on this machine, by one look into their folder."""

    def __init__(self, study: Study) -> None:
        suffix = f".{study.settings.clip.format}"
        there = os.listdir(study.audio) if study.audio.is_dir() else ()  # noqa: PTH208 (a path for each takes thrice the time)
        self._names = {name.removesuffix(suffix) for name in there if name.endswith(suffix)}

    def __contains__(self, name: ClipId) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[ClipId]:
        return iter(self._names)


def write_tables(
    study: Study,
    queue: Queue,
    sources: Sequence[Source],
    speakers: Mapping[ClipId, Speaker],
    *,
    unlisted_leave: bool,
    checks: Mapping[ClipId, ClipCheck] = MappingProxyType({}),
    was: Sequence[Clip] | None = None,
) -> tuple[bool, tuple[Row, ...]]:
    """Bring the study's tables up to date. Returns whether a byte of them changed, and rows for clips that left.

    `checks`: of clips that were just cut; others are made from their files. Clips of listed sources that this machine
    has not ingested stay as they are; so does a clip whose file was lost. `was`: the clips before the run, where it has
    written the tables once already.
    """
    if not sources:
        return False, ()
    items = queue.items()
    text = sources_to_csv(sources)
    present = Present(study)
    written = study.clips_csv.read_bytes() if study.clips_csv.is_file() else b""
    made_of = _made_of(items.values(), speakers, text, present, written, unlisted_leave)
    heard = heard_items(items, sources)
    if was is None and made_of == queue.tables_made_of and are_candidates_of(queue, heard) and _are_here(study):
        return write_text(study.sources_csv, text), ()
    before = read_clips(study.clips_csv) if study.clips_csv.is_file() else ()
    listed = {source.source_id: source for source in sources if source.source_id}
    known = {(clip.clip_id, clip.pcm_sha256) for clip in before}
    clips: list[Clip] = []
    for source in listed.values():
        item = items.get(source.source_id)
        if source.is_taken_down:
            continue
        group = listed.get(source.measured.get("dup_of", ""), source).group_id  # a split never parts copy and original
        if item is not None and item.status == "done":
            found = _clips(source.source_id, group, item, queue)
            clips += [one for one in found if one.clip_id in present or (one.clip_id, one.pcm_sha256) in known]
        else:
            clips += [replace(clip, group_id=group) for clip in before if clip.source_id == source.source_id]
    clips = [_spoken_by(clip, speakers.get(clip.clip_id)) for clip in clips]
    orphans = [clip for clip in before if clip.source_id not in listed]
    left: tuple[Row, ...] = ()
    if unlisted_leave:
        left = unlisted_rows(orphans)
    else:  # sources.csv is gone or was never there: nobody took its sources out
        clips += orphans
    left += left_rows(listed, items, before if was is None else was, clips, queue)
    changed = write_text(study.sources_csv, text)
    if clips or before:
        written = clips_to_csv(clips).encode()
        changed |= _write_clips(study, clips, written, checks)
    if not are_candidates_of(queue, heard) or not study.candidates.is_file():
        write_candidates(study.candidates, queue, heard)
    # Of what was written, and not of what lies there by now: somebody may have edited it meanwhile.
    queue.made_tables_of(_made_of(items.values(), speakers, text, present, written, unlisted_leave or not orphans))
    return changed, left


def _made_of(
    items: Iterable[Item],
    speakers: Mapping[ClipId, Speaker],
    sources: str,
    present: Present,
    clips: bytes,
    unlisted_leave: bool,
) -> str:
    """A digest over all that the tables are made from, but for windows (Queue.ahead tells of those), and clips.csv.

    While it is the same, so are they, and a run without work need not make the rows of ten thousand clips to see that.
    """
    head = [__version__, FIXED_COLUMNS, OPTIONAL_COLUMNS, [*SCREENS], RECIPE, sources, unlisted_leave]
    whole = hashlib.sha256(json.dumps(head).encode())
    for item in items:
        facts = (item.source_id, item.status, item.clips_hash, item.facts.get("sample_rate_hz"), item.track)
        whole.update(repr(facts).encode())
    for name, said in sorted(speakers.items()):
        whole.update(repr((name, said.speaker, said.gender)).encode())
    whole.update(repr(sorted(present)).encode())
    whole.update(clips)
    return whole.hexdigest()


def _are_here(study: Study) -> bool:
    files = (study.clips_csv, checks_path(study.clips_csv), study.candidates)
    return all(file.is_file() for file in files)


def _spoken_by(clip: Clip, said: Speaker | None) -> Clip:
    said = said or Speaker(clip.speaker, clip.gender)
    return replace(clip, speaker=said.speaker, gender=said.gender)


def _write_clips(study: Study, clips: Sequence[Clip], text: bytes, new: Mapping[ClipId, ClipCheck]) -> bool:
    """The checks first: while clips.csv is as it should be, so are they, and need not be opened."""
    checks = checks_path(study.clips_csv)
    is_new = not study.clips_csv.is_file() or study.clips_csv.read_bytes() != text
    changed = False
    if is_new or not checks.is_file():
        changed = update_checks(checks, clips, study.clip_path, new)
    return write_bytes(study.clips_csv, text) | changed


def edited_since(ended: Iterable[Ended], before: Sequence[Source], now: Sequence[Source]) -> list[Ended]:
    """What was done, with the cells that somebody changed in sources.csv meanwhile; rows taken out are left out."""
    first, fresh = ({row.source_id or row.uri: row for row in rows} for rows in (before, now))
    found = []
    for end in ended:
        written = end.plan.wanted.source
        mark = written.source_id or written.uri if written is not None else end.source.source_id
        was, row = first.get(mark), fresh.get(mark)
        if was is not None and row is None:
            continue
        if was is not None and row is not None and row != was:
            end = replace(end, source=_edited(end.source, was, row))
        found.append(end)
    return found


def caught_up(sources: Sequence[Source], before: Sequence[Source], now: Sequence[Source]) -> list[Source]:
    """`sources`, made from the rows `before` of sources.csv, with what somebody has changed there since."""
    if tuple(before) == tuple(now):
        return list(sources)
    first, fresh = ({row.source_id or row.uri: row for row in rows} for rows in (before, now))
    #: A row that had no id is known by its address or by the name of its file.
    places = {row.source_id or (row.uri if row.is_url else Path(row.uri).name): mark for mark, row in first.items()}
    found = []
    for source in sources:
        mark = places.get(source.source_id) or places.get(source.uri) or source.source_id
        was, row = first.get(mark), fresh.get(mark)
        if was is not None and row is None:
            continue
        found.append(_edited(source, was, row) if was is not None and row is not None and row != was else source)
    met = {source.source_id or source.uri for source in found}
    return found + [row for mark, row in fresh.items() if mark not in first and mark not in met]


def _edited(source: Source, was: Source, row: Source) -> Source:
    """`source` with the cells in which `row` is another than it `was`."""
    cells = {name: getattr(row, name) for name in CURATED if getattr(row, name) != getattr(was, name)}
    group = {"group_id": row.measured["group_id"]} if "group_id" in row.measured else {}
    return replace(source, **cells, measured={**source.measured, **group}, extra=row.extra)


def merged(known: Sequence[Source], ended: Iterable[Ended]) -> list[Source]:
    """The rows of sources.csv with how each plan ended.

    A source enters when it has been ingested; a row that a person wrote stays, with its state beside it.
    """
    named = {source.source_id: source for source in known if source.source_id}
    unnamed = {source.uri: source for source in known if not source.source_id}
    for end in ended:
        if (row := named.get(end.source.source_id)) is not None and row.is_taken_down:
            continue
        if end.row.status == "paused":  # for now, and on this machine
            continue
        written = end.plan.wanted.source
        uri = written.uri if written is not None else ""
        if end.row.status in ("ingested", "unchanged"):
            unnamed.pop(uri, None)
            named[end.source.source_id] = _completed(end.source, end.item)
        elif written is not None and written.source_id in named and written.source_id:
            if not _was_ingested(named[written.source_id]) or end.row.status == "duplicate":
                named[written.source_id] = _marked(named[written.source_id], end.row)
        elif uri in unnamed:
            unnamed[uri] = _marked(unnamed[uri], end.row)
    return [*unnamed.values(), *named.values()]


def linked(sources: Iterable[Source], repeated: StudyRepeats | None) -> list[Source]:
    """`sources` with the recording that each re-upload is a copy of; as they are where nobody has looked."""
    if repeated is None:
        return list(sources)
    found = []
    for source in sources:
        cells = {name: cell for name, cell in source.measured.items() if name not in ("dup_of", "dup_overlap")}
        if (copy := repeated.copies.get(source.source_id)) is not None:
            cells |= {"dup_of": copy.dup_of, "dup_overlap": f"{copy.overlap:.4g}"}
        found.append(replace(source, measured=cells))
    return found


def _completed(source: Source, item: Item) -> Source:
    facts = {name: item.facts[name] for name in MEASURED if name in item.facts}
    state = {"sha256": item.sha256, "group_id": source.group_id, "status": "ok", "reason_code": item.reason_code}
    return replace(source, measured={**source.measured, **facts, **state})


def _marked(source: Source, row: Row) -> Source:
    return replace(source, measured={**source.measured, "status": row.status, "reason_code": row.reason_code})


def _was_ingested(source: Source) -> bool:
    return source.measured.get("status") == "ok"


def _clips(source_id: SourceId, group_id: str, item: Item, queue: Queue) -> list[Clip]:
    return [
        Clip(
            clip_id=one.clip_id,
            source_id=source_id,
            start_sample=one.window.start_sample,
            n_samples=one.window.n_samples,
            rate_hz=item.rate_hz,
            track=item.track,
            group_id=group_id,
            pcm_sha256=one.window.pcm_sha256,
            recipe=RECIPE,
            arm=one.decision.arm,
            config_hash=item.clips_hash,
            metrics=one.window.scores,
        )
        for one in queue.kept(item)
        if one.window.pcm_sha256
    ]
