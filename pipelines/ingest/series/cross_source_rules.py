"""What all sources together make of the windows that each keeps by itself: twins leave, then what is over the cap.

A clip that leaves keeps its arm, so that it can come back when its twin is gone, the cap is raised, or somebody says
that another person speaks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipelines.ingest.selection.decision import SAME_CLIP, SPEAKER_FULL, TOGETHER, Decided, Decision
from pipelines.ingest.selection.speaker_quotas import Speakers
from pipelines.ingest.series.duplicates import twins
from pipelines.ingest.state.queue import Item, Queue
from pipelines.units import ClipId, SourceId


def part(
    queue: Queue,
    items: Mapping[SourceId, Item],
    order: Sequence[SourceId],
    speakers: Speakers | None = None,
    most_per_speaker: int | None = None,
) -> frozenset[SourceId]:
    """Let of kept windows with the same samples one stay, and of each speaker `most_per_speaker`; bring others back.

    A function of what is decided of single sources and of `speakers`: it may be done again, in any order, and changes
    nothing then. `order`: of airing. Returns the sources of which a window was turned over.
    """
    speakers = speakers or Speakers()
    concerned = queue.with_twins() | (speakers.sources if most_per_speaker is not None else frozenset())
    before = {name: queue.decided(items[name]) for name in sorted(concerned & items.keys())}
    wanted = [(name, _restored(one)) for name, windows in before.items() for one in windows if _is_wanted(one)]
    picked = [(name, one) for name in before for one in queue.kept(items[name]) if one.decision.arm == "picked"]
    leaving = dict.fromkeys(twins([*wanted, *picked], order), SAME_CLIP)
    stays = {one.clip_id: one.decision.arm == "picked" for _, one in [*wanted, *picked] if one.clip_id not in leaving}
    leaving |= dict.fromkeys(speakers.over(stays, most_per_speaker), SPEAKER_FULL)
    turned = set()
    for name, windows in before.items():
        found = [_parted(one, leaving) for one in windows]
        if queue.decide(items[name], found, [one.decision for one in windows]):
            turned.add(name)
    return frozenset(turned)


def _is_wanted(one: Decided) -> bool:
    return one.decision.kept or (len(one.decision.reasons) == 1 and one.decision.reasons[0] in TOGETHER)


def _restored(one: Decided) -> Decided:
    """As it was decided of its source alone; the arm of one that left is kept for that."""
    return replace(one, decision=Decision("keep", arm=one.decision.arm))


def _parted(one: Decided, leaving: Mapping[ClipId, str]) -> Decision:
    if not _is_wanted(one):
        return one.decision
    if (reason := leaving.get(one.clip_id)) is not None:
        return Decision("reject", (reason,), one.decision.arm)
    return _restored(one).decision
