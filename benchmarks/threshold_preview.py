"""Another bound over 10,000 candidates, against a decode of the recordings they would come from.

Run: python -m benchmarks.threshold_preview [--check]. The claim: at most one second per 10,000 candidates, reading them
included, and at most a fiftieth of the time in which the same hours are decoded to mono. Candidates are made with the
density that ingest finds in speech, one every 2.2 s; a minute of AAC is decoded and reckoned up to their hours. Decided
and decoded in turn, in one thread; medians. With --check it leaves with 1 when either is missed by more than a half,
since machines differ.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.selection.threshold_preview import histogram, preview_thresholds, read_candidates
from pipelines.media.audio import encode, open_recording, to_mono
from pipelines.schema import clip_id
from pipelines.study import ScreenThresholds, StudySettings

CANDIDATES, SOURCES, EVERY_S, RATE_HZ, ROUNDS = 10_000, 20, 2.2, 48_000, 5
WANTED_S, WANTED_SHARE, SLACK = 1.0, 0.02, 0.5


def made(path: Path) -> None:
    """candidates.parquet with random scores."""
    rng = np.random.default_rng(0)
    each = CANDIDATES // SOURCES
    sources = np.repeat([f"episode_{number:02d}" for number in range(SOURCES)], each)
    starts = np.tile((np.arange(each) * EVERY_S * RATE_HZ).astype(np.int64), SOURCES)
    columns: dict[str, object] = {
        "clip_id": [clip_id(name, int(start), RATE_HZ) for name, start in zip(sources, starts, strict=True)],
        "source_id": sources.tolist(),
        "start_sample": starts,
        "n_samples": np.full(CANDIDATES, 3 * RATE_HZ),
        "rate_hz": np.full(CANDIDATES, RATE_HZ, np.int32),
        "start_s": starts / RATE_HZ,
        "onset_s": starts / RATE_HZ + 0.1,
        **{name: rng.normal(size=CANDIDATES).astype(np.float32) for name in SCREENS},
        "speech_ratio": rng.uniform(0.3, 1, CANDIDATES).astype(np.float32),
        "status": ["reject"] * CANDIDATES,
        "reasons": [""] * CANDIDATES,
        "arm": [""] * CANDIDATES,
        "pcm_sha256": [""] * CANDIDATES,
    }
    pq.write_table(pa.table(columns), path)


def decode(path: Path) -> float:
    """Seconds in which a recording is decoded to mono."""
    start = time.perf_counter()
    with open_recording(path) as recording:
        for block in recording.blocks(5.0):
            to_mono(block)
    return time.perf_counter() - start


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="leave with 1 when the claim does not hold")
    asked = parser.parse_args()
    settings = StudySettings(name="made", screen={name: ScreenThresholds() for name in SCREENS})
    reading, deciding, decoding = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        table, sound = Path(folder) / "candidates.parquet", Path(folder) / "minute.m4a"
        made(table)
        encode(sound, np.random.default_rng(1).normal(0, 0.1, (2, 60 * RATE_HZ)).astype(np.float32), RATE_HZ, "aac")
        decode(sound)
        for round_ in range(ROUNDS):  # in turn, so that a busy machine slows both
            start = time.perf_counter()
            candidates = read_candidates(table)
            reading.append(time.perf_counter() - start)
            start = time.perf_counter()
            told = preview_thresholds(candidates, settings, {"speech_ratio": ScreenThresholds(min=0.5 + 0.05 * round_)})
            histogram(candidates, "speech_ratio", told.kept)
            deciding.append(time.perf_counter() - start)
            decoding.append(decode(sound) * CANDIDATES * EVERY_S / 60)
    took = statistics.median(reading) + statistics.median(deciding)
    share = statistics.median(
        (one + other) / whole for one, other, whole in zip(reading, deciding, decoding, strict=True)
    )
    report = {
        "share_of_a_decode": round(share, 4),
        "wanted_share": WANTED_SHARE,
        "seconds_per_10000": round(took, 3),
        "wanted_s": WANTED_S,
        "reading_s": round(statistics.median(reading), 3),
        "deciding_s": round(statistics.median(deciding), 3),
        "decoding_s": round(statistics.median(decoding), 1),
        "hours": round(CANDIDATES * EVERY_S / 3600, 2),
        "candidates": CANDIDATES,
        "rounds": ROUNDS,
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    missed = took > WANTED_S * (1 + SLACK) or share > WANTED_SHARE * (1 + SLACK)
    return 1 if asked.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
