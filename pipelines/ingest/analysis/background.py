"""Background scores of a stretch of a recording: noise level, spectral flatness, pitch, and speech cut at its edges."""

import numpy as np

from pipelines.ingest.analysis.analyzer import SUM_S, FeatureTracks
from pipelines.ingest.analysis.speech import HOP_S, edge_power
from pipelines.units import Decibels, Seconds

#: Context for the noise estimate: with less, it follows the words more than the noise.
SNR_CONTEXT_S: Seconds = 6.0
#: ln of the mean over the mean of ln of amplitudes, by signal-to-noise ratio from -10 to 60 dB in steps of 2. Speech:
#: gamma distribution of shape 0.4; noise: Gaussian. Integrated here; the authors' own table differs by 0.001 at most.
_WADA = (
    0.4121, 0.4149, 0.4200, 0.4286, 0.4421, 0.4618, 0.4888, 0.5234, 0.5654, 0.6138, 0.6673, 0.7242,
    0.7828, 0.8416, 0.8996, 0.9558, 1.0095, 1.0604, 1.1081, 1.1527, 1.1940, 1.2323, 1.2676, 1.3001,
    1.3299, 1.3572, 1.3823, 1.4052, 1.4262, 1.4453, 1.4628, 1.4788, 1.4934, 1.5067, 1.5189, 1.5300,
)  # fmt: skip
_WADA_DB = np.arange(-10, 61, 2)
#: An edge cuts speech if two hops (64 ms) on both sides are loud relative to the speech; silence gives this value.
QUIETEST_DB: Decibels = -60.0


def snr_wada_db(tracks: FeatureTracks, start_s: Seconds, end_s: Seconds) -> Decibels | None:
    """Signal-to-noise ratio of the six seconds or more around a stretch, -10 to 60 dB; None for shorter recordings.

    Kim and Stern (2008), Robust signal-to-noise ratio estimation based on waveform amplitude distribution analysis,
    Interspeech. It assumes Gaussian noise and counts music under speech as some noise.
    """
    if tracks.duration_s < SNR_CONTEXT_S:
        return None
    missing = max(0.0, SNR_CONTEXT_S - (end_s - start_s))
    from_s = min(max(0.0, start_s - missing / 2), tracks.duration_s - max(SNR_CONTEXT_S, end_s - start_s))
    first = int(from_s / SUM_S)
    heard = tracks.amplitudes[first : first + int(np.ceil(max(SNR_CONTEXT_S, end_s - start_s) / SUM_S))]
    mean, logarithm = heard.mean(axis=0)
    return float(np.interp(np.log(mean) - logarithm, _WADA, _WADA_DB))


def flatness(tracks: FeatureTracks, start_s: Seconds, end_s: Seconds) -> float | None:
    """Geometric over arithmetic mean of the power in bands, the median over frames: 0 (one band) to 1 (white)."""
    levels = tracks.bands_db(start_s, end_s)
    if not len(levels):
        return None
    scale = np.float32(np.log(10) / 10)
    frames = np.exp(levels.mean(axis=1) * scale) / np.exp(levels * scale).mean(axis=1)
    return float(np.median(frames))


def f0_med_hz(tracks: FeatureTracks, start_s: Seconds, end_s: Seconds) -> float | None:
    """Median pitch of clearly voiced frames, in Hz; None for less than 0.2 s of them."""
    hz, periodic = tracks.pitch_hz(start_s, end_s)
    voiced = hz[periodic > 0.75]
    return float(np.median(voiced)) if len(voiced) > 6 else None


def cut_edge_db(tracks: FeatureTracks, start_s: Seconds, end_s: Seconds) -> Decibels | None:
    """Level of speech that an edge of the stretch cuts through, relative to the speech within: 0 is equally loud.

    The softer side of the louder edge, two hops (64 ms) each; -60 if neither edge lies in speech. None without
    speech.
    """
    first, last = round(start_s / HOP_S), round(end_s / HOP_S)
    speech = tracks.speech_16[first:last] >= 32768
    if not speech.any():
        return None
    power = tracks.power_between(max(0, first - 2), last + 2)
    inside = power[first - max(0, first - 2) :][: last - first]
    level = float(inside[speech[: len(inside)]].mean())
    edges = edge_power(power)
    found = QUIETEST_DB
    for hop in (first, last):
        at = hop - max(0, first - 2)
        spoken = tracks.speech_16[max(0, hop - 2) : hop + 2]
        if at < len(edges) and len(spoken) and spoken.min() >= 32768:
            found = max(found, 10 * float(np.log10(max(float(edges[at]), 1e-12) / max(level, 1e-12))))
    return found
