"""Clips that were in the study and are not any more: a row for each source, with how many left for which reason.

Nothing is lost with them: their files stay on the disk, and what people answered waits under their ids.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pipelines.ingest.report import Row
from pipelines.ingest.selection.decision import OVERLAP, PICKED_OVER, REPEATED, SAME_CLIP, SOURCE_FULL, SPEAKER_FULL
from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.sources import Source
from pipelines.ingest.state.queue import Item, Queue
from pipelines.schema import Clip
from pipelines.units import ClipId, SourceId

#: A pick that was taken back; a window that is to be a clip and could not be cut; one that is no candidate any more,
#: since the recording was heard anew in another way.
UNPICKED, NOT_CUT, NO_WINDOW = "unpicked", "not_cut", "no_window"
UNLISTED = "unlisted"

_WORDS: Mapping[str, str] = {
    REPEATED: "hold what sounds elsewhere too ('workbench clips repeats' says where)",
    SAME_CLIP: "are the same sound as another clip",
    PICKED_OVER: "stand where somebody picked another by hand",
    OVERLAP: "overlap a clip that is kept now",
    SOURCE_FULL: "are more than one recording may give",
    SPEAKER_FULL: "are more than one speaker may give",
    UNPICKED: "were picked by hand, and that was taken back",
    NOT_CUT: "could not be cut",
    NO_WINDOW: "begin where no window begins since the recording was heard anew",
}


def left_rows(
    listed: Mapping[SourceId, Source],
    items: Mapping[SourceId, Item],
    before: Sequence[Clip],
    now: Iterable[Clip],
    queue: Queue,
) -> tuple[Row, ...]:
    """A row per source of which clips were `before` and are not `now`, by what the queue knows by now.

    Not of one that was taken down, and not of one that was never ingested here.
    """
    there = {clip.clip_id for clip in now}
    gone: dict[SourceId, list[Clip]] = {}
    for clip in before:
        if clip.clip_id not in there and clip.source_id in listed and not listed[clip.source_id].is_taken_down:
            gone.setdefault(clip.source_id, []).append(clip)
    rows = []
    for name, clips in sorted(gone.items()):
        item = items.get(name)
        if item is None or item.status != "done":
            continue
        reasons = queue.reasons(item)
        counts = dict(Counter(_reason(clip, reasons.get(clip.clip_id)) for clip in clips).most_common())
        several = f"{len(clips)} of its clips" if len(clips) > 1 else "1 of its clips"
        told = f"{name}: {several} left clips.csv ({_said(counts)}); their files and labels wait under their ids"
        ids = tuple(clip.clip_id for clip in clips)
        rows.append(Row(name, "left", name, next(iter(counts)), told, left=counts, left_ids=ids))
    return tuple(rows)


def unlisted_rows(orphans: Sequence[Clip]) -> tuple[Row, ...]:
    """A row per source that somebody took out of sources.csv and that had clips."""
    clips: dict[SourceId, list[ClipId]] = {}
    for clip in orphans:
        clips.setdefault(clip.source_id, []).append(clip.clip_id)
    return tuple(
        Row(
            given=name,
            status="unlisted",
            source_id=name,
            reason_code=UNLISTED,
            reason=f"{name}: is no longer in sources.csv, so its {len(ids)} clips left clips.csv",
            left={UNLISTED: len(ids)},
            left_ids=tuple(ids),
        )
        for name, ids in sorted(clips.items())
    )


def main_reason(reasons: Sequence[str]) -> str:
    """The one thing that made a clip leave, of all that speaks against it; `not_cut` where nothing does.

    One drawn by lot has reasons of the screens at all times: what is decided elsewhere counts before those.
    """
    before_all = [code for code in (REPEATED, SAME_CLIP, PICKED_OVER) if code in reasons]
    return next(iter((*before_all, *reasons)), NOT_CUT)


def _reason(clip: Clip, reasons: Sequence[str] | None) -> str:
    if reasons is None:
        return UNPICKED if clip.arm == "picked" else NO_WINDOW
    return main_reason(reasons)


def _said(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{count} {_words(code)}" for code, count in counts.items())


def _words(code: str) -> str:
    name, _, side = code.rpartition("_")
    if name in SCREENS:
        return f"for {SCREENS[name].description}: too {side}"
    return _WORDS.get(code, code)
