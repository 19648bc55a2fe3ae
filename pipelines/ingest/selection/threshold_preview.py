"""What another bound would keep: every candidate decided again from its scores, by the rule that ingest itself uses."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError
from pipelines.ingest.selection.decision import REPEATED, SAME_CLIP, SPEAKER_FULL, Decision, Scored, decide
from pipelines.ingest.selection.manual_picks import Pick
from pipelines.ingest.selection.screens import SCREENS, bounds_of
from pipelines.ingest.selection.speaker_quotas import Speakers
from pipelines.study import Bounds, StudySettings
from pipelines.units import ClipId, Hertz, SourceId

Side = Literal["min", "max"]
Scores: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """candidates.parquet in memory: every window of every source, n in all, in the order of the table.

    `scores` holds one array [n] per screen, NaN where a score is not known.
    """

    clip_ids: tuple[ClipId, ...]
    source_ids: tuple[SourceId, ...]
    start_s: npt.NDArray[np.float64]
    status: tuple[str, ...]
    reasons: tuple[tuple[str, ...], ...]
    arms: tuple[str, ...]
    scores: Mapping[str, Scores]
    windows: tuple[Scored, ...]
    rates_hz: Mapping[SourceId, Hertz]
    places: Mapping[SourceId, tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.clip_ids)

    @property
    def lengths_s(self) -> npt.NDArray[np.float64]:
        """How long each window is: [n]."""
        pairs = zip(self.windows, self.source_ids, strict=True)
        return np.array([window.n_samples / self.rates_hz[source_id] for window, source_id in pairs])

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Which were kept when the table was written: [n]."""
        return np.array([status == "keep" for status in self.status], dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class WhatIf:
    """What other bounds would keep. `kept`: [n], in the order of the candidates."""

    decisions: tuple[Decision, ...]
    kept: npt.NDArray[np.bool_]
    was: int
    gains: tuple[ClipId, ...]
    loses: tuple[ClipId, ...]

    @property
    def keeps(self) -> int:
        return int(self.kept.sum())

    @property
    def statuses(self) -> dict[str, int]:
        """Windows by status."""
        return dict(Counter(one.status for one in self.decisions))

    @property
    def reasons(self) -> dict[str, int]:
        """Windows that are not kept, by the first reason against each, the commonest first."""
        return dict(Counter(one.reasons[0] for one in self.decisions if not one.kept).most_common())


def read_candidates(path: Path) -> Candidates:
    """All candidates of a study. Raises DataError where there are none, or where an older version wrote them."""
    import pyarrow.parquet as pq

    if not path.is_file():
        raise DataError("there are no candidates on this machine yet: run 'workbench ingest'")
    table = pq.ParquetFile(path).read()
    names = ("clip_id", "source_id", "start_sample", "n_samples", "rate_hz", "start_s", "onset_s", "status", "reasons")
    wanted = (*names, "arm", "pcm_sha256", *SCREENS)
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise DataError(
            f"{path.name} was written by an earlier version and has no column '{missing[0]}': run 'workbench ingest'"
        )
    cells = {name: table.column(name).to_pylist() for name in wanted}
    reasons = tuple(tuple(filter(None, (text or "").split(";"))) for text in cells["reasons"])
    scores = {name: np.array(cells[name], dtype=np.float64) for name in SCREENS}
    by_row = np.stack(list(scores.values()), axis=1).tolist()
    windows = tuple(
        Scored(
            start_sample=start,
            n_samples=count,
            onset_s=onset_s,
            scores={name: None if value != value else value for name, value in zip(SCREENS, row, strict=True)},
            pcm_sha256=pcm or "",
        )
        for start, count, onset_s, row, pcm in zip(
            cells["start_sample"], cells["n_samples"], cells["onset_s"], by_row, cells["pcm_sha256"], strict=True
        )
    )
    places: dict[SourceId, list[int]] = {}
    for number, source_id in enumerate(cells["source_id"]):
        places.setdefault(source_id, []).append(number)
    return Candidates(
        clip_ids=tuple(cells["clip_id"]),
        source_ids=tuple(cells["source_id"]),
        start_s=np.array(cells["start_s"], dtype=np.float64),
        status=tuple(cells["status"]),
        reasons=reasons,
        arms=tuple(arm or "" for arm in cells["arm"]),
        scores=scores,
        windows=windows,
        rates_hz={source_id: int(cells["rate_hz"][rows[0]]) for source_id, rows in places.items()},
        places={source_id: tuple(rows) for source_id, rows in places.items()},
    )


def what_if(
    candidates: Candidates,
    settings: StudySettings,
    bounds: Mapping[str, Bounds],
    *,
    picks: Mapping[SourceId, Sequence[Pick]] | None = None,
    speakers: Speakers | None = None,
) -> WhatIf:
    """Decide all candidates under `settings` with the bounds of some screens replaced by `bounds`; nothing is written.

    A clip that was left out as the same sound as an earlier one stays out. Caps hold, that per speaker for those that
    `speakers` names.

    Raises UnknownName for a screen that is not there, ConfigError for bounds that cannot stand.
    """
    moved = settings.model_copy(update={"screen": {**settings.screen, **bounds}})
    bounds_of(moved)  # also where there is no candidate to decide
    found: list[Decision] = [Decision("reject", (REPEATED,))] * len(candidates)
    for source_id, rows in candidates.places.items():
        free = [row for row in rows if REPEATED not in candidates.reasons[row]]
        decisions = decide(
            [candidates.windows[row] for row in free],
            candidates.rates_hz[source_id],
            moved,
            source_id=source_id,
            picks=tuple((picks or {}).get(source_id, ())),
        )
        for row, decision in zip(free, decisions, strict=True):
            twin = decision.kept and SAME_CLIP in candidates.reasons[row]
            found[row] = Decision("reject", (SAME_CLIP,), decision.arm) if twin else decision
    by_name = {candidates.clip_ids[row]: row for row, one in enumerate(found) if one.kept}
    stay = {name: found[row].arm == "picked" for name, row in by_name.items()}
    for name in (speakers or Speakers()).over(stay, settings.select.most_per_speaker):
        found[by_name[name]] = Decision("reject", (SPEAKER_FULL,), found[by_name[name]].arm)
    before = candidates.kept
    kept = np.array([one.kept for one in found], dtype=bool)
    return WhatIf(
        decisions=tuple(found),
        kept=kept,
        was=int(before.sum()),
        gains=tuple(candidates.clip_ids[row] for row in np.flatnonzero(kept & ~before)),
        loses=tuple(candidates.clip_ids[row] for row in np.flatnonzero(before & ~kept)),
    )


def moved(bounds: Bounds, side: Side, limit: float | None) -> Bounds:
    """`bounds` with one limit moved, None to open it. The zone for review stays where it still lies outside."""
    review: dict[str, float | None] = {"review_min": bounds.review_min, "review_max": bounds.review_max}
    if side == "min" and (limit is None or (bounds.review_min is not None and bounds.review_min >= limit)):
        review["review_min"] = None
    if side == "max" and (limit is None or (bounds.review_max is not None and bounds.review_max <= limit)):
        review["review_max"] = None
    return bounds.model_copy(update={side: limit, **review})


def beside(
    candidates: Candidates, settings: StudySettings, name: str, side: Side, limit: float, *, most: int = 10
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows nearest to a limit of one screen: those that it lets pass and those that it refuses, nearest first.

    Windows about which this screen alone decides come before others, since one hears nothing of a limit in music that
    another screen keeps out.
    """
    scores = candidates.scores[name]
    alone = decided_alone(candidates, settings, name)
    passes = scores >= limit if side == "min" else scores <= limit
    return tuple(  # type: ignore[return-value]
        _nearest(np.abs(scores - limit), np.isfinite(scores) & there, alone, most) for there in (passes, ~passes)
    )


def decided_alone(candidates: Candidates, settings: StudySettings, name: str) -> npt.NDArray[np.bool_]:
    """Windows [n] against which nothing else speaks than, perhaps, the screen `name`."""
    alone = np.array([REPEATED not in reasons for reasons in candidates.reasons], dtype=bool)
    for other, bounds in bounds_of(settings).items():
        if other != name:
            alone &= _passes(candidates.scores[other], bounds)
    return alone


def _passes(scores: Scores, bounds: Bounds) -> npt.NDArray[np.bool_]:
    """Which scores [n] lie within the bounds; one that is not known does."""
    refused = np.zeros(len(scores), dtype=bool)
    if bounds.min is not None:
        refused |= scores < bounds.min
    if bounds.max is not None:
        refused |= scores > bounds.max
    return ~refused


def _nearest(
    distance: Scores, there: npt.NDArray[np.bool_], alone: npt.NDArray[np.bool_], most: int
) -> tuple[int, ...]:
    first, others = (np.flatnonzero(there & which) for which in (alone, ~alone))
    rows = np.concatenate([part[np.argsort(distance[part], kind="stable")] for part in (first, others)])[:most]
    return tuple(int(row) for row in rows[np.argsort(distance[rows], kind="stable")])


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """Windows by score: `edges` [bins + 1], `kept` and `others` [bins]. What lies beyond counts in the outer bins."""

    edges: npt.NDArray[np.float64]
    kept: npt.NDArray[np.int64]
    others: npt.NDArray[np.int64]
    unknown: int


def histogram(candidates: Candidates, name: str, kept: npt.NDArray[np.bool_], *, bins: int = 50) -> Histogram:
    """Scores of one screen over all candidates, apart for those that `kept` [n] names; drawn from 1 to 99 in 100."""
    scores = candidates.scores[name]
    known = np.isfinite(scores)
    low, high = span(candidates, name)
    edges = np.linspace(low, high, bins + 1)
    inside = np.clip(scores, low, high)
    return Histogram(
        edges=edges,
        kept=np.histogram(inside[known & kept], edges)[0],
        others=np.histogram(inside[known & ~kept], edges)[0],
        unknown=int((~known).sum()),
    )


def span(candidates: Candidates, name: str) -> tuple[float, float]:
    """From where to where the scores of one screen lie, but for the outermost one in 200 on either side."""
    scores = candidates.scores[name]
    known = scores[np.isfinite(scores)]
    if not len(known):
        return (0.0, 1.0)
    low, high = (float(value) for value in np.percentile(known, (0.5, 99.5)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)
