"""Rebuilding: the time to make 300 clips again, beside the bare decode of the recording they are cut from.

Run: python -m benchmarks.rebuild [--check]. 30 minutes of AAC (44.1 kHz, stereo) are made once and not timed. The
floor is what has to be done anyway: decode to mono and 16 kHz in one process. The claim: rebuild takes 1.3 times the
processor time of the floor or less, however many clips; time by the clock, which also waits for the disk, is printed
beside it. Finding the clips in an edition with a longer opening is timed beside it, without a
claim. With --check it leaves with 1 when the claim is missed by more than a tenth.
"""

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import soxr

from pipelines.atomic_write import sha256_file, write_text
from pipelines.ingest.reproduce.clip_checks import make_check, write_checks
from pipelines.ingest.reproduce.clip_cutting import slice_blocks
from pipelines.ingest.reproduce.rebuild import VerificationReport, rebuild
from pipelines.ingest.reproduce.shared_manifest import open_manifest
from pipelines.ingest.sources import Source, sources_to_csv
from pipelines.manifest import write_clips
from pipelines.media import audio
from pipelines.schema import Clip, clip_id
from tests.synthetic_audio import noise, voice

WANTED, SLACK = 1.3, 0.1
RATE_HZ, MINUTES, CLIPS, ROUNDS = 44100, 30, 300, 3


def publish(folder: Path, recording: Path) -> Path:
    """The shareable tables of `CLIPS` clips spread over the recording."""
    step = MINUTES * 60 * RATE_HZ // CLIPS
    places = [
        Clip(clip_id("episode", start, RATE_HZ), "episode", start, 3 * RATE_HZ, RATE_HZ, "episode")
        for start in range(0, CLIPS * step, step)
    ]
    clips, checks = [], []
    for clip, pcm in slice_blocks(map(audio.to_mono, audio.decode_blocks(recording)), places):
        clips.append(replace(clip, pcm_sha256=audio.pcm_sha256(pcm)))
        checks.append(make_check(clip.clip_id, pcm, RATE_HZ))
    facts = {"sha256": sha256_file(recording), "bytes": str(recording.stat().st_size), "status": "ok"}
    write_clips(folder / "clips.csv", clips)
    write_checks(folder / "clips_check.parquet", checks)
    write_text(folder / "sources.csv", sources_to_csv([Source("episode", "episode.m4a", "made", measured=facts)]))
    return folder


def floor(recording: Path) -> None:
    """Decode, mean, 16 kHz."""
    resampler = soxr.ResampleStream(RATE_HZ, 16000, 1, "float32", "HQ")
    for block in audio.decode_blocks(recording):
        resampler.resample_chunk(audio.to_mono(block))


def made_again(manifest: Path, media: Path) -> VerificationReport:
    """All clips from `media` into a folder that is taken away."""
    with tempfile.TemporaryDirectory(dir=media) as out:
        return rebuild(open_manifest(manifest), Path(out) / "clips", [media], Path(out), jobs=1)


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Of the processor, all threads together, and by the clock."""
    began, busy = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - busy, time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="leave with 1 when the claim does not hold")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        sound = np.concatenate([voice(60.0, RATE_HZ, seed=seed) for seed in range(3)])
        whole = np.stack([np.tile(sound, MINUTES // 3)] * 2)
        whole += noise(MINUTES * 60, RATE_HZ, 0.01)
        for place, opening in (("media", 0), ("edition", 7 * RATE_HZ + 11)):
            (folder / place).mkdir()
            longer = np.concatenate([whole[:, :opening], whole], axis=1)
            audio.encode(folder / place / "episode.m4a", longer, RATE_HZ, "aac")
        recording = folder / "media" / "episode.m4a"
        manifest = publish(folder / "shared", recording)
        rounds = [
            (seconds(lambda: floor(recording)), seconds(lambda: made_again(manifest, folder / "media")))
            for _ in range(ROUNDS)
        ]
        base, taken = (statistics.median(busy for busy, _ in times) for times in zip(*rounds, strict=True))
        clock = [statistics.median(wall for _, wall in times) for times in zip(*rounds, strict=True)]
        same = made_again(manifest, folder / "media").counts
        began = time.process_time()
        moved = made_again(manifest, folder / "edition").counts
        elsewhere = time.process_time() - began
    finally:
        shutil.rmtree(folder)
    report = {
        "floor_s": round(base, 3),
        "rebuild_s": round(taken, 3),
        "ratio": round(taken / base, 3),
        "wanted": WANTED,
        "ratio_of_wall_clock": round(clock[1] / clock[0], 3),
        "counts": same,
        "other_edition": {"seconds": round(elsewhere, 3), "ratio": round(elsewhere / base, 3), "counts": moved},
    }
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    holds = taken / base <= WANTED * (1 + SLACK) and same["exact"] == CLIPS
    return 0 if holds or not asked.check else 1


if __name__ == "__main__":
    sys.exit(main())
