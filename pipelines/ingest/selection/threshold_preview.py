"""Threshold preview: which clips other thresholds would keep, by the same decision rule that ingest uses."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from pipelines.errors import DataError
from pipelines.ingest.selection.decision import REPEATED, SAME_CLIP, SPEAKER_FULL, Decision, ScoredWindow, decide
from pipelines.ingest.selection.manual_picks import Pick
from pipelines.ingest.selection.screens import SCREENS, effective_thresholds
from pipelines.ingest.selection.speaker_quotas import ClipSpeakers
from pipelines.study import ScreenThresholds, StudySettings
from pipelines.units import ClipId, Hertz, SourceId

Side = Literal["min", "max"]
Scores: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """candidates.parquet in memory: every window of every source, n in all, in the order of the table.

    `scores` holds one array [n] per screen, NaN where a score is unknown.
    """

    clip_ids: tuple[ClipId, ...]
    source_ids: tuple[SourceId, ...]
    start_s: npt.NDArray[np.float64]
    status: tuple[str, ...]
    reasons: tuple[tuple[str, ...], ...]
    arms: tuple[str, ...]
    scores: Mapping[str, Scores]
    windows: tuple[ScoredWindow, ...]
    rates_hz: Mapping[SourceId, Hertz]
    rows_by_source: Mapping[SourceId, tuple[int, ...]]

    def __len__(self) -> int:
        return len(self.clip_ids)

    @property
    def lengths_s(self) -> npt.NDArray[np.float64]:
        """Duration of each window in seconds: [n]."""
        pairs = zip(self.windows, self.source_ids, strict=True)
        return np.array([window.n_samples / self.rates_hz[source_id] for window, source_id in pairs])

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Which windows were kept when the table was written: [n]."""
        return np.array([status == "keep" for status in self.status], dtype=bool)


@dataclass(frozen=True, slots=True, eq=False)
class ThresholdPreview:
    """What other thresholds would keep. `kept`: [n], in the order of the candidates."""

    decisions: tuple[Decision, ...]
    kept: npt.NDArray[np.bool_]
    n_kept_before: int
    gained: tuple[ClipId, ...]
    lost: tuple[ClipId, ...]

    @property
    def n_kept(self) -> int:
        return int(self.kept.sum())

    @property
    def statuses(self) -> dict[str, int]:
        """Windows by status."""
        return dict(Counter(one.status for one in self.decisions))

    @property
    def reasons(self) -> dict[str, int]:
        """Windows that are not kept, by the first reason of each, most frequent first."""
        return dict(Counter(one.reasons[0] for one in self.decisions if not one.kept).most_common())


_COLUMNS = ("clip_id", "source_id", "start_sample", "n_samples", "rate_hz", "start_s", "onset_s", "status", "reasons")


def read_candidates(path: Path) -> Candidates:
    """All candidates of a study. Raises DataError if there are none, or if an older version wrote them."""
    if not path.is_file():
        raise DataError("there are no candidates on this machine yet: run 'workbench ingest'")
    cells = _read_columns(path, (*_COLUMNS, "arm", "pcm_sha256", *SCREENS))
    scores = {name: np.array(cells[name], dtype=np.float64) for name in SCREENS}
    rows: dict[SourceId, list[int]] = {}
    for number, source_id in enumerate(cells["source_id"]):
        rows.setdefault(source_id, []).append(number)
    return Candidates(
        clip_ids=tuple(cells["clip_id"]),
        source_ids=tuple(cells["source_id"]),
        start_s=np.array(cells["start_s"], dtype=np.float64),
        status=tuple(cells["status"]),
        reasons=tuple(tuple(filter(None, (text or "").split(";"))) for text in cells["reasons"]),
        arms=tuple(arm or "" for arm in cells["arm"]),
        scores=scores,
        windows=_scored_windows(cells, scores),
        rates_hz={source_id: int(cells["rate_hz"][numbers[0]]) for source_id, numbers in rows.items()},
        rows_by_source={source_id: tuple(numbers) for source_id, numbers in rows.items()},
    )


def _read_columns(path: Path, wanted: Sequence[str]) -> dict[str, list[Any]]:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(path).read()
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise DataError(
            f"{path.name} was written by an earlier version and has no column '{missing[0]}': run 'workbench ingest'"
        )
    return {name: table.column(name).to_pylist() for name in wanted}


def _scored_windows(cells: Mapping[str, Sequence[Any]], scores: Mapping[str, Scores]) -> tuple[ScoredWindow, ...]:
    by_row = np.stack(list(scores.values()), axis=1).tolist()
    return tuple(
        ScoredWindow(
            start_sample=start,
            n_samples=count,
            onset_s=onset_s,
            scores={name: None if value != value else value for name, value in zip(scores, row, strict=True)},
            pcm_sha256=pcm or "",
        )
        for start, count, onset_s, row, pcm in zip(
            cells["start_sample"], cells["n_samples"], cells["onset_s"], by_row, cells["pcm_sha256"], strict=True
        )
    )


def preview_thresholds(
    candidates: Candidates,
    settings: StudySettings,
    thresholds: Mapping[str, ScreenThresholds],
    *,
    picks: Mapping[SourceId, Sequence[Pick]] | None = None,
    speakers: ClipSpeakers | None = None,
) -> ThresholdPreview:
    """Decide all candidates under `settings`, with `thresholds` in place of those of some screens; writes nothing.

    A clip that was rejected as the same audio as an earlier one stays rejected. Quotas apply, the one per speaker to
    the speakers in `speakers`.

    Raises UnknownName for an unknown screen, ConfigError for invalid thresholds.
    """
    changed = settings.model_copy(update={"screen": {**settings.screen, **thresholds}})
    effective_thresholds(changed)  # validates, even if there is no candidate to decide
    decisions = _decide_each_source(candidates, changed, picks or {})
    _apply_speaker_quota(candidates, decisions, speakers or ClipSpeakers(), changed.select.max_per_speaker)
    before = candidates.kept
    kept = np.array([decision.kept for decision in decisions], dtype=bool)
    return ThresholdPreview(
        decisions=tuple(decisions),
        kept=kept,
        n_kept_before=int(before.sum()),
        gained=tuple(candidates.clip_ids[row] for row in np.flatnonzero(kept & ~before)),
        lost=tuple(candidates.clip_ids[row] for row in np.flatnonzero(before & ~kept)),
    )


def _decide_each_source(
    candidates: Candidates, settings: StudySettings, picks: Mapping[SourceId, Sequence[Pick]]
) -> list[Decision]:
    found: list[Decision] = [Decision("reject", (REPEATED,))] * len(candidates)
    for source_id, rows in candidates.rows_by_source.items():
        not_repeated = [row for row in rows if REPEATED not in candidates.reasons[row]]
        decisions = decide(
            [candidates.windows[row] for row in not_repeated],
            candidates.rates_hz[source_id],
            settings,
            source_id=source_id,
            picks=tuple(picks.get(source_id, ())),
        )
        for row, decision in zip(not_repeated, decisions, strict=True):
            is_duplicate = decision.kept and SAME_CLIP in candidates.reasons[row]
            found[row] = Decision("reject", (SAME_CLIP,), decision.arm) if is_duplicate else decision
    return found


def _apply_speaker_quota(
    candidates: Candidates, decisions: list[Decision], speakers: ClipSpeakers, max_per_speaker: int | None
) -> None:
    """Reject kept windows over the quota per speaker, in place."""
    rows = {candidates.clip_ids[row]: row for row, decision in enumerate(decisions) if decision.kept}
    is_picked = {name: decisions[row].arm == "picked" for name, row in rows.items()}
    for name in speakers.over_quota(is_picked, max_per_speaker):
        decisions[rows[name]] = Decision("reject", (SPEAKER_FULL,), decisions[rows[name]].arm)


def move_limit(thresholds: ScreenThresholds, side: Side, limit: float | None) -> ScreenThresholds:
    """`thresholds` with one limit moved (None: no limit). The review zone stays if it still lies outside the limit."""
    review: dict[str, float | None] = {"review_min": thresholds.review_min, "review_max": thresholds.review_max}
    if side == "min" and (limit is None or (thresholds.review_min is not None and thresholds.review_min >= limit)):
        review["review_min"] = None
    if side == "max" and (limit is None or (thresholds.review_max is not None and thresholds.review_max <= limit)):
        review["review_max"] = None
    return thresholds.model_copy(update={side: limit, **review})


def nearest_windows(
    candidates: Candidates, settings: StudySettings, name: str, side: Side, limit: float, *, most: int = 10
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Rows nearest to a limit of one screen: those that pass it and those that fail it, nearest first.

    Windows that no other screen rejects come first: a window that another screen rejects says nothing about this limit.
    """
    scores = candidates.scores[name]
    alone = decided_by_screen(candidates, settings, name)
    passes = scores >= limit if side == "min" else scores <= limit
    return tuple(  # type: ignore[return-value]
        _nearest(np.abs(scores - limit), np.isfinite(scores) & there, alone, most) for there in (passes, ~passes)
    )


def decided_by_screen(candidates: Candidates, settings: StudySettings, name: str) -> npt.NDArray[np.bool_]:
    """Which windows [n] are decided by the screen `name` alone: nothing else rejects them."""
    alone = np.array([REPEATED not in reasons for reasons in candidates.reasons], dtype=bool)
    for other, bounds in effective_thresholds(settings).items():
        if other != name:
            alone &= _passes(candidates.scores[other], bounds)
    return alone


def _passes(scores: Scores, bounds: ScreenThresholds) -> npt.NDArray[np.bool_]:
    """Which scores [n] lie within the thresholds; an unknown score does."""
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
    """Windows by score: `edges` [bins + 1], `kept` and `others` [bins]. Scores beyond count in the outer bins."""

    edges: npt.NDArray[np.float64]
    kept: npt.NDArray[np.int64]
    others: npt.NDArray[np.int64]
    unknown: int


def histogram(candidates: Candidates, name: str, kept: npt.NDArray[np.bool_], *, bins: int = 50) -> Histogram:
    """Histogram of one screen's scores, split by `kept` [n], over the range that `score_range` gives."""
    scores = candidates.scores[name]
    known = np.isfinite(scores)
    low, high = score_range(candidates, name)
    edges = np.linspace(low, high, bins + 1)
    inside = np.clip(scores, low, high)
    return Histogram(
        edges=edges,
        kept=np.histogram(inside[known & kept], edges)[0],
        others=np.histogram(inside[known & ~kept], edges)[0],
        unknown=int((~known).sum()),
    )


def score_range(candidates: Candidates, name: str) -> tuple[float, float]:
    """Lowest and highest score of one screen, without the outermost 0.5 % on either side."""
    scores = candidates.scores[name]
    known = scores[np.isfinite(scores)]
    if not len(known):
        return (0.0, 1.0)
    low, high = (float(value) for value in np.percentile(known, (0.5, 99.5)))
    return (low, high) if high > low else (low - 0.5, high + 0.5)
