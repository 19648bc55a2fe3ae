"""Clips with the very same samples: one of them stays, the others leave with a reason and a link to it.

Mostly the fingerprints have masked such stretches before; this is exact, also for what is too short for them.
"""

from collections.abc import Iterable, Sequence

from pipelines.ingest.selection.decision import Decided
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
