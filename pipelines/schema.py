"""Schema of the values that packages exchange: clips, labelled clips, votes, estimates. Frozen, quick to import."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NotRequired, TypedDict

from pipelines.errors import ConfigError
from pipelines.units import ClipId, Hertz, LabelName, RaterId, RaterKind, Samples, Seconds, SourceId

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def validate_name(kind: str, name: str) -> str:
    """Return `name` if it is a valid folder name: up to 64 lower-case letters, digits, - and _. Raises ConfigError."""
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{kind} name {name!r} is not valid: use 1 to 64 lower-case letters, digits, '-' or '_', "
            "starting with a letter or digit"
        )
    return name


@dataclass(frozen=True, slots=True)
class Clip:
    """An interval of one source's linearly decoded audio, counted in samples of the source's own rate.

    `group_id` (series+season+episode where known, else the source; a speaker for acted corpora) is what splits keep
    together. `metrics` are the scores of screening, by screen name, empty where unknown.
    """

    clip_id: ClipId
    source_id: SourceId
    start_sample: Samples
    n_samples: Samples
    rate_hz: Hertz
    group_id: str
    pcm_sha256: str = ""
    track: int = 0
    recipe: str = ""
    text: str = ""
    speaker: str = ""
    gender: str = ""
    arm: str = ""
    config_hash: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)

    @property
    def start_s(self) -> Seconds:
        """Start in seconds, derived."""
        return self.start_sample / self.rate_hz

    @property
    def end_s(self) -> Seconds:
        """End in seconds, derived."""
        return (self.start_sample + self.n_samples) / self.rate_hz


def clip_id(source_id: SourceId, start_sample: Samples, rate_hz: Hertz) -> ClipId:
    """`<source_id>-<start in ms, 9 digits>`, readable and stable."""
    return f"{source_id}-{round(start_sample * 1000 / rate_hz):09d}"


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A clip with one label and where its audio lies on this machine.

    `path` holds exactly the clip (a study) or the whole recording (a corpus, whose clips are whole files).
    `distribution` is the share of raters per label in scheme order, where raters were asked.
    """

    clip: Clip
    path: Path
    label: LabelName
    distribution: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """One rater's current label for one clip, as in releases. `kind` tells people from machines."""

    clip_id: ClipId
    rater: RaterId
    label: LabelName
    kind: RaterKind = "person"


@dataclass(frozen=True, slots=True)
class LabelledClips:
    """The input of training and comparison: from a release, from a study's current labels, or from a corpus.

    `labels` are in scheme order. `votes` are empty for acted corpora. `origin` is the provenance
    (kind, name, digest, rule). `marks`: colour and sign of labels, for figures.
    """

    name: str
    labels: tuple[LabelName, ...]
    clips: tuple[LabelledClip, ...]
    votes: tuple[Vote, ...] = ()
    origin: Mapping[str, str] = field(default_factory=dict)
    group_word: str = "episode"
    marks: Mapping[LabelName, tuple[str, str]] = field(default_factory=dict)


class Estimate(TypedDict):
    """An estimate in any JSON: value with a 95 % interval and its n, as fractions.

    `low` and `high` are None where no interval can be had; `reason` then says why.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    reason: NotRequired[str]


class NoEstimate(TypedDict):
    """Where there is no estimate: null with the reason."""

    value: None
    reason: str
    n: int
