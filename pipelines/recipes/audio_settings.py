"""The stage between a file and its features: which part of the audio is used, and how it is levelled and cut."""

from typing import Annotated

from pydantic import Field

from pipelines.toml_config import StrictModel
from pipelines.units import Hertz, Samples, Seconds

PositiveSeconds = Annotated[Seconds, Field(gt=0)]


class AudioSettings(StrictModel):
    """Applied in this order: resample, offset and duration, peak, trim, z-score, pad or cut. Nothing by default.

    `rate_hz`: that of the feature unless given, and then the feature's too. `trim_db`: drop what is that far below the
    loudest frame at both ends (librosa.effects.trim). `samples`: fill with zeros at the end or cut, after all else.
    """

    rate_hz: Annotated[Hertz, Field(ge=1_000)] | None = None
    offset_s: Annotated[Seconds, Field(ge=0)] = 0.0
    duration_s: PositiveSeconds | None = None
    peak_normalize: bool = False
    trim_db: Annotated[float, Field(gt=0)] | None = None
    z_score: bool = False
    samples: Annotated[Samples, Field(ge=1)] | None = None

    @property
    def changes_nothing(self) -> bool:
        """Whether audio comes out as it went in, but for its rate."""
        return self == AudioSettings(rate_hz=self.rate_hz)
