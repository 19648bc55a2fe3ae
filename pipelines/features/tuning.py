"""How far a recording is tuned from A440, in fractions of a semitone: librosa's estimate, on spectral peaks alone."""

import numpy as np

from pipelines.units import Float32Array, Hertz

FMIN_HZ, FMAX_HZ = 150.0, 4000.0
PEAK_SHARE = np.float32(0.1)
RESOLUTION = 0.01
A440_HZ = 440.0


def estimate_tuning(magnitude: Float32Array, rate_hz: Hertz, n_fft: int, bins_per_octave: int = 12) -> float:
    """Tuning that most strong spectral peaks agree on.

    Peaks are local maxima over frequency, above a tenth of their frame's maximum, between 150 and 4,000 Hz, placed
    between bins by a parabola. Those at least as strong as the median peak vote, each for its distance to the nearest
    step of the scale, in a histogram of hundredths; its fullest cell is the estimate.

    magnitude: |STFT|, shape [time, n_fft // 2 + 1]. Returns a fraction of a step in [-0.5, 0.5); 0 without any peak.
    Source: librosa.estimate_tuning (piptrack, pitch_tuning), step by step in its own precision, because a peak that
    falls into the next cell can move the estimate. librosa interpolates at every bin; here only peaks are, which is
    where its time goes.
    """
    centre_hz = np.fft.rfftfreq(n_fft, 1.0 / rate_hz)
    first, beyond = np.searchsorted(centre_hz, (FMIN_HZ, min(FMAX_HZ, rate_hz / 2)))
    floor = PEAK_SHARE * magnitude.max(axis=-1, keepdims=True)
    band = magnitude[:, first - 1 : beyond + 1]
    loud = band * (band > floor)
    frame, offset = np.nonzero((loud[:, 1:-1] > loud[:, :-2]) & (loud[:, 1:-1] >= loud[:, 2:]))
    peak_bin = offset + first
    below, peak, above = (magnitude[frame, peak_bin + step] for step in (-1, 0, 1))

    curve = (above + below).astype(np.float64) - 2.0 * peak.astype(np.float64)
    slope = (above - below).astype(np.float64) / 2
    inside = np.abs(slope) < np.abs(curve)
    shift = np.divide(-slope, curve, out=np.zeros_like(curve), where=inside).astype(np.float32)
    pitch_hz = ((peak_bin + shift) * float(rate_hz) / n_fft).astype(np.float32)
    height = peak + np.float32(0.5) * ((above - below) / np.float32(2)) * shift
    if not pitch_hz.size:
        return 0.0
    strong = pitch_hz[height >= np.median(height)]

    step = np.mod(bins_per_octave * np.log2(strong / (A440_HZ / 16)), 1.0)
    step[step >= 0.5] -= 1.0
    counts, edges = np.histogram(step, np.linspace(-0.5, 0.5, round(1 / RESOLUTION) + 1))
    return float(edges[np.argmax(counts)])
