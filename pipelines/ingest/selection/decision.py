"""Decision for each candidate window: kept as a clip, held for review, or rejected with reasons.

A pure function of scores, thresholds, masks and picks. It decodes no audio, so thresholds can change as often as you
like. A window is rejected for these reasons, in this order: `repeated` (it lies in a stretch that occurs twice), the
reasons of the screens, `picked_over` (it overlaps a window that a person picked), `source_full` (the source already has
as many clips as it may), `overlap` (it overlaps another window that is kept).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.ingest.selection.manual_picks import Pick
from pipelines.ingest.selection.placement import Candidate, best_coverage
from pipelines.ingest.selection.quotas import draw_key, over_quota
from pipelines.ingest.selection.screens import ScreenFailure, effective_thresholds, failed_screens
from pipelines.schema import clip_id
from pipelines.study import StudySettings
from pipelines.units import ClipId, Hertz, Samples, Seconds, SourceId

if TYPE_CHECKING:  # the package imports scipy.signal, which takes a second
    from pipelines.ingest.repeats.model import Interval

Status = Literal["keep", "review", "reject"]
#: How a kept window was selected: it passed every screen, it was drawn at random, or a person picked it.
Arm = Literal["", "model", "random", "picked"]

REPEATED, PICKED_OVER, SOURCE_FULL, OVERLAP = "repeated", "picked_over", "source_full", "overlap"
#: Another clip has identical samples; the speaker already has as many clips as allowed.
SAME_CLIP, SPEAKER_FULL = "same_clip", "speaker_full"
#: Decided over all sources at once, after each source by itself: see pipelines.ingest.series.cross_source_rules.
CROSS_SOURCE_REASONS = (SAME_CLIP, SPEAKER_FULL)
#: A window may reach this far into a repeated stretch: edges of repeats are accurate to about 50 ms.
REPEAT_TOLERANCE_S: Seconds = 0.1


@dataclass(frozen=True, slots=True)
class ScoredWindow:
    """A candidate window with its score per screen (None: unknown) and the hash of its samples."""

    start_sample: Samples
    n_samples: Samples
    onset_s: Seconds
    scores: Mapping[str, float | None]
    pcm_sha256: str = ""

    @property
    def end_sample(self) -> Samples:
        """The first sample after the window."""
        return self.start_sample + self.n_samples


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a window becomes a clip. A kept window has an arm and no reasons; any other has reasons and no arm.

    Exception: a window rejected because of other sources (CROSS_SOURCE_REASONS) keeps its arm, so that it can be
    restored. `review` marks windows that fail screens narrowly: a person may pick them.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    arm: Arm = ""

    @property
    def kept(self) -> bool:
        return self.status == "keep"


PICKED = Decision("keep", arm="picked")


@dataclass(frozen=True, slots=True)
class DecidedWindow:
    """A window with its decision and the id that its clip has, or would have."""

    clip_id: ClipId
    window: ScoredWindow
    decision: Decision


def decide(
    windows: Sequence[ScoredWindow],
    rate_hz: Hertz,
    settings: StudySettings,
    *,
    source_id: SourceId,
    masked: "Sequence[Interval]" = (),
    picks: Sequence[Pick] = (),
) -> tuple[Decision, ...]:
    """One decision per window of one source, in the order of `windows`. That order does not affect the decisions.

    `masked`: intervals in seconds, sorted and without overlap. A picked window is always kept. A share of the other
    windows (`[select] random_share`, drawn by a hash of the clip id) has to pass the hard screens only and is placed
    first. From the rest, the set without overlap that holds most speech is taken. If these are more than
    `[select] max_per_source`, a separate draw decides which ones stay; picks count and always stay.
    Raises UnknownName, and ConfigError for invalid thresholds.
    """
    order = sorted(range(len(windows)), key=lambda i: (windows[i].start_sample, windows[i].n_samples))
    ordered = [windows[i] for i in order]
    decisions = _decide_sorted(ordered, rate_hz, settings, source_id, masked, sorted(picks))
    found = dict(zip(order, decisions, strict=True))
    return tuple(found[i] for i in range(len(windows)))


def with_clip_ids(
    windows: Iterable[ScoredWindow], decisions: Iterable[Decision], source_id: SourceId, rate_hz: Hertz
) -> tuple[DecidedWindow, ...]:
    """Windows with their decisions, under the ids of their clips."""
    return tuple(
        DecidedWindow(clip_id(source_id, window.start_sample, rate_hz), window, decision)
        for window, decision in zip(windows, decisions, strict=True)
    )


def _decide_sorted(
    windows: Sequence[ScoredWindow],
    rate_hz: Hertz,
    settings: StudySettings,
    source_id: SourceId,
    masked: "Sequence[Interval]",
    picks: Sequence[Pick],
) -> list[Decision]:
    """Decisions for windows sorted by start; `picks` are sorted too."""
    thresholds = effective_thresholds(settings)
    failures = [failed_screens(window.scores, thresholds) for window in windows]
    repeated = _repeated(windows, rate_hz, masked)
    intervals = [(pick.start_sample, pick.end_sample) for pick in picks]
    picked_over = [_overlaps(window, intervals) for window in windows]
    clip_ids = [clip_id(source_id, window.start_sample, rate_hz) for window in windows]

    available = [i for i in range(len(windows)) if not (repeated[i] or picked_over[i])]
    eligible = [i for i in available if not any(failure.hard for failure in failures[i])]
    random = _random_arm(windows, eligible, clip_ids, settings.select.random_share)
    passing = [i for i in available if not failures[i] and i not in random]
    model = _model_arm(windows, passing, random, rate_hz)

    full: frozenset[ClipId] = frozenset()
    if settings.select.max_per_source is not None:
        selected = [clip_ids[i] for i in sorted(random | model)]
        full = over_quota("source cap", selected, settings.select.max_per_source - len(picks))

    is_pick = {(pick.start_sample, pick.n_samples) for pick in picks}
    decisions = []
    for i, window in enumerate(windows):
        if (window.start_sample, window.n_samples) in is_pick:
            decisions.append(PICKED)
        elif i not in random and i not in model:
            decisions.append(_rejection(failures[i], repeated=repeated[i], picked_over=picked_over[i]))
        elif clip_ids[i] in full:
            decisions.append(Decision("reject", (SOURCE_FULL,)))
        else:
            decisions.append(Decision("keep", arm="random" if i in random else "model"))
    return decisions


def _random_arm(
    windows: Sequence[ScoredWindow], eligible: Iterable[int], clip_ids: Sequence[ClipId], share: float
) -> set[int]:
    """Indices of a share of the `eligible` windows, drawn by hash; of windows that overlap, the lower hash."""
    keys = {i: draw_key("random arm", clip_ids[i]) for i in eligible}
    drawn = [i for i, key in keys.items() if int(key, 16) < share * 16 ** len(key)]
    taken: list[tuple[Samples, Samples]] = []
    random: set[int] = set()
    for i in sorted(drawn, key=lambda i: (keys[i], i)):
        window = windows[i]
        if not _overlaps(window, taken):
            taken.insert(bisect_left(taken, (window.start_sample, 0)), (window.start_sample, window.end_sample))
            random.add(i)
    return random


def _model_arm(windows: Sequence[ScoredWindow], passing: Iterable[int], random: Set[int], rate_hz: Hertz) -> set[int]:
    """Indices of the `passing` windows, clear of the random arm and of each other, that hold most speech."""
    taken = [(windows[i].start_sample, windows[i].end_sample) for i in sorted(random)]
    left = [i for i in passing if not _overlaps(windows[i], taken)]
    places = [Candidate(windows[i].start_sample, windows[i].n_samples, windows[i].onset_s) for i in left]
    return {left[place] for place in best_coverage(places, [_worth(windows[i], rate_hz) for i in left])}


def _rejection(failures: Sequence[ScreenFailure], *, repeated: bool, picked_over: bool) -> Decision:
    reasons = [REPEATED] if repeated else []
    reasons += [failure.reason for failure in failures]
    reasons += [PICKED_OVER] if picked_over else []
    is_near = failures and all(failure.review for failure in failures) and not (repeated or picked_over)
    return Decision("review" if is_near else "reject", tuple(reasons) or (OVERLAP,))


def _repeated(windows: Sequence[ScoredWindow], rate_hz: Hertz, masked: "Sequence[Interval]") -> list[bool]:
    """Whether each window reaches further into a masked interval than REPEAT_TOLERANCE_S."""
    ends = [interval.end_s for interval in masked]
    found = []
    for window in windows:
        start_s, end_s = window.start_sample / rate_hz, window.end_sample / rate_hz
        inside = False
        for interval in masked[bisect_right(ends, start_s) :]:
            if interval.start_s >= end_s:
                break
            inside |= min(end_s, interval.end_s) - max(start_s, interval.start_s) > REPEAT_TOLERANCE_S + 1e-9
        found.append(inside)
    return found


def _overlaps(window: ScoredWindow, taken: Sequence[tuple[Samples, Samples]]) -> bool:
    """Whether a window overlaps one of `taken`: (start, end) pairs, sorted and without overlap."""
    after = bisect_left(taken, (window.end_sample, 0))
    return after > 0 and taken[after - 1][1] > window.start_sample


def _worth(window: ScoredWindow, rate_hz: Hertz) -> Seconds:
    """Seconds of speech, a fifth less if an edge cuts through it; close to zero if the score is unknown.

    A cut counts more the louder the speech is at the edge, from 15 dB below the rest upwards.
    """
    spoken_s = (window.scores.get("speech_ratio") or 1e-6) * window.n_samples / rate_hz
    cut_db = window.scores.get("cut_edge_db")
    cut = 0.0 if cut_db is None else min(1.0, max(0.0, (cut_db + 15) / 15))
    return spoken_s * (1 - 0.2 * cut)
