"""Shared audio of a source: re-uploads of it, its original, and other sources that hold parts of it.

Based on the repeats that the last ingest found, on `dup_of` in sources.csv (also for sources that another machine
ingested), and on windows with identical samples.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.ingest.selection.decision import SAME_CLIP
from pipelines.ingest.series.repeat_masks import SourceCopy, StudyRepeats, read_study_repeats
from pipelines.ingest.sources import Source, read_sources
from pipelines.study import Study
from pipelines.units import Seconds, SourceId

if TYPE_CHECKING:
    from pipelines.ingest.repeats import Repeat

#: `copy`: a re-upload of the source; `original`: the source is a re-upload of it; `sibling`: both have one original.
Relation = Literal["original", "copy", "sibling", "part"]
#: From this share of either recording on, a source that holds a part counts as close.
LARGE_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class RelatedSource:
    """Another source of the study that holds audio of the given source.

    `seconds` and `share` (0 to 1): how much of the given source it holds, without openings and endings, which belong to
    a series; `own_share`: the share of this other source; None if unknown. `same_windows`: how many of its windows that
    are clips, or would be, have the same samples as a window of the given source.
    """

    source_id: SourceId
    why: Relation
    seconds: Seconds | None = None
    share: float | None = None
    own_share: float | None = None
    same_windows: int = 0

    @property
    def is_close(self) -> bool:
        """Whether a takedown of the given source should probably include or at least check this one."""
        return self.why != "part" or self.same_windows > 0 or max(self.share or 0, self.own_share or 0) >= LARGE_SHARE


def related_sources(study: Study, source_id: SourceId) -> tuple[RelatedSource, ...]:
    """All related sources, closest first. Raises TableError if sources.csv does not parse."""
    listed = read_sources(study.sources_csv) if study.sources_csv.is_file() else ()
    rows = {source.source_id: source for source in listed if source.source_id}
    repeats = read_study_repeats(study)
    copies = _copies(rows, repeats)
    spans = _spans(repeats, source_id)
    same = _same_windows(study, source_id)
    names = {*spans, *same, *copies}
    if source_id in copies:
        names.add(copies[source_id].dup_of)
    found = []
    for name in sorted(names - {source_id}):
        if name not in rows or rows[name].is_taken_down:
            continue
        why = _why(name, source_id, copies)
        if why == "part" and name not in spans and name not in same:
            continue
        seconds, share, own_share = _shares(name, source_id, spans.get(name, ([], [])), repeats)
        if why == "copy":
            own_share = max(own_share or 0.0, copies[name].overlap)
        if why == "original":
            share = max(share or 0.0, copies[source_id].overlap)
        found.append(RelatedSource(name, why, seconds, share, own_share, same.get(name, 0)))
    order: Sequence[Relation] = ("original", "copy", "sibling", "part")
    return tuple(sorted(found, key=lambda one: (order.index(one.why), -(one.share or 0), -one.same_windows)))


def _shares(
    name: SourceId, source_id: SourceId, spans: "tuple[_Spans, _Spans]", repeats: StudyRepeats
) -> tuple[Seconds | None, float | None, float | None]:
    """Shared seconds of the source, their share of it, and the share of the other source; None if unknown."""
    from pipelines.ingest.repeats.model import merge_spans

    of_source, of_other = spans
    seconds = sum(end - start for start, end in merge_spans(of_source)) if of_source else None
    share = _share(seconds, repeats.seconds.get(source_id)) if seconds is not None else None
    other_s = sum(end - start for start, end in merge_spans(of_other))
    return seconds, share, _share(other_s, repeats.seconds.get(name)) if of_other else None


def _copies(rows: Mapping[SourceId, Source], found: StudyRepeats) -> dict[SourceId, SourceCopy]:
    """Original of each re-upload, by sources.csv and by the last search on this machine, which wins."""
    listed = {
        name: SourceCopy(row.measured["dup_of"], float(row.measured.get("dup_overlap") or 0))
        for name, row in rows.items()
        if row.measured.get("dup_of")
    }
    return {**listed, **found.copies}


def _why(name: SourceId, source_id: SourceId, copies: Mapping[SourceId, SourceCopy]) -> Relation:
    mine, others = copies.get(source_id), copies.get(name)
    if mine is not None and mine.dup_of == name:
        return "original"
    if others is not None and others.dup_of == source_id:
        return "copy"
    return "sibling" if mine is not None and others is not None and mine.dup_of == others.dup_of else "part"


_Spans = list[tuple[Seconds, Seconds]]


def _spans(found: StudyRepeats, source_id: SourceId) -> dict[SourceId, tuple[_Spans, _Spans]]:
    """Shared stretches by other source: where they lie in the given source, and where in the other."""
    from pipelines.ingest.repeats.model import MASKED_EVERYWHERE

    by: dict[SourceId, tuple[_Spans, _Spans]] = {}
    for repeat in found.repeats:
        if repeat.kind in MASKED_EVERYWHERE or repeat.source_a == repeat.source_b:
            continue
        for mine, others, name in _ends(repeat):
            if name[0] == source_id:
                of_it, of_other = by.setdefault(name[1], ([], []))
                of_it.append(mine)
                of_other.append(others)
    return by


def _ends(
    repeat: "Repeat",
) -> "tuple[tuple[tuple[Seconds, Seconds], tuple[Seconds, Seconds], tuple[SourceId, SourceId]], ...]":
    a, b = (repeat.start_a_s, repeat.end_a_s), (repeat.start_b_s, repeat.end_b_s)
    return (a, b, (repeat.source_a, repeat.source_b)), (b, a, (repeat.source_b, repeat.source_a))


def _share(part_s: Seconds, whole_s: Seconds | None) -> float | None:
    return min(1.0, part_s / whole_s) if whole_s else None


def _same_windows(study: Study, source_id: SourceId) -> Counter[SourceId]:
    """How many windows of each other source (clips, or rejected as `same_clip`) are identical to one of the source."""
    import pyarrow.parquet as pq

    if not study.candidates.is_file():
        return Counter()
    table = pq.ParquetFile(study.candidates).read(columns=["source_id", "pcm_sha256", "status", "reasons"])
    rows = [
        (row["source_id"], row["pcm_sha256"])
        for row in table.to_pylist()
        if row["pcm_sha256"] and (row["status"] == "keep" or row["reasons"] == SAME_CLIP)
    ]
    mine = {pcm for name, pcm in rows if name == source_id}
    return Counter(name for name, pcm in rows if name != source_id and pcm in mine)
