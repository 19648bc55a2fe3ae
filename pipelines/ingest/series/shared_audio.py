"""Which other sources of a study hold what one of them holds: copies of it, what it is a copy of, and large shares.

Told from what the last ingest found to repeat, from `dup_of` in sources.csv (also of sources that were ingested on
another machine), and from windows with the very same samples.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.ingest.selection.decision import SAME_CLIP
from pipelines.ingest.series.repeat_masks import Copy, Repeated, read_repeated
from pipelines.ingest.sources import Source, read_sources
from pipelines.study import Study
from pipelines.units import Seconds, SourceId

if TYPE_CHECKING:
    from pipelines.ingest.repeats import Repeat

#: `copy`: a re-upload of the source; `original`: what the source is a re-upload of; `sibling`: a re-upload of the same.
Why = Literal["original", "copy", "sibling", "part"]
#: From this share on, of either recording, a source that holds a part is told by name.
LARGE = 0.1


@dataclass(frozen=True, slots=True)
class Kin:
    """Another source that holds what the source holds, and is in the study.

    `seconds` and `share` (0 to 1): how much of the source it holds, without openings and endings, which belong to a
    series; `own_share`: how much of itself that is; None where it is not known. `same_windows`: its windows that are
    clips, or would be, and have the very samples of one of the source.
    """

    source_id: SourceId
    why: Why
    seconds: Seconds | None = None
    share: float | None = None
    own_share: float | None = None
    same_windows: int = 0

    @property
    def is_close(self) -> bool:
        """Whether who withdraws the source will want to withdraw this one too, or look at it."""
        return self.why != "part" or self.same_windows > 0 or max(self.share or 0, self.own_share or 0) >= LARGE


def kin_of(study: Study, source_id: SourceId) -> tuple[Kin, ...]:
    """All of them, the nearest first. Raises TableError where sources.csv does not parse."""
    from pipelines.ingest.repeats.model import united

    listed = read_sources(study.sources_csv) if study.sources_csv.is_file() else ()
    rows = {source.source_id: source for source in listed if source.source_id}
    found = read_repeated(study)
    copies = _copies(rows, found)
    spans = _spans(found, source_id)
    same = _same_windows(study, source_id)
    names = {*spans, *same, *copies}
    names |= {copies[source_id].dup_of} if source_id in copies else set()
    kin = []
    for name in sorted(names - {source_id}):
        if name not in rows or rows[name].is_taken_down:
            continue
        why = _why(name, source_id, copies)
        if why == "part" and name not in spans and name not in same:
            continue
        of_it, of_other = spans.get(name, ([], []))
        seconds = sum(end - start for start, end in united(of_it)) if of_it else None
        own_s = sum(end - start for start, end in united(of_other))
        own = _share(own_s, found.seconds.get(name)) if of_other else None
        if why == "copy":
            own = max(own or 0.0, copies[name].overlap)
        share = _share(seconds, found.seconds.get(source_id)) if seconds is not None else None
        if why == "original":
            share = max(share or 0.0, copies[source_id].overlap)
        kin.append(Kin(name, why, seconds, share, own, same.get(name, 0)))
    order: Sequence[Why] = ("original", "copy", "sibling", "part")
    return tuple(sorted(kin, key=lambda one: (order.index(one.why), -(one.share or 0), -one.same_windows)))


def _copies(rows: Mapping[SourceId, Source], found: Repeated) -> dict[SourceId, Copy]:
    """Who is a re-upload of whom, by the tables and by what this machine found last."""
    told = {
        name: Copy(row.measured["dup_of"], float(row.measured.get("dup_overlap") or 0))
        for name, row in rows.items()
        if row.measured.get("dup_of")
    }
    return {**told, **found.copies}


def _why(name: SourceId, source_id: SourceId, copies: Mapping[SourceId, Copy]) -> Why:
    mine, others = copies.get(source_id), copies.get(name)
    if mine is not None and mine.dup_of == name:
        return "original"
    if others is not None and others.dup_of == source_id:
        return "copy"
    return "sibling" if mine is not None and others is not None and mine.dup_of == others.dup_of else "part"


_Spans = list[tuple[Seconds, Seconds]]


def _spans(found: Repeated, source_id: SourceId) -> dict[SourceId, tuple[_Spans, _Spans]]:
    """Stretches of the source by who else has them, and where that one has them."""
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
    """How many windows of each other source, clips or left out as the same clip, have samples of one of the source."""
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
