"""Duplicate clips, which have identical samples: one of them stays, the others are rejected with a link to it.

The fingerprints mask most such stretches earlier. This check is exact and also covers stretches too short for them.
"""

from collections.abc import Iterable, Sequence

from pipelines.ingest.selection.decision import DecidedWindow
from pipelines.units import ClipId, SourceId


def duplicate_clips(
    windows: Iterable[tuple[SourceId, DecidedWindow]], order: Sequence[SourceId]
) -> dict[ClipId, ClipId]:
    """Duplicates among windows that are to be clips: the id of each rejected clip with the id of the one that stays.

    A picked clip always stays; otherwise the earliest by `order` and start.
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
