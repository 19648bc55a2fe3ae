"""Quotas: how many clips a source or a speaker may give. A random draw decides which ones stay, never a score.

The draw is a hash of the clip id. So a higher quota only adds clips, a lower one only removes some, and a clip that is
added later displaces at most one other. No arm and no loudness is preferred.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

from pipelines.units import ClipId

#: Kinds of draws; they are independent of each other.
Draw = Literal["random arm", "source cap", "speaker cap"]


def draw_key(draw: Draw, name: ClipId) -> str:
    """16 hex digits, pseudo-random, the same on every machine and in every order."""
    return hashlib.sha256(f"{draw} {name}".encode()).hexdigest()[:16]


def over_quota(draw: Draw, names: Iterable[ClipId], most: int) -> frozenset[ClipId]:
    """The clips in `names` to reject so that `most` stay; all of them if `most` is 0 or less."""
    ordered = sorted(names, key=lambda name: (draw_key(draw, name), name))
    return frozenset(ordered[max(0, most) :])
