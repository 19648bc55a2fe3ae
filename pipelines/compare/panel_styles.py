"""How one clip becomes one panel: the paper's picture, and one whose panels can be compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from pipelines.errors import UnknownName
from pipelines.features.stft import checked_mono, hann, stft
from pipelines.media.audio import read_mono
from pipelines.schema import LabelledClip
from pipelines.units import Audio, Float32Array, Float64Array, Hertz, Seconds

Limits = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One clip's spectrogram as a figure shows it.

    values: float32, shape [frequency, time], NaN where the clip has no sound. x: shape [time], y: shape [frequency],
    the middle of each column and row in the units of the style's axes.
    """

    clip: LabelledClip
    title: str
    values: Float32Array
    x: Float64Array
    y: Float64Array


class Style(Protocol):
    """A way to draw clips. `rate_hz` is the rate it works at, or None for each clip's own.

    `shares_limits` says whether all panels of a comparison have one colour scale; then `limits` is asked once for all.
    `method` is the sentence that a caption needs.
    """

    @property
    def name(self) -> str: ...
    @property
    def rate_hz(self) -> Hertz | None: ...
    @property
    def colour_map(self) -> str: ...
    @property
    def x_label(self) -> str: ...
    @property
    def y_label(self) -> str: ...
    @property
    def value_label(self) -> str: ...
    @property
    def shares_limits(self) -> bool: ...
    @property
    def method(self) -> str: ...

    def spectrogram(self, mono: Audio, rate_hz: Hertz, /) -> tuple[Float32Array, Float64Array, Float64Array]:
        """mono: float32, shape [n]. Returns values [frequency, time] and the axes x [time], y [frequency]."""
        ...

    def title(self, clip: LabelledClip, /) -> str:
        """What stands above the clip's panel."""
        ...

    def limits(self, values: Sequence[Float32Array], /) -> Limits:
        """The ends of the colour scale for these panels."""
        ...


class AsPublished:
    """The grids of "Taiwanese Soap Opera Speech Emotion Recognition", as measured from its pictures.

    ln(|STFT| + 2.2e-16) at each clip's own rate: Hann window of 255, transform of 256, 129 bins, 199 columns, step 240;
    a shorter clip is filled with zeros, which print at -36.04; axes count elements and bins; every panel has its own
    colour scale. That mixes rates, time spans and scales: it is here to show the published figure, flaws and all.
    """

    name: ClassVar[str] = "as_published"
    rate_hz: ClassVar[Hertz | None] = None
    colour_map: ClassVar[str] = "viridis"
    x_label: ClassVar[str] = "element index"
    y_label: ClassVar[str] = "frequency bin"
    value_label: ClassVar[str] = "ln |STFT|"
    shares_limits: ClassVar[bool] = False
    method: ClassVar[str] = (
        "ln(|STFT| + 2.2e-16) of the first 47,775 samples at each clip's own rate (Hann window 255, FFT 256, step "
        "240), zero-filled, a colour scale per panel. As published: rates, time spans and scales differ between panels."
    )

    window, n_fft, hop, columns = 255, 256, 240, 199
    floor = float(np.finfo(np.float64).eps)

    def spectrogram(self, mono: Audio, _rate_hz: Hertz, /) -> tuple[Float32Array, Float64Array, Float64Array]:
        """Values [129, 199], x: index of the column's first element of 25,671, y: bin 0 to 128."""
        samples = (self.columns - 1) * self.hop + self.window
        filled = np.zeros(samples, dtype=np.float32)
        filled[: mono.size] = checked_mono(mono)[:samples]
        spectrum = stft(filled, n_fft=self.n_fft, hop=self.hop, window=hann(self.window, symmetric=True))
        values = np.log(np.abs(spectrum.T) + np.float32(self.floor))
        x = np.linspace(0, values.size, num=values.shape[1], dtype=int).astype(np.float64)
        return values, x, np.arange(values.shape[0], dtype=np.float64)

    def title(self, clip: LabelledClip, /) -> str:
        """The label, after the speaker where one is known: the folder names that the published panels bear."""
        return f"{clip.clip.speaker}_{clip.label}" if clip.clip.speaker else clip.label

    def limits(self, values: Sequence[Float32Array], /) -> Limits:
        """Least and greatest value; digital silence alone still gets a scale."""
        low = min(float(panel.min()) for panel in values)
        high = max(float(panel.max()) for panel in values)
        return low, high if high > low else low + 1.0


class Fair:
    """What can be compared: every clip at one rate, over the same seconds and hertz, on one colour scale in dB.

    20 log10(|STFT| / its greatest value in the clip): corpora are recorded at levels that say nothing of the voice, so
    0 dB is each clip's loudest. Hann window 25 ms, step 10 ms, transform of 512 at 16,000 Hz, the highest rate that all
    common corpora have. Nothing is filled in: after a clip's end there is nothing.
    """

    name: ClassVar[str] = "fair"
    rate_hz: ClassVar[Hertz | None] = 16_000
    colour_map: ClassVar[str] = "magma"
    x_label: ClassVar[str] = "time (s)"
    y_label: ClassVar[str] = "frequency (kHz)"
    value_label: ClassVar[str] = "level (dB re loudest of clip)"
    shares_limits: ClassVar[bool] = True
    method: ClassVar[str] = (
        "Level in dB re the loudest value of each clip, all clips resampled to 16 kHz (Hann window 25 ms, step 10 ms), "
        "with the same 3 s, 0-8 kHz and one colour scale in every panel; grey: the clip has ended."
    )

    seconds: Seconds = 3.0
    window, n_fft, hop = 400, 512, 160
    floor_db, shown_db = -120.0, -70.0

    def spectrogram(self, mono: Audio, rate_hz: Hertz, /) -> tuple[Float32Array, Float64Array, Float64Array]:
        """Values [257, 298] in dB, x: middle of each frame in s, y: middle of each bin in kHz."""
        samples = round(self.seconds * rate_hz)
        filled = np.zeros(samples, dtype=np.float32)
        filled[: mono.size] = checked_mono(mono)[:samples]
        magnitude = np.abs(stft(filled, n_fft=self.n_fft, hop=self.hop, window=hann(self.window)).T)
        loudest = float(magnitude.max()) or 1.0
        values = (20 * np.log10(np.maximum(magnitude / loudest, 10 ** (self.floor_db / 20)))).astype(np.float32)
        starts = np.arange(values.shape[1]) * self.hop
        values[:, starts + self.window > max(mono.size, self.window)] = np.nan
        return values, (starts + self.window / 2) / rate_hz, np.fft.rfftfreq(self.n_fft, 1 / rate_hz) / 1000

    def title(self, clip: LabelledClip, /) -> str:
        """Who speaks, or where the clip stands in its source."""
        if clip.clip.speaker:
            return clip.clip.speaker
        source = clip.clip.source_id
        return f"{source if len(source) <= 12 else '…' + source[-11:]}, {clip.clip.start_s:.0f} s"

    def limits(self, _values: Sequence[Float32Array], /) -> Limits:
        """70 dB, the same in every comparison."""
        return self.shown_db, 0.0


#: A new style is a class in its own file and a line here.
STYLES: Mapping[str, Style] = {
    "as_published": AsPublished(),
    "fair": Fair(),
}


def style(name: str) -> Style:
    """The style `name`. Raises UnknownName."""
    if name not in STYLES:
        raise UnknownName("style", name, STYLES)
    return STYLES[name]


def panel(clip: LabelledClip, style: Style) -> Panel:
    """The panel of one clip, its audio read from `clip.path`. Raises MediaError."""
    values, x, y = style.spectrogram(*read_mono(clip.path, style.rate_hz))
    return Panel(clip, style.title(clip), values, x, y)
