"""Which candidate windows become clips, and why the others do not: a pure function of scores, bounds, masks and picks.

Nothing is decoded here, so a bound can be moved as often as one likes. A window is turned down for, in this order:
`repeated` (it stands in a stretch that sounds twice), what the screens say, `picked_over` (a window that somebody
picked by hand stands there), `source_full` (the source has as many clips as it may), `overlap` (another window that
would be kept, but for that, does).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.ingest.selection.manual_picks import Pick
from pipelines.ingest.selection.placement import Candidate, best_coverage
from pipelines.ingest.selection.quotas import lot, over
from pipelines.ingest.selection.screens import Refusal, bounds_of, weigh
from pipelines.schema import clip_id
from pipelines.study import StudySettings
from pipelines.units import ClipId, Hertz, Samples, Seconds, SourceId

if TYPE_CHECKING:  # the package imports scipy.signal, which takes a second
    from pipelines.ingest.repeats.model import Interval

Status = Literal["keep", "review", "reject"]
#: How a kept window came in: it passed every screen, it was drawn by lot, or somebody picked it.
Arm = Literal["", "model", "random", "picked"]

REPEATED, PICKED_OVER, SOURCE_FULL, OVERLAP = "repeated", "picked_over", "source_full", "overlap"
#: Another clip has the very same samples; its speaker has as many clips as one may have.
SAME_CLIP, SPEAKER_FULL = "same_clip", "speaker_full"
#: Decided over all sources at once, of what each would keep by itself: see pipelines.ingest.series.cross_source_rules.
TOGETHER = (SAME_CLIP, SPEAKER_FULL)
#: A window may reach so far into a stretch that sounds twice: edges of repeats are good to about 50 ms.
TOUCHING_S: Seconds = 0.1


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate window with all its scores by screen, None where not known, and the hash of its samples."""

    start_sample: Samples
    n_samples: Samples
    onset_s: Seconds
    scores: Mapping[str, float | None]
    pcm_sha256: str = ""

    @property
    def end_sample(self) -> Samples:
        """The first sample after it."""
        return self.start_sample + self.n_samples


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a window. A kept one has an arm and no reasons, any other reasons and no arm.

    But for one that leaves for what stands in other sources (TOGETHER), which keeps its arm for when it comes back.
    `review` is for windows that screens refuse, but none by much: a person may pick them.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    arm: Arm = ""

    @property
    def kept(self) -> bool:
        return self.status == "keep"


PICKED = Decision("keep", arm="picked")


@dataclass(frozen=True, slots=True)
class Decided:
    """A window under the name that its clip has, or would have."""

    clip_id: ClipId
    window: Scored
    decision: Decision


def decide(
    windows: Sequence[Scored],
    rate_hz: Hertz,
    settings: StudySettings,
    *,
    source_id: SourceId,
    masked: "Sequence[Interval]" = (),
    picks: Sequence[Pick] = (),
) -> tuple[Decision, ...]:
    """One decision per window of one source, in the order of `windows`, which does not matter to what is decided.

    `masked`: in order and without overlap, in seconds. A picked window is kept whatever speaks against it. A share of
    the others (`[select] random_share`, drawn by a hash of the clip's id) has to pass the hard screens only and is
    placed before the rest, of which the set without overlap is taken that holds most speech. Where all these are more
    than `[select] most_per_source`, a lot of its own says which stay; picks count, and always stay.
    Raises UnknownName, ConfigError for bounds that will not do.
    """
    order = sorted(range(len(windows)), key=lambda i: (windows[i].start_sample, windows[i].n_samples))
    ordered = [windows[i] for i in order]
    found = dict(zip(order, _decided(ordered, rate_hz, settings, source_id, masked, sorted(picks)), strict=True))
    return tuple(found[i] for i in range(len(windows)))


def named(
    windows: Iterable[Scored], decisions: Iterable[Decision], source_id: SourceId, rate_hz: Hertz
) -> tuple[Decided, ...]:
    """Windows with what was decided, under the ids of their clips."""
    return tuple(
        Decided(clip_id(source_id, window.start_sample, rate_hz), window, decision)
        for window, decision in zip(windows, decisions, strict=True)
    )


def _decided(
    windows: Sequence[Scored],
    rate_hz: Hertz,
    settings: StudySettings,
    source_id: SourceId,
    masked: "Sequence[Interval]",
    picks: Sequence[Pick],
) -> list[Decision]:
    bounds = bounds_of(settings)
    refused = [weigh(window.scores, bounds) for window in windows]
    repeated = _repeated(windows, rate_hz, masked)
    is_pick = {(pick.start_sample, pick.n_samples) for pick in picks}
    picked = [(window.start_sample, window.n_samples) in is_pick for window in windows]
    taken = [(pick.start_sample, pick.end_sample) for pick in picks]
    picked_over = [_touches(window, taken) for window in windows]
    free = [i for i in range(len(windows)) if not (repeated[i] or picked_over[i])]

    drawn: dict[int, str] = {}
    for i in free:
        number = lot("random arm", clip_id(source_id, windows[i].start_sample, rate_hz))
        share = settings.select.random_share * 16 ** len(number)
        if int(number, 16) < share and not any(one.hard for one in refused[i]):
            drawn[i] = number
    by_lot: list[tuple[Samples, Samples]] = []
    random: set[int] = set()
    for i in sorted(drawn, key=lambda i: (drawn[i], i)):
        if not _touches(windows[i], by_lot):
            by_lot.insert(
                bisect_left(by_lot, (windows[i].start_sample, 0)), (windows[i].start_sample, windows[i].end_sample)
            )
            random.add(i)

    left = [i for i in free if not refused[i] and i not in random and not _touches(windows[i], by_lot)]
    places = [Candidate(windows[i].start_sample, windows[i].n_samples, windows[i].onset_s) for i in left]
    model = {left[place] for place in best_coverage(places, [_worth(windows[i], rate_hz) for i in left])}

    full: frozenset[ClipId] = frozenset()
    names = {i: clip_id(source_id, windows[i].start_sample, rate_hz) for i in sorted(random | model)}
    if settings.select.most_per_source is not None:
        full = over("source cap", names.values(), settings.select.most_per_source - len(picks))

    decisions = []
    for i in range(len(windows)):
        if picked[i]:
            decisions.append(PICKED)
        elif names.get(i) in full:
            decisions.append(Decision("reject", (SOURCE_FULL,)))
        elif i in random or i in model:
            decisions.append(Decision("keep", arm="random" if i in random else "model"))
        else:
            decisions.append(_turned_down(refused[i], repeated=repeated[i], picked_over=picked_over[i]))
    return decisions


def _turned_down(refused: Sequence[Refusal], *, repeated: bool, picked_over: bool) -> Decision:
    reasons = [REPEATED] if repeated else []
    reasons += [one.reason for one in refused]
    reasons += [PICKED_OVER] if picked_over else []
    near = refused and all(one.review for one in refused) and not (repeated or picked_over)
    return Decision("review" if near else "reject", tuple(reasons) or (OVERLAP,))


def _repeated(windows: Sequence[Scored], rate_hz: Hertz, masked: "Sequence[Interval]") -> list[bool]:
    ends = [interval.end_s for interval in masked]
    found = []
    for window in windows:
        start_s, end_s = window.start_sample / rate_hz, window.end_sample / rate_hz
        inside = False
        for interval in masked[bisect_right(ends, start_s) :]:
            if interval.start_s >= end_s:
                break
            inside |= min(end_s, interval.end_s) - max(start_s, interval.start_s) > TOUCHING_S + 1e-9
        found.append(inside)
    return found


def _touches(window: Scored, taken: Sequence[tuple[Samples, Samples]]) -> bool:
    """Whether a window overlaps one of `taken`: from, to, in order and without overlap."""
    after = bisect_left(taken, (window.end_sample, 0))
    return after > 0 and taken[after - 1][1] > window.start_sample


def _worth(window: Scored, rate_hz: Hertz) -> Seconds:
    """Seconds of speech, a fifth less where an edge cuts through it; next to nothing where they are not known.

    A cut counts the more the louder the speech there, from 15 dB below the rest on.
    """
    spoken_s = (window.scores.get("speech_ratio") or 1e-6) * window.n_samples / rate_hz
    cut_db = window.scores.get("cut_edge_db")
    cut = 0.0 if cut_db is None else min(1.0, max(0.0, (cut_db + 15) / 15))
    return spoken_s * (1 - 0.2 * cut)
