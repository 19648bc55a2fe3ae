"""Made sounds of known kinds for the screens: speech, music, song, beds, and scenes laid out of them with their truth.

Two makings: TUNED is what numbers were chosen on, HELD_OUT has other voices, instruments, scales, tempi and singers.
Everything is drawn from a seed; all sound is float32 [n] at RATE_HZ, peak about 0.5.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import scipy.signal

from pipelines.media.audio import resample
from pipelines.units import Audio, Decibels, Hertz, Seconds
from tests.synthetic_series import tune
from workbench.demo.voice import Manner, Synthesiser, Voice

RATE_HZ: Hertz = 16000

ONSETS, VOWELS, CODAS, COMMON = (
    tuple(words.split(" "))
    for words in (
        "b d f g h k l m n p r s t v w sh ch th st tr br pl kr sl gr",
        "a e i o u ee oo ai ou ar er or",
        "  n t s l r m k nd st",  # two of them are empty
        "the and you to of it that is was he she we not what have with do know this but for are go no yes come here",
    )
)


@dataclass(frozen=True, slots=True)
class Making:
    """What one half of the made corpus is made of."""

    voices: tuple[str, ...]
    instruments: tuple[str, ...]
    scales: tuple[tuple[int, ...], ...]
    beats_per_minute: tuple[float, float]
    seed: int


TUNED = Making(
    voices=("en-gb-x-rp+m1", "en-us+f2", "en-gb-scotland+m3", "en-us+f3", "de+m2", "it+f4"),
    instruments=("bowed", "piano", "organ", "pluck"),
    scales=((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)),
    beats_per_minute=(70, 130),
    seed=1_000_000,
)
HELD_OUT = Making(
    voices=("en-us+adam", "en-gb-x-rp+belinda", "en-gb-scotland+ian", "en+anika", "fr+f1", "es+m4"),
    instruments=("flute", "brass", "bell", "strings"),
    scales=((0, 2, 4, 7, 9), (0, 1, 4, 5, 7, 8, 11), (0, 2, 3, 6, 7, 8, 11)),
    beats_per_minute=(55, 170),
    seed=2_000_000,
)


@dataclass(frozen=True, slots=True)
class _Instrument:
    attack_s: Seconds
    decay_per_s: float
    slope: float
    odd_only: bool = False
    vibrato: float = 0.0
    breath: float = 0.0
    stretch: float = 0.0
    detuned: int = 1


_INSTRUMENTS: Mapping[str, _Instrument] = {
    "bowed": _Instrument(0.08, 0.3, 1.0, vibrato=0.006),
    "piano": _Instrument(0.005, 2.0, 1.4, stretch=2e-4),
    "organ": _Instrument(0.02, 0.0, 0.8),
    "pluck": _Instrument(0.003, 5.0, 1.0),
    "flute": _Instrument(0.06, 0.2, 2.2, vibrato=0.004, breath=0.02),
    "brass": _Instrument(0.04, 0.4, 0.6),
    "bell": _Instrument(0.002, 1.5, 0.7, stretch=2e-2),
    "strings": _Instrument(0.15, 0.1, 0.9, vibrato=0.004, detuned=3),
}


def sentence(rng: np.random.Generator) -> str:
    """Four to twelve words, half of them invented."""

    def word() -> str:
        if rng.random() < 0.5:
            return str(rng.choice(COMMON))
        return "".join("".join(rng.choice(part) for part in (ONSETS, VOWELS, CODAS)) for _ in range(rng.integers(1, 4)))

    return " ".join(word() for _ in range(rng.integers(4, 13))) + str(rng.choice([".", "?", "!"]))


def say(synth: Synthesiser, voice: str, rng: np.random.Generator) -> Audio:
    """One sentence of one voice in a manner drawn at random: from whispering slow to fast and shrill."""
    who = Voice("", voice, "", int(rng.integers(20, 80)))
    how = Manner(int(rng.integers(110, 230)), int(rng.integers(-10, 25)), int(rng.integers(35, 95)), 100)
    said = resample(synth.speak(sentence(rng), who, how), synth.rate_hz, RATE_HZ)
    heard = np.flatnonzero(np.abs(said) > 0.01 * np.abs(said).max())
    return _at_peak(said[heard[0] : heard[-1] + 1])


def talk(synth: Synthesiser, voice: str, seconds: Seconds, rng: np.random.Generator) -> Audio:
    """Sentences of one voice with pauses, and faint noise where the synthesiser has digital silence."""
    parts: list[Audio] = []
    while sum(map(len, parts)) < seconds * RATE_HZ:
        parts += [say(synth, voice, rng), np.zeros(round(rng.uniform(0.1, 0.6) * RATE_HZ), np.float32)]
    said = np.concatenate(parts)[: round(seconds * RATE_HZ)]
    return (said + 1e-4 * rng.standard_normal(len(said))).astype(np.float32)


def room(sound: Audio, rng: np.random.Generator, *, echo_s: Seconds, snr_db: Decibels) -> Audio:
    """`sound` in a room: a decaying tail of `echo_s` (to -60 dB) and noise with less and less treble."""
    out = sound
    if echo_s > 0:
        t = np.arange(round(echo_s * RATE_HZ)) / RATE_HZ
        tail = rng.standard_normal(len(t)) * 10 ** (-3 * t / echo_s)
        tail *= 0.5 / np.sqrt(np.square(tail).sum())
        out = out + scipy.signal.fftconvolve(out, tail)[: len(out)]
    hiss = scipy.signal.lfilter([1], [1, -rng.uniform(0, 0.9)], rng.standard_normal(len(out)))
    return _at_peak(mixed(out, hiss, snr_db))


def mixed(sound: Audio, other: Audio, snr_db: Decibels) -> Audio:
    """`sound` with `other` so far below it, by mean power where `sound` is heard."""
    level = np.square(sound[np.abs(sound) > 0.01 * np.abs(sound).max()]).mean()
    gain = np.sqrt(level / np.square(other).mean()) * 10 ** (-snr_db / 20)
    return (sound + gain * np.resize(other, len(sound))).astype(np.float32)


def chords(making: Making, seconds: Seconds, rng: np.random.Generator) -> Audio:
    """Three or four notes at once, changed every two to four beats, with a bass."""
    name, notes = _drawn(making, rng)
    beat_s = 60 / rng.uniform(*making.beats_per_minute)
    sound, at_s = _silence(seconds), 0.0
    while at_s < seconds:
        length_s = beat_s * int(rng.integers(2, 5))
        degree = int(rng.integers(len(notes)))
        for step in (0, 2, 4, 6)[: int(rng.integers(3, 5))]:
            _note(sound, name, _hz(notes, degree + step), at_s, length_s, 0.3, rng)
        _note(sound, name, _hz(notes, degree) / 2, at_s, length_s, 0.4, rng)
        at_s += length_s
    return _at_peak(sound)


def melody(making: Making, seconds: Seconds, rng: np.random.Generator) -> Audio:
    """One instrument alone."""
    name, notes = _drawn(making, rng)
    sound = _silence(seconds)
    for degree, at_s, length_s in _line(making, seconds, rng):
        _note(sound, name, _hz(notes, degree + len(notes)), at_s, length_s, 0.5, rng)
    return _at_peak(sound)


def drums(making: Making, seconds: Seconds, rng: np.random.Generator) -> Audio:
    """A loop of bass drum, snare and cymbal."""
    beat_s = 60 / rng.uniform(*making.beats_per_minute)
    sound = _silence(seconds)
    loop = rng.random((3, 8)) < np.array([[0.4], [0.3], [0.7]])
    for step in range(int(seconds / (beat_s / 2)) + 1):
        for kind in np.flatnonzero(loop[:, step % 8]):
            at = round(step * beat_s / 2 * RATE_HZ)
            t = np.arange(round((0.25, 0.15, 0.06)[kind] * RATE_HZ)) / RATE_HZ
            if kind == 0:
                hit = np.sin(2 * np.pi * (50 * t + 8 * (1 - np.exp(-30 * t)))) * np.exp(-14 * t)
            else:
                hit = rng.standard_normal(len(t)) * np.exp(-(25, 70)[kind - 1] * t)
                hit = hit if kind == 1 else np.diff(hit, prepend=0)
            _add(sound, at, hit * (0.9, 0.5, 0.3)[kind])
    return _at_peak(sound)


def band(making: Making, seconds: Seconds, rng: np.random.Generator) -> Audio:
    """Chords, a melody and drums."""
    parts = (chords(making, seconds, rng), melody(making, seconds, rng), drums(making, seconds, rng))
    return _at_peak(sum(gain * part for gain, part in zip((0.7, 0.6, 0.6), parts, strict=True)))


def tunes(making: Making, seconds: Seconds, rng: np.random.Generator) -> Audio:
    """The tunes of the made series."""
    return tune(seconds, making.seed + int(rng.integers(100_000)))


def pad(making: Making, seconds: Seconds, rng: np.random.Generator) -> Audio:
    """Slow detuned chords under a filter that opens and closes: what lies under a tense scene."""
    _, notes = _drawn(making, rng)
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    sound = np.zeros(len(t))
    for at_s in np.arange(0, seconds, rng.uniform(3, 6)):
        degree = int(rng.integers(len(notes)))
        shape = np.clip((t - at_s) / 1.5, 0, 1) * np.clip((at_s + 6 - t) / 1.5, 0, 1)
        for step in (0, 2, 4):
            for _ in range(3):
                hz = _hz(notes, degree + step) * (1 + 0.004 * rng.standard_normal())
                saw = scipy.signal.sawtooth(2 * np.pi * (hz * t + rng.random()))
                sound += shape * saw
    sound = scipy.signal.lfilter(*scipy.signal.butter(2, rng.uniform(600, 2500), fs=RATE_HZ), sound)
    return _at_peak(sound * (1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.1, 0.4) * t)))


def vowels_sung(making: Making, seconds: Seconds, rng: np.random.Generator) -> Audio:
    """A voice of formants that sings vowels to a melody."""
    _, notes = _drawn(making, rng)
    line = _line(making, seconds, rng)
    n = round(seconds * RATE_HZ)
    hz, level = np.zeros(n), np.zeros(n)
    formants = np.zeros((n, 3))
    for degree, at_s, length_s in line:
        first, last = round(at_s * RATE_HZ), min(n, round((at_s + length_s) * RATE_HZ))
        hz[first:last] = _hz(notes, degree)
        level[first:last] = 1
        formants[first:last] = _FORMANTS[rng.integers(len(_FORMANTS))]
    return _at_peak(_sung(hz, level, formants, rng))


def words_sung(making: Making, seconds: Seconds, rng: np.random.Generator, synth: Synthesiser) -> Audio:
    """Words of a made voice sung to a melody: their spectral envelope, stretched, over the melody's own source."""
    _, notes = _drawn(making, rng)
    voice = str(rng.choice(making.voices))
    stretch = rng.uniform(1.4, 2.6)
    said = talk(synth, voice, seconds / stretch + 0.5, rng)
    line = _line(making, seconds, rng)
    hz = np.full(round(seconds * RATE_HZ), _hz(notes, 0))
    for degree, at_s, length_s in line:
        hz[round(at_s * RATE_HZ) : round((at_s + length_s) * RATE_HZ)] = _hz(notes, degree)
    return _at_peak(_revoiced(said, hz, stretch, rng))


def song(making: Making, seconds: Seconds, rng: np.random.Generator, synth: Synthesiser) -> Audio:
    """Words sung over chords and drums."""
    voice = words_sung(making, seconds, rng, synth)
    under = chords(making, seconds, rng) + 0.4 * drums(making, seconds, rng)
    return _at_peak(mixed(voice, under, rng.uniform(0, 8)))


def bed(making: Making, seconds: Seconds, rng: np.random.Generator) -> Audio:
    """No music: rain, wind, an engine."""
    n = round(seconds * RATE_HZ)
    noise = rng.standard_normal(n)
    kind = int(rng.integers(3))
    if kind == 0:  # rain
        return _at_peak(noise)
    t = np.arange(n) / RATE_HZ
    if kind == 1:  # wind
        swell = 1 + 0.7 * np.sin(2 * np.pi * rng.uniform(0.1, 0.3) * t + rng.uniform(0, 6))
        return _at_peak(scipy.signal.lfilter([1], [1, -0.97], noise) * swell)
    hum = sum(np.sin(2 * np.pi * (rng.uniform(30, 45) * k * t + rng.random())) / k for k in range(1, 8))
    return _at_peak(0.3 * noise + hum + np.zeros(n))


def telephone(sound: Audio) -> Audio:
    """What a telephone lets through: 300 to 3400 Hz, sampled at 8 kHz."""
    heard = scipy.signal.sosfilt(_TELEPHONE, resample(sound, RATE_HZ, 8000))
    return _at_peak(resample(heard.astype(np.float32), 8000, RATE_HZ)[: len(sound)])


def overdriven(sound: Audio, gain: float) -> Audio:
    """Turned up so far that it clips, then down again."""
    return (0.7 * np.clip(sound * gain, -1, 1)).astype(np.float32)


def one_after_another(first: Audio, second: Audio, cut_s: Seconds, gap_s: Seconds, length_s: Seconds) -> Audio:
    """The last `cut_s` of one sound and the beginning of another, equally loud, with faint noise."""
    length = round(length_s * RATE_HZ)
    parts = [first[-round(cut_s * RATE_HZ) :], np.zeros(round(gap_s * RATE_HZ)), second]
    joined = np.concatenate([0.05 * part / max(1e-6, float(np.sqrt(np.square(part).mean()))) for part in parts])
    joined = np.pad(joined, (0, length))[:length]
    return (joined + 5e-4 * np.random.default_rng(length).standard_normal(length)).astype(np.float32)


#: Music without words, by kind.
INSTRUMENTAL: Mapping[str, Callable[[Making, Seconds, np.random.Generator], Audio]] = {
    "chords": chords,
    "melody": melody,
    "drums": drums,
    "band": band,
    "tunes": tunes,
    "pad": pad,
}
_TELEPHONE = scipy.signal.butter(4, (300, 3400), "bandpass", fs=8000, output="sos")
#: Formants of six vowels in Hz (Peterson and Barney 1952, women, rounded).
_FORMANTS = np.array(
    [(850, 1220, 2810), (310, 2790, 3310), (370, 950, 2670), (610, 2330, 2990), (590, 920, 2710), (500, 1640, 1960)]
)


def _drawn(making: Making, rng: np.random.Generator) -> tuple[str, tuple[float, ...]]:
    """An instrument, and the Hz of one octave of a scale on a root."""
    scale = making.scales[int(rng.integers(len(making.scales)))]
    root = 110 * 2 ** (rng.integers(0, 15) / 12)
    return str(rng.choice(making.instruments)), tuple(root * 2 ** (step / 12) for step in scale)


def _hz(notes: tuple[float, ...], degree: int) -> float:
    return notes[degree % len(notes)] * 2.0 ** (degree // len(notes))


def _line(making: Making, seconds: Seconds, rng: np.random.Generator) -> list[tuple[int, Seconds, Seconds]]:
    """A melody: degree, start and length of each note."""
    beat_s = 60 / rng.uniform(*making.beats_per_minute)
    found, at_s, degree = [], 0.0, int(rng.integers(2, 6))
    while at_s < seconds:
        length_s = beat_s * float(rng.choice([0.5, 0.5, 1, 1, 2]))
        degree = int(np.clip(degree + rng.integers(-2, 3), 0, 9))
        found.append((degree, at_s, 0.95 * length_s))
        at_s += length_s * (2 if rng.random() < 0.08 else 1)
    return found


def _note(
    sound: Audio, name: str, hz: float, at_s: Seconds, length_s: Seconds, level: float, rng: np.random.Generator
) -> None:
    kind = _INSTRUMENTS[name]
    t = np.arange(round((length_s + 0.2) * RATE_HZ)) / RATE_HZ
    shape = (
        np.minimum(t / kind.attack_s, 1) * np.exp(-kind.decay_per_s * t) * np.clip((length_s + 0.15 - t) / 0.1, 0, 1)
    )
    wobble = kind.vibrato * hz * np.sin(2 * np.pi * rng.uniform(4.5, 6.5) * t) * np.minimum(t / 0.3, 1)
    wave = np.zeros(len(t))
    for _ in range(kind.detuned):
        base = np.cumsum(hz * (1 + 0.003 * (kind.detuned > 1) * rng.standard_normal()) + wobble) / RATE_HZ
        for k in range(1, 25, 2 if kind.odd_only else 1):
            factor = k * np.sqrt(1 + kind.stretch * k * k)
            if hz * factor > 0.45 * RATE_HZ:
                break
            wave += np.sin(2 * np.pi * (base * factor + rng.random())) / k**kind.slope
    wave += kind.breath * 10 * rng.standard_normal(len(t))
    _add(sound, round(at_s * RATE_HZ), level * shape * wave / kind.detuned)


def _add(sound: Audio, at: int, part: Audio) -> None:
    if at < len(sound):
        sound[at : at + len(part)] += part[: len(sound) - at]


def _sung(hz: Audio, level: Audio, formants: Audio, rng: np.random.Generator) -> Audio:
    """Harmonics of `hz` (with vibrato and slides) under three formants; all [n], formants [n, 3]."""
    glide = np.ones(round(0.06 * RATE_HZ))
    glide /= len(glide)
    t = np.arange(len(hz)) / RATE_HZ
    hz = np.convolve(hz, glide, "same") + 1e-3
    hz = hz * (1 + rng.uniform(0.003, 0.03) * np.sin(2 * np.pi * rng.uniform(4.8, 6.2) * t))
    level = np.convolve(level, glide, "same")
    formants = np.stack([np.convolve(column, glide, "same") for column in formants.T], axis=1)
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    sound = np.zeros(len(hz))
    for k in range(1, 30):
        at = k * hz
        weight = sum(
            g / (1 + ((at - f) / w) ** 2) for g, w, f in zip((1, 0.5, 0.25), (70, 90, 130), formants.T, strict=True)
        )
        sound += np.where(at < 0.45 * RATE_HZ, weight * np.sin(k * phase), 0) / k**0.3
    return (sound * level + 0.004 * rng.standard_normal(len(hz))).astype(np.float32)


def _revoiced(said: Audio, hz: Audio, stretch: float, rng: np.random.Generator) -> Audio:
    """Linear prediction (order 18, 32 ms every 8 ms) of `said`, over a source that follows `hz`, [n] like it."""
    order, frame, step = 18, 512, 128
    t = np.arange(len(hz)) / RATE_HZ
    smooth = np.convolve(hz, np.ones(800) / 800, "same")
    smooth = smooth * (1 + rng.uniform(0.003, 0.025) * np.sin(2 * np.pi * rng.uniform(4.8, 6.2) * t))
    pulses = scipy.signal.sawtooth(2 * np.pi * np.cumsum(smooth) / RATE_HZ) + 0.02 * rng.standard_normal(len(hz))
    hiss = rng.standard_normal(len(hz))
    window = np.hanning(frame)
    out = np.zeros(len(hz) + frame)
    for number in range((len(hz) - frame) // step):
        at = round(number * step / stretch)
        part = said[at : at + frame]
        if len(part) < frame or np.square(part).mean() < 1e-6:
            continue
        part = part * window
        alike = np.correlate(part, part, "full")[frame - 1 : frame + order]
        alike[0] *= 1.0001
        weights = scipy.linalg.solve_toeplitz(alike[:order], alike[1 : order + 1])
        gain = np.sqrt(max(alike[0] - weights @ alike[1 : order + 1], 1e-9))
        hissing = np.mean(np.abs(np.diff(np.sign(part)))) > 0.5
        source = (hiss if hissing else pulses)[number * step : number * step + frame] * window
        source = source / max(np.sqrt(np.square(source).sum()), 1e-9)
        out[number * step : number * step + frame] += window * scipy.signal.lfilter(
            [gain], np.concatenate([[1], -weights]), source
        )
    return out[: len(hz)].astype(np.float32)


def _silence(seconds: Seconds) -> Audio:
    return np.zeros(round(seconds * RATE_HZ), np.float64)


def _at_peak(sound: Audio) -> Audio:
    return (0.5 * sound / max(1e-9, float(np.abs(sound).max()))).astype(np.float32)
