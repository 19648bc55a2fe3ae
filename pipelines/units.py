"""Units and ids as type aliases, so that a signature says what its numbers and strings mean."""

from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Seconds: TypeAlias = float
Hertz: TypeAlias = int
Decibels: TypeAlias = float
Samples: TypeAlias = int
ClipId: TypeAlias = str
SourceId: TypeAlias = str
LabelName: TypeAlias = str
RaterId: TypeAlias = str
RaterKind: TypeAlias = Literal["person", "machine", "reference"]

#: float32 samples in [-1, 1], shape [channels, n]; mono views are shape [n] and say so.
Audio: TypeAlias = npt.NDArray[np.float32]
Float64Array: TypeAlias = npt.NDArray[np.float64]
#: Features and spectra: float32, any shape.
Float32Array: TypeAlias = npt.NDArray[np.float32]
