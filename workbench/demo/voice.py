"""Speech from espeak-ng, which comes in a wheel of the extra `demo`; nothing is installed on the system."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.units import Audio, Hertz
from workbench.errors import WorkbenchError

_RATE, _VOLUME, _PITCH, _RANGE = 1, 2, 3, 4
_SYNCHRONOUS = 2
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True, slots=True)
class Voice:
    """One invented speaker: an espeak-ng voice with its variant, and the base of its pitch (0 to 99)."""

    name: str
    espeak: str
    gender: str
    pitch: int


@dataclass(frozen=True, slots=True)
class Manner:
    """How a line is spoken: words per minute, pitch above the voice's own, pitch range and volume (0 to 200)."""

    words_per_minute: int
    pitch_shift: int
    pitch_range: int
    volume: int


class Synthesiser:
    """espeak-ng in this process. `speak` gives float32 mono [n] at `rate_hz`.

    The engine carries state from line to line: the same lines in the same order in a fresh process give the same
    samples, which is why each piece of demo material is made in a process of its own.
    """

    def __init__(self, library: ctypes.CDLL, rate_hz: Hertz) -> None:
        self._library = library
        self.rate_hz = rate_hz
        self._heard: list[Audio] = []
        self._callback = _CALLBACK(self._take)  # kept: ctypes would otherwise free it while espeak still calls it
        library.espeak_SetSynthCallback(self._callback)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # else it is seeded from the clock

    def _take(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _events: int | None) -> int:
        if samples and count > 0:
            block = np.ctypeslib.as_array(samples, shape=(count,)).astype(np.float32) / 32768.0
            self._heard.append(block)
        return 0

    def speak(self, text: str, voice: Voice, manner: Manner) -> Audio:
        """`text` spoken by `voice` in `manner`, shape [n]."""
        if self._library.espeak_SetVoiceByName(voice.espeak.encode()) != 0:
            raise WorkbenchError(f"the speech synthesiser has no voice '{voice.espeak}'; reinstall the extra 'demo'")
        pitch = int(np.clip(voice.pitch + manner.pitch_shift, 0, 99))
        for parameter, value in (
            (_RATE, manner.words_per_minute),
            (_PITCH, pitch),
            (_RANGE, manner.pitch_range),
            (_VOLUME, manner.volume),
        ):
            self._library.espeak_SetParameter(parameter, value, 0)
        self._heard = []
        words = text.encode() + b"\0"
        self._library.espeak_Synth(words, ctypes.c_size_t(len(words)), 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return np.concatenate(self._heard) if self._heard else np.zeros(0, np.float32)


@contextmanager
def synthesiser() -> Iterator[Synthesiser]:
    """Open espeak-ng. Raises WorkbenchError when the extra `demo` is not installed."""
    try:
        import espeakng_loader
    except ImportError:
        raise WorkbenchError(
            "the demo speaks with espeak-ng, which is not installed here: install the extra, "
            "pip install 'drama-emotion-workbench[demo]'"
        ) from None
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    folder = str(Path(espeakng_loader.get_data_path()).parent)
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, folder.encode(), 0)
    if rate <= 0:
        raise WorkbenchError("the speech synthesiser did not start; reinstall the extra 'demo'")
    try:
        yield Synthesiser(library, rate)
    finally:
        library.espeak_Terminate()
