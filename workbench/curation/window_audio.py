"""The sound of any window, kept or not, for a curator to listen to: WAV bytes, under addresses that end.

A kept clip is read from its own file. Any other is read from its recording by a seek, which is near enough to hear
what is there and never good enough to cut from; in a process beside the server, since recordings may be spoilt.
"""

import base64
import io
import json
import wave
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.errors import MediaError
from pipelines.execution.isolated_process import IsolatedProcess, serve_requests
from pipelines.units import Audio, ClipId, Hertz, Seconds
from workbench.errors import AccessError
from workbench.people import access_control

if TYPE_CHECKING:
    from pipelines.study import Study

#: Addresses end at full hours, an hour or two from now: a page that is drawn again keeps the addresses that it has.
HOUR_S = 3600
#: A seek goes so far ahead of what is wanted, since some decoders need a moment.
AHEAD_S: Seconds = 0.5
#: No sound of some seconds takes a decoder longer, or more memory.
LONGEST_S: Seconds = 20.0
MEMORY_BYTES = 2 * 2**30


def window_wav(study: "Study", clip_id: ClipId) -> bytes:
    """The window that `clip_id` names, mono, at the recording's own rate. Raises MediaError where it is not here."""
    from pipelines.media.audio import read_mono

    kept = study.clip_path(clip_id)
    if kept.is_file():
        return _wav(*read_mono(kept))
    source_id, _, start_ms = clip_id.rpartition("-")
    path = _recording(study, source_id)
    if path is None or not start_ms.isdecimal() or not path.is_file():
        raise MediaError("missing", f"the recording of '{source_id}' is not on this machine")
    return _beside_wav(path, int(start_ms) / 1000, study.settings.clip.length_s)


def _beside_wav(path: Path, start_s: Seconds, length_s: Seconds) -> bytes:
    """What `near` gives, as WAV bytes, read where a decoder that crashes or hangs takes nobody with it."""
    said = _beside().request(json.dumps([str(path), start_s, length_s]).encode())
    if said is None:
        raise MediaError("crashed", f"{path.name}: whatever reads it there crashes or hangs", "fix")
    told = json.loads(said)
    if "wav" not in told:
        raise MediaError(told["reason_code"], told["reason"], told["failure"])
    return base64.b64decode(told["wav"])


@cache
def _beside() -> IsolatedProcess:
    return IsolatedProcess(__name__)


def _reply(question: bytes) -> bytes:
    path, start_s, length_s = json.loads(question)
    try:
        told = {"wav": base64.b64encode(_wav(*near(Path(path), start_s, length_s))).decode()}
    except MediaError as error:
        told = {"reason_code": error.reason_code, "reason": error.reason, "failure": error.failure}
    return json.dumps(told).encode()


def near(path: Path, start_s: Seconds, length_s: Seconds) -> tuple[Audio, Hertz]:
    """About `length_s` of a recording from about `start_s` on, float32 [n] in mono, and its rate."""
    import av

    from pipelines.media.recording import CONTAINERS

    options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
    try:
        with av.open(f"file:{path}", options=options, metadata_errors="replace") as container:
            stream = container.streams.audio[0]
            clock = float(stream.time_base or 1)
            origin_s = (stream.start_time or 0) * clock
            with suppress(av.FFmpegError):  # where one cannot be made, it is read from the start
                container.seek(round((max(0.0, start_s - AHEAD_S) + origin_s) / clock), stream=stream)
            mono = av.AudioResampler(format="flt", layout="mono")
            parts: list[Audio] = []
            first_s: Seconds | None = None
            for frame in container.decode(stream):
                at_s = (frame.time or 0.0) - origin_s
                if at_s + frame.samples / frame.sample_rate <= start_s:
                    continue
                if at_s >= start_s + length_s:
                    break
                first_s = at_s if first_s is None else first_s
                parts += [part.to_ndarray()[0] for part in mono.resample(frame)]
            rate_hz = int(stream.rate)
    except (av.FFmpegError, IndexError) as error:
        raise MediaError("damaged", f"{path.name}: cannot be heard there ({error})", "gone") from None
    if not parts:
        raise MediaError("missing", f"{path.name}: holds no sound there", "gone")
    skipped = round(max(0.0, start_s - (first_s or 0.0)) * rate_hz)
    return np.concatenate(parts)[skipped:][: round(length_s * rate_hz)], rate_hz


def window_url(key: bytes, rater: str, clip_id: ClipId, now: float) -> str:
    """An address at which `rater` alone can hear the window, for an hour at least."""
    expires = (int(now) // HOUR_S + 2) * HOUR_S
    signed = access_control.signature(key, "window", _said(rater, clip_id, expires))
    return f"/api/window/{clip_id}?exp={expires}&sig={signed}"


def check_window_url(key: bytes, rater: str, clip_id: ClipId, expires: str, given: str, now: float) -> None:
    """Raises AccessError when the address was altered, made for somebody else, or is over."""
    known = expires.isdecimal() and len(expires) <= 12
    if not known or not access_control.is_signed(key, "window", _said(rater, clip_id, int(expires)), given):
        raise AccessError("this address of a sound was not made here for you")
    if int(expires) < now:
        raise AccessError("this address of a sound is over: reload the page")


def _recording(study: "Study", source_id: str) -> Path | None:
    from pipelines.ingest.state.status import opened_beside

    with opened_beside(study) as queue:
        item = queue.items().get(source_id) if queue else None
    return Path(item.path) if item is not None and item.path else None


def _said(rater: str, clip_id: ClipId, expires: int) -> str:
    return f"{rater}\n{clip_id}\n{expires}"


def _wav(mono: Audio, rate_hz: Hertz) -> bytes:
    from pipelines.media.audio import to_pcm16

    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(to_pcm16(mono).astype("<i2").tobytes())
    return out.getvalue()


if __name__ == "__main__":
    serve_requests(_reply, timeout_s=LONGEST_S, memory_bytes=MEMORY_BYTES)
