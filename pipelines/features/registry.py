"""Every feature by the name that recipes and runs save. A new one is a class in its own file and one line here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from pipelines.errors import UnknownName
from pipelines.features.spectral_features import (
    FrameSequence,
    MeanVector,
    MelWindows,
    MfccContour,
    SpectralFeature,
)
from pipelines.toml_config import parse
from pipelines.units import Audio, Float32Array, Hertz


class Extractor(Protocol):
    """Audio of one clip in, one array of a fixed shape out.

    `version` rises whenever a value may change, since caches and runs name it. `rate_hz` is the rate the audio must
    have, or None for its own. Equal audio gives equal arrays; nothing is random and nothing is kept between calls.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def rate_hz(self) -> Hertz | None: ...
    @property
    def shape(self) -> tuple[int, ...]: ...

    def __call__(self, mono: Audio, rate_hz: Hertz, /) -> Float32Array:
        """mono: shape [n], float32, at `rate_hz`. Returns float32, shape `self.shape`. Raises DataError."""
        ...


EXTRACTORS: Mapping[str, type[SpectralFeature]] = {
    "mean_vector": MeanVector,
    "mfcc_contour": MfccContour,
    "frame_sequence": FrameSequence,
    "mel_windows": MelWindows,
}


def extractor(name: str, settings: Mapping[str, Any] = MappingProxyType({})) -> Extractor:
    """The extractor `name` with its settings. Raises UnknownName, ConfigError."""
    if name not in EXTRACTORS:
        raise UnknownName("feature", name, EXTRACTORS)
    return parse(EXTRACTORS[name], dict(settings), "features.settings")
