"""A full local ingest of 30 minutes against decoding the same file to 16-kHz mono and nothing else.

Run: python -m benchmarks.ingest [--check] [--minutes N] [--rounds N] [--codec aac|opus]; without a codec, both. The
file is made speech (espeak-ng, extra `demo`) that never repeats, stereo, 44.1 kHz AAC or 48 kHz Opus. Each part runs in
a fresh process of its own, in turn; clocks start after the imports, also of the table library that the program puts off
until it writes; peak memory is the whole process's. `ingest` is everything: probe, checksum, decode, speech, scores,
clips on disk, fingerprint and repeats, tables and checks. `analyse` is what a core does for one recording: the same
without repeats and the study's tables. Ratios are given of processor time, which a busy machine stretches least, and of
the wall clock. The claims, on processor time of the whole ingest: 3.5 for AAC, 2.8 for Opus. With --check it leaves
with 1 when a ratio is above its claim by more than a tenth.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import pyarrow
import pyarrow.parquet
import scipy.signal  # noqa: F401  # its import is no part of what is measured

from benchmarks.synthetic_speech import source_sound
from pipelines.ingest.run import run
from pipelines.ingest.source_analysis import Task
from pipelines.ingest.source_analysis import analyse as analyse_one
from pipelines.media import audio
from pipelines.study import create_study
from tests.synthetic_series import RATE_HZ as SPOKEN_HZ

RATE_HZ, ROUNDS = 44_100, 3
SLACK = 0.1
#: Processor time of a whole ingest in units of the bare decode.
CLAIMS: dict[audio.Codec, float] = {"aac": 3.5, "opus": 2.8}
PARTS = ("decode", "analyse", "ingest")


def write_episode(path: Path, minutes: float, codec: audio.Codec = "aac") -> None:
    """Sentences that never repeat, by several voices with pauses in a quiet room; the second channel softer."""
    whole = audio.resample(source_sound(0, minutes * 60), SPOKEN_HZ, RATE_HZ)
    audio.encode(path, np.stack([whole, 0.8 * whole]), RATE_HZ, codec)


def decode_only(path: Path) -> int:
    """The floor: PyAV's own linear decode and resampling to 16-kHz mono, the samples thrown away."""
    samples = 0
    with av.open(str(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16000)
        for frame in container.decode(audio=0):
            samples += sum(part.samples for part in resampler.resample(frame))
        samples += sum(part.samples for part in resampler.resample(None))
    return samples


def ingest(path: Path) -> int:
    """The whole way, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        study = create_study("bench", rights_basis="made for this benchmark", root=Path(folder))
        return run.ingest(study, [str(path)], jobs=1).clips


def analyse(path: Path) -> int:
    """One recording to clips on disk, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        study = create_study("bench", rights_basis="made for this benchmark", root=Path(folder))
        study.audio.mkdir(parents=True, exist_ok=True)
        task = Task("episode", path, study.settings, study.audio, study.cache / "scratch")
        return sum(decision.kept for decision in analyse_one(task, lambda *_: None).decisions)


def measured(part: str, path: str) -> dict[str, float]:
    """Seconds, processor seconds and peak memory of one part; runs in a process of its own."""
    pyarrow.array(["it imports pandas with its first array"])
    work = {"decode": decode_only, "analyse": analyse, "ingest": ingest}[part]
    wall, cpu = time.perf_counter(), time.process_time()
    count = work(Path(path))
    return {
        "wall_s": time.perf_counter() - wall,
        "cpu_s": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "count": count,
    }


def compared(codec: audio.Codec, minutes: float, rounds: int) -> dict[str, object]:
    """All parts for a recording in one codec."""
    found: dict[str, list[dict[str, float]]] = {part: [] for part in PARTS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("episode.m4a" if codec == "aac" else "episode.webm")
        with multiprocessing.get_context("spawn").Pool(1) as fresh:  # a child's peak memory begins with its parent's
            fresh.apply(write_episode, (path, minutes, codec))
        for _ in range(rounds):  # in turn, so that a busy machine slows all
            for part, results in found.items():
                with multiprocessing.get_context("spawn").Pool(1) as fresh:
                    results.append(fresh.apply(measured, (part, str(path))))

    def middle(part: str, key: str) -> float:
        return statistics.median(result[key] for result in found[part])

    def ratio(part: str, key: str) -> float:
        return round(statistics.median(a[key] / b[key] for a, b in zip(found[part], found["decode"], strict=True)), 2)

    return {
        "ratio_of_processor_time": {part: ratio(part, "cpu_s") for part in PARTS[1:]},
        "claimed": CLAIMS[codec],
        "ratio_of_wall_clock": {part: ratio(part, "wall_s") for part in PARTS[1:]},
        "processor_s": {part: round(middle(part, "cpu_s"), 2) for part in PARTS},
        "wall_s": {part: round(middle(part, "wall_s"), 2) for part in PARTS},
        "peak_mib": {part: round(middle(part, "peak_mib")) for part in PARTS},
        "clips": round(middle("ingest", "count")),
        "holds": ratio("ingest", "cpu_s") <= CLAIMS[codec] * (1 + SLACK),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="leave with 1 when the claim does not hold")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--codec", choices=tuple(CLAIMS), action="append")
    asked = parser.parse_args()
    codecs = {codec: compared(codec, asked.minutes, asked.rounds) for codec in asked.codec or CLAIMS}
    sys.stdout.write(json.dumps({"minutes": asked.minutes, "rounds": asked.rounds, **codecs}, indent=2) + "\n")
    return 0 if all(one["holds"] for one in codecs.values()) or not asked.check else 1


if __name__ == "__main__":
    sys.exit(main())
