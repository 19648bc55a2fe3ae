"""How many clips one source, and one speaker, may give: which stay is drawn by lot, never by a score.

A lot is a hash of the clip's id. So a cap that is raised only adds clips, one that is lowered only takes some, and what
comes in later moves out no more than it takes the place of; neither an arm nor a loudness is preferred.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

from pipelines.units import ClipId

#: Each kind of draw is independent of the others, so that no share depends on another.
Draw = Literal["random arm", "source cap", "speaker cap"]


def lot(draw: Draw, name: ClipId) -> str:
    """16 hex digits, as good as drawn, and the same on every machine and in every order."""
    return hashlib.sha256(f"{draw} {name}".encode()).hexdigest()[:16]


def over(draw: Draw, names: Iterable[ClipId], most: int) -> frozenset[ClipId]:
    """Those of `names` that leave so that `most` stay; all of them where `most` is 0 or less."""
    ordered = sorted(names, key=lambda name: (lot(draw, name), name))
    return frozenset(ordered[max(0, most) :])
