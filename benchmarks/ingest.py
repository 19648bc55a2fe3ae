"""A full local ingest of 30 minutes against decoding the same file to 16-kHz mono and nothing else.

Run: python -m benchmarks.ingest [--check] [--minutes N] [--codec aac|opus]. The file is synthetic voice with pauses,
stereo, 44.1 kHz AAC or 48 kHz Opus. Each part runs in a fresh process of its own, in turn; clocks start after the
imports, also of the table library that the program puts off until it writes; peak memory is the whole process's.
`ingest` is everything: probe, checksum, decode, speech, placement, screens, clips on disk, tables and checks.
`analyse` is what a core does for one recording: the same without the study's tables. Ratios are given of processor
time, which a busy machine stretches least, and of the wall clock. The claims, on processor time: ingest at most 4,
analysis at most 2.8. With --check it leaves with 1 when a ratio is above its claim by more than a tenth.
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

from pipelines import audio
from pipelines.ingest import run
from pipelines.ingest.analyse import Task
from pipelines.ingest.analyse import analyse as analyse_one
from pipelines.study import create_study
from tests.builders import noise, voice

RATE_HZ, ROUNDS = 44_100, 3
SLACK = 0.1
#: Processor time in units of the bare decode.
CLAIMS = {"ingest": 4.0, "analyse": 2.8}
PARTS = ("decode", "analyse", "ingest")


def write_episode(path: Path, minutes: float, codec: audio.Codec = "aac") -> None:
    """Voices of several pitches with pauses in a quiet room, the second channel softer."""
    parts = []
    for turn in range(24):
        parts += [
            voice(2.0 + turn % 5, RATE_HZ, 95 + 3 * turn, turn),
            noise(0.3 + 0.2 * (turn % 6), RATE_HZ, 0.002, turn),
        ]
    scene = np.concatenate(parts)
    whole = np.resize(scene, round(minutes * 60 * RATE_HZ)).astype(np.float32)
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
        return sum(window.kept for window in analyse_one(task, lambda *_: None).windows)


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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="leave with 1 when the claim does not hold")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--codec", choices=("aac", "opus"), default="aac")
    asked = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {part: [] for part in PARTS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / ("episode.m4a" if asked.codec == "aac" else "episode.webm")
        with multiprocessing.get_context("spawn").Pool(1) as fresh:  # a child's peak memory begins with its parent's
            fresh.apply(write_episode, (path, asked.minutes, asked.codec))
        for _ in range(ROUNDS):  # in turn, so that a busy machine slows all
            for part, results in found.items():
                with multiprocessing.get_context("spawn").Pool(1) as fresh:
                    results.append(fresh.apply(measured, (part, str(path))))

    def middle(part: str, key: str) -> float:
        return statistics.median(result[key] for result in found[part])

    def ratio(part: str, key: str) -> float:
        return round(statistics.median(a[key] / b[key] for a, b in zip(found[part], found["decode"], strict=True)), 2)

    ratios = {part: ratio(part, "cpu_s") for part in CLAIMS}
    report = {
        "minutes": asked.minutes,
        "codec": asked.codec,
        "ratio_of_processor_time": ratios,
        "claimed": CLAIMS,
        "ratio_of_wall_clock": {part: ratio(part, "wall_s") for part in CLAIMS},
        "processor_s": {part: round(middle(part, "cpu_s"), 2) for part in PARTS},
        "wall_s": {part: round(middle(part, "wall_s"), 2) for part in PARTS},
        "peak_mib": {part: round(middle(part, "peak_mib")) for part in PARTS},
        "clips": round(middle("ingest", "count")),
        "rounds": ROUNDS,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    holds = all(ratios[part] <= claim * (1 + SLACK) for part, claim in CLAIMS.items())
    return 0 if holds or not asked.check else 1


if __name__ == "__main__":
    sys.exit(main())
