"""The demo's recordings, the same every time: eight episodes mixed with pydub, and an acted corpus in TESS's layout."""

import json
import wave
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipelines.atomic_write import atomic_path, write_json
from pipelines.progress import Progress, ProgressCallback
from pipelines.schema import Clip
from pipelines.units import Audio, Hertz, LabelName, Seconds
from workbench.demo import script
from workbench.demo.voice import Synthesiser, Voice, synthesiser

if TYPE_CHECKING:
    from pydub import AudioSegment

EPISODES = 8
LINES_PER_EPISODE = 30


@dataclass(frozen=True, slots=True)
class Spoken:
    """One line of an episode: when, by whom, and the emotion it was delivered in."""

    start_s: Seconds
    end_s: Seconds
    label: LabelName
    speaker: str


def make_material(folder: Path, report: ProgressCallback) -> None:
    """Make `folder/episodes` and `folder/acted`, each piece in a fresh process; what is there already is left alone."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        futures = [pool.submit(make_episode, folder, number) for number in range(1, EPISODES + 1)]
        futures += [pool.submit(make_actress, folder, name) for name in script.ACTRESSES]
        for done, future in enumerate(futures, start=1):
            future.result()
            report(Progress("making the demo's recordings", done, len(futures)))


def episode_file(folder: Path, number: int) -> Path:
    """Where episode `number` (from 1) lies."""
    return folder / "episodes" / f"river-street-e{number:02d}.m4a"


def truth_of(folder: Path, number: int) -> tuple[Spoken, ...]:
    """What is said when in an episode, and in which emotion: known because it was made."""
    rows = json.loads(_truth_file(folder, number).read_text(encoding="utf-8"))
    return tuple(Spoken(**row) for row in rows)


def true_label(clip: Clip, spoken: tuple[Spoken, ...]) -> LabelName | None:
    """The emotion of the line that fills most of `clip`, or None where nobody speaks."""
    overlap: dict[LabelName, float] = {}
    for line in spoken:
        shared = min(clip.end_s, line.end_s) - max(clip.start_s, line.start_s)
        if shared > 0:
            overlap[line.label] = overlap.get(line.label, 0.0) + shared
    return max(overlap, key=lambda label: overlap[label]) if overlap else None


def make_episode(folder: Path, number: int) -> None:
    """Write one episode as AAC in m4a, and the truth about it beside it."""
    target = episode_file(folder, number)
    if target.is_file() and _truth_file(folder, number).is_file():
        return
    rng = np.random.default_rng([20261121, number])
    with synthesiser() as speech:
        mix, truth = _mix_episode(speech, rng)
    from pipelines.media.audio import encode

    samples = np.array(mix.get_array_of_samples(), np.float32) / 32768.0
    target.parent.mkdir(parents=True, exist_ok=True)
    encode(target, samples, mix.frame_rate, "aac")
    write_json(_truth_file(folder, number), [asdict(line) for line in truth])


def make_actress(folder: Path, speaker: str) -> None:
    """Write one actress of the acted corpus: the carrier phrase, every word, one fixed tone per emotion."""
    voice = script.ACTRESSES[speaker]
    done = folder / "acted" / f".{speaker}.json"
    if done.is_file():
        return
    with synthesiser() as speech:
        for emotion in script.DELIVERIES:
            name = {"fearful": "fear"}.get(emotion, emotion)
            for word in script.WORDS:
                rng = np.random.default_rng(7)
                line = _say(speech, script.CARRIER.format(word=word), voice, emotion, rng, pace=script.ACTED_PACE)
                _write_wav(
                    folder / "acted" / f"{speaker}_{name}" / f"{speaker}_{word}_{name}.wav", line, speech.rate_hz
                )
    write_json(done, {"speaker": speaker})


def _mix_episode(speech: Synthesiser, rng: np.random.Generator) -> tuple["AudioSegment", list[Spoken]]:
    from workbench.demo import sound

    rate = speech.rate_hz
    mix = sound.segment(sound.opening_tune(rate), rate).fade_out(800)
    spoken: list[Spoken] = []
    cast = rng.permutation(len(script.CAST))[:3]
    emotions = rng.permutation(np.tile(list(script.DELIVERIES), LINES_PER_EPISODE // len(script.DELIVERIES) + 1))
    for place in range(LINES_PER_EPISODE):
        if place % 8 == 0:
            mix += sound.segment(sound.room_tone(rate, 1.6, rng), rate)
        emotion = str(emotions[place])
        voice = script.CAST[int(cast[rng.integers(len(cast))])]
        pool = script.LINES[emotion] if rng.random() < 0.6 else script.LINES["any"]
        line = _say(speech, str(rng.choice(pool)), voice, emotion, rng)
        start = len(mix) / 1000
        mix += sound.segment(line, rate)
        spoken.append(Spoken(round(start, 3), round(len(mix) / 1000, 3), emotion, voice.name))
        mix += sound.segment(sound.room_tone(rate, float(rng.uniform(0.35, 1.1)), rng), rate)
    bed_start = int(rng.integers(25, 45)) * 1000
    bed = sound.segment(sound.music_bed(rate, 22.0, rng), rate).fade_in(1500).fade_out(2500)
    mix = mix.overlay(bed, position=bed_start, gain_during_overlay=0)
    mix += sound.segment(sound.opening_tune(rate)[: rate * 5], rate).fade_in(300).fade_out(1500)
    return mix, spoken


def _say(
    speech: Synthesiser, text: str, voice: Voice, emotion: str, rng: np.random.Generator, pace: float = 1.0
) -> Audio:
    from workbench.demo import sound

    delivery = script.DELIVERIES[emotion]
    manner = replace(delivery.manner, words_per_minute=round(delivery.manner.words_per_minute * pace))
    return sound.deliver(speech.speak(text, voice, manner), speech.rate_hz, delivery, rng)


def _write_wav(target: Path, samples: Audio, rate_hz: Hertz) -> None:
    from pipelines.media.audio import to_pcm16

    with atomic_path(target) as temporary, wave.open(str(temporary), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(to_pcm16(samples).tobytes())


def _truth_file(folder: Path, number: int) -> Path:
    return folder / "truth" / f"e{number:02d}.json"
