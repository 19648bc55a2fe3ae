"""Clips with the very same samples: one of them stays, the others leave with a reason and a link to it.

Mostly the fingerprints have masked such stretches before; this is exact, also for what is too short for them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pipelines.ingest.decide import SAME_CLIP, Decided, Decision
from pipelines.ingest.queue import Item, Queue
from pipelines.units import ClipId, SourceId


def twins(windows: Iterable[tuple[SourceId, Decided]], order: Sequence[SourceId]) -> dict[ClipId, ClipId]:
    """Of windows that are to be clips, those whose samples another one has, each with that other one, which stays.

    It is one that somebody picked by hand, of which none leaves, else the earliest by `order` and place.
    """
    place = {source: number for number, source in enumerate(order)}
    first: dict[str, ClipId] = {}
    found: dict[ClipId, ClipId] = {}
    ordered = sorted(
        windows,
        key=lambda one: (
            one[1].decision.arm != "picked", place.get(one[0], len(place)), one[0], one[1].window.start_sample
        ),
    )  # fmt: skip
    for _, one in ordered:
        if not one.window.pcm_sha256:
            continue
        earlier = first.setdefault(one.window.pcm_sha256, one.clip_id)
        if earlier != one.clip_id and one.decision.arm != "picked":
            found[one.clip_id] = earlier
    return found


def part_twins(queue: Queue, items: Mapping[SourceId, Item], order: Sequence[SourceId]) -> frozenset[SourceId]:
    """Let of kept windows with the same samples one stay, and those come back whose twin is gone.

    A function of what is decided of single sources: it may be done again, in any order, and changes nothing then.
    Returns the sources of which a window was turned over.
    """
    before = {name: queue.decided(items[name]) for name in sorted(queue.with_twins() & items.keys())}
    wanted = [(name, _restored(one)) for name, windows in before.items() for one in windows if _is_wanted(one)]
    picked = [(name, one) for name in before for one in queue.kept(items[name]) if one.decision.arm == "picked"]
    leaving = twins([*wanted, *picked], order)
    turned = set()
    for name, windows in before.items():
        found = [_parted(one, leaving) for one in windows]
        if queue.decide(items[name], found, [one.decision for one in windows]):
            turned.add(name)
    return frozenset(turned)


def _is_wanted(one: Decided) -> bool:
    return one.decision.kept or one.decision.reasons == (SAME_CLIP,)


def _restored(one: Decided) -> Decided:
    """As it was decided of its source alone; the arm of one that left is kept for that."""
    return replace(one, decision=Decision("keep", arm=one.decision.arm))


def _parted(one: Decided, leaving: Mapping[ClipId, ClipId]) -> Decision:
    if not _is_wanted(one):
        return one.decision
    if one.clip_id in leaving:
        return Decision("reject", (SAME_CLIP,), one.decision.arm)
    return _restored(one).decision
