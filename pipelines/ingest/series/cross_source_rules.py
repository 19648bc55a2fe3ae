"""Cross-source rules: reject duplicates of clips from other sources, then clips over the quota per speaker.

They run on the windows that each source keeps by itself. A rejected clip keeps its arm, so that it can be restored when
its duplicate is gone, the quota is raised, or its speaker is corrected.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipelines.ingest.selection.decision import CROSS_SOURCE_REASONS, SAME_CLIP, SPEAKER_FULL, DecidedWindow, Decision
from pipelines.ingest.selection.speaker_quotas import ClipSpeakers
from pipelines.ingest.series.duplicates import duplicate_clips
from pipelines.ingest.state.queue import Item, Queue
from pipelines.units import ClipId, SourceId


def apply_cross_source_rules(
    queue: Queue,
    items: Mapping[SourceId, Item],
    order: Sequence[SourceId],
    speakers: ClipSpeakers | None = None,
    max_per_speaker: int | None = None,
) -> frozenset[SourceId]:
    """Keep one of several windows with identical samples, and `max_per_speaker` of each speaker; restore the others.

    Depends only on the decisions of single sources and on `speakers`: it may run again, in any order, and then changes
    nothing. `order`: of airing. Returns the sources of which a decision changed.
    """
    speakers = speakers or ClipSpeakers()
    affected = queue.with_twins() | (speakers.sources if max_per_speaker is not None else frozenset())
    before = {name: queue.decided(items[name]) for name in sorted(affected & items.keys())}
    rejected = _rejections(queue, items, before, order, speakers, max_per_speaker)
    changed = set()
    for name, windows in before.items():
        decisions = [_with_rules(one, rejected) for one in windows]
        if queue.decide(items[name], decisions, [one.decision for one in windows]):
            changed.add(name)
    return frozenset(changed)


def _rejections(
    queue: Queue,
    items: Mapping[SourceId, Item],
    before: Mapping[SourceId, Sequence[DecidedWindow]],
    order: Sequence[SourceId],
    speakers: ClipSpeakers,
    max_per_speaker: int | None,
) -> dict[ClipId, str]:
    """Reason code of each clip that these rules reject."""
    kept = [(name, _restored(one)) for name, windows in before.items() for one in windows if _kept_by_source(one)]
    picked = [(name, one) for name in before for one in queue.kept(items[name]) if one.decision.arm == "picked"]
    clips = [*kept, *picked]
    rejected = dict.fromkeys(duplicate_clips(clips, order), SAME_CLIP)
    is_picked = {one.clip_id: one.decision.arm == "picked" for _, one in clips if one.clip_id not in rejected}
    return rejected | dict.fromkeys(speakers.over_quota(is_picked, max_per_speaker), SPEAKER_FULL)


def _kept_by_source(one: DecidedWindow) -> bool:
    return one.decision.kept or (len(one.decision.reasons) == 1 and one.decision.reasons[0] in CROSS_SOURCE_REASONS)


def _restored(one: DecidedWindow) -> DecidedWindow:
    """The window as its own source decided it; a rejected clip keeps its arm for this."""
    return replace(one, decision=Decision("keep", arm=one.decision.arm))


def _with_rules(one: DecidedWindow, rejected: Mapping[ClipId, str]) -> Decision:
    if not _kept_by_source(one):
        return one.decision
    if (reason := rejected.get(one.clip_id)) is not None:
        return Decision("reject", (reason,), one.decision.arm)
    return _restored(one).decision
