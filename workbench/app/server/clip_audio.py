"""Clips on their way to a listener: plain WAV bytes that carry sound and nothing else, under addresses that end."""

import io
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipelines.errors import MediaError
from pipelines.media.audio import resample, to_pcm16
from workbench.errors import AccessError
from workbench.people import access_control

#: How long the address of a clip works. Clips are fetched as soon as they are leased.
CLIP_URL_S = 300
#: Every clip reaches a rater at this rate, in one channel: its own would tell its source.
LISTENING_HZ = 44_100


def listening_wav(path: Path) -> bytes:
    """The clip at `path` as WAV PCM16 with a bare 44-byte header: no tag, comment or name in the file comes along.

    Raises MediaError when it is not there or is no sound.
    """
    try:
        if path.suffix == ".wav":
            with wave.open(str(path), "rb") as sound:
                channels, width, rate_hz = sound.getnchannels(), sound.getsampwidth(), sound.getframerate()
                frames = sound.readframes(sound.getnframes())
        else:
            import soundfile

            samples, rate_hz = soundfile.read(path, dtype="int16", always_2d=True)
            channels, width, frames = samples.shape[1], 2, samples.astype("<i2").tobytes()
    except (OSError, EOFError, RuntimeError, wave.Error) as error:
        raise MediaError("missing", f"the clip's sound cannot be read ({error})") from None
    if width != 2:
        raise MediaError("not_pcm16", f"the clip has {8 * width} bits a sample, expected 16")
    made = io.BytesIO()
    with wave.open(made, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(LISTENING_HZ)
        out.writeframes(_at_one_rate(np.frombuffer(frames, "<i2").reshape(-1, channels), rate_hz).tobytes())
    return made.getvalue()


def _at_one_rate(pcm: npt.NDArray[np.int16], rate_hz: int) -> npt.NDArray[np.int16]:
    if rate_hz == LISTENING_HZ and pcm.shape[1] == 1:
        return pcm[:, 0]
    mono = pcm.mean(axis=1, dtype=np.float32) / np.float32(32768)
    return to_pcm16(resample(mono, rate_hz, LISTENING_HZ))


def clip_url(key: bytes, rater: str, token: str, now: float) -> str:
    """An address at which `rater` alone can hear the clip of the assignment `token` until CLIP_URL_S from now."""
    expires = int(now) + CLIP_URL_S
    return f"/api/audio/{token}?exp={expires}&sig={access_control.signature(key, 'clip', _said(rater, token, expires))}"


def check_clip_url(key: bytes, rater: str, token: str, expires: str, given: str, now: float) -> None:
    """Raises AccessError when the address was altered or made for somebody else, Expired when it is over."""
    if not (expires.isdecimal() and len(expires) <= 12) or not access_control.is_signed(
        key, "clip", _said(rater, token, int(expires)), given
    ):
        raise AccessError("this address of a clip was not made here for you")
    if int(expires) < now:
        raise Expired("this address of a clip is over")


class Expired(AccessError):
    """A signed address that was right but is over."""


def _said(rater: str, token: str, expires: int) -> str:
    return f"{rater}\n{token}\n{expires}"
