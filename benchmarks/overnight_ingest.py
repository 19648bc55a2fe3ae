"""What a night of ingest costs: two processes beside one, the run after it, a ten-hour file, and cutting with pydub.

Run: python -m benchmarks.overnight_ingest [two] [again] [long] [pydub] [--check] [--hours 10]; without a part, `two`
and `pydub`.
Every measured run is a process of its own; its clock starts before it imports anything of ours, its memory is the peak
of the largest process that took part. Speech comes from espeak-ng (extra `demo`) with random words, so that nothing
repeats. Making the files is not timed.

two     ten recordings of 38 to 53 minutes, as episodes are (AAC, 44.1 kHz, stereo), whole ingest with --jobs 2 beside
        --jobs 1, by turns, each twice; and what the machine itself makes of two: a bare decode in one process beside
        two at once. Claim, on two free cores: 1.8 times as fast.
again   `--hours` of recordings of about half an hour (AAC, 16 kHz mono, each piece of speech at five speeds, so that
        making them takes minutes), ingested by two processes, then the same command again.
        Claim: the second takes 2 % of the first's time or less by the clock, which two processes halve for the first
        alone; what is printed beside it is of processor time.
long    the same recordings in one file, their packets one after the other. Claim: 400 MB of resident memory or less.
pydub   what people do today: AudioSegment.from_file, a slice every 3 s, each exported as wav; beside our ingest of the
        same recording (30 minutes), which also finds speech, scores and screens every window and writes tables. AAC
        where ffmpeg and ffprobe are on the path, else WAV. Claim: half of pydub's memory or less.
With --check it leaves with 1 when a claim is missed by more than a tenth.
"""

import argparse
import json
import math
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import forkserver, get_context
from pathlib import Path
from typing import Any

SLACK = 0.1
PIECE_H = 0.5
#: By part: the name of a figure, whether it may be at most (-1) or must be at least (1), and how much.
CLAIMS: dict[str, tuple[str, int, float]] = {
    "two": ("speed_up", 1, 1.8),
    "again": ("ratio_of_wall_clock", -1, 0.02),
    "long": ("peak_mb", -1, 400.0),
    "pydub": ("memory_ratio", -1, 0.5),
}

Figures = dict[str, Any]


def speech(path: Path, number: int, minutes: float) -> None:
    """Made speech, 44.1 kHz stereo, as AAC, or WAV for a name that ends so."""
    import numpy as np

    from benchmarks.synthetic_speech import source_sound
    from pipelines.media import audio
    from tests.synthetic_series import RATE_HZ

    high = audio.resample(source_sound(number, 60 * minutes), RATE_HZ, 44100)
    audio.encode(path, np.stack([high, 0.8 * high]), 44100, "aac" if path.suffix == ".m4a" else "pcm16")


def speech_at_speeds(path: Path, number: int, minutes: float, *, is_stereo: bool = False) -> None:
    """Made speech as AAC, 16 kHz mono or 44.1 kHz stereo: five recordings, at five speeds, which share no second."""
    import numpy as np

    from benchmarks.synthetic_speech import SPEEDS, at_speed, source_sound
    from pipelines.media import audio
    from tests.synthetic_series import RATE_HZ

    slowest = source_sound(number, 60 * minutes)
    to_hz = 44100 if is_stereo else RATE_HZ
    for speed in SPEEDS:
        sound = at_speed(slowest, speed, to_hz)
        if is_stereo:
            sound = np.stack([sound, 0.8 * sound])
        audio.encode(path.with_stem(f"{path.stem}_{round(100 * speed)}"), sound, to_hz, "aac")


def bare_decode(path: str) -> float:
    """Seconds to decode a recording and to do nothing with it."""
    import av

    began = time.perf_counter()
    with av.open(path) as recording:
        for frame in recording.decode(audio=0):
            frame.to_ndarray()
    return time.perf_counter() - began


def machine_speed_up(paths: Sequence[str]) -> float:
    """How much faster two processes decode two recordings at once than one after the other: what two cores give."""
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(bare_decode, paths))
        alone_s = sum(pool.submit(bare_decode, path).result() for path in paths)
        return alone_s / max(pool.map(bare_decode, paths))


def chained(path: Path, pieces: Iterable[Path]) -> None:
    """The packets of recordings of one kind, one recording after the other, on one clock."""
    import av

    with av.open(str(path), "w") as out:
        at, stream = 0, None
        for piece in pieces:
            with av.open(str(piece)) as one:
                source = one.streams.audio[0]
                stream = stream or out.add_stream_from_template(source)
                for packet in one.demux(source):
                    if packet.size:
                        packet.pts = packet.dts = at
                        at += packet.duration or 1024
                        packet.stream = stream
                        out.mux(packet)


def ingest(root: str, media: str, jobs: int) -> Figures:
    """The whole way for all recordings in a folder."""
    from pipelines.ingest.run import run
    from pipelines.study import Study, create_study

    study = Study(Path(root), "night")
    if not study.settings_file.exists():
        study = create_study("night", rights_basis="made for this benchmark", root=Path(root))
    report = run.ingest(study, [media], jobs=jobs)
    return {"clips": report.clips, "changed": report.changed, "sources": len(report.sources)}


def slices(root: str, media: str) -> Figures:
    """A recording with pydub, as in a hundred scripts."""
    from pydub import AudioSegment

    (recording,) = Path(media).iterdir()
    whole = AudioSegment.from_file(recording)
    Path(root).mkdir()
    for number, start in enumerate(range(0, len(whole) - 2999, 3000)):
        whole[start : start + 3000].set_channels(1).export(Path(root) / f"{number}.wav", format="wav").close()
    return {"clips": number + 1}


def measured(work: Callable[[], Figures]) -> Figures:
    """Wall-clock and processor seconds and peak memory of `work`; called in a process of its own."""
    began = time.perf_counter()
    figures = work()
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # what its processes took counts when it has ended
    own, workers = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return {
        **figures,
        "wall_s": round(time.perf_counter() - began, 2),
        "cpu_s": round(own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime, 2),
        "workers_cpu_s": round(workers.ru_utime + workers.ru_stime, 2),
        "peak_mb": round(max(own.ru_maxrss, workers.ru_maxrss) * 1024 / 1e6),
    }


def fresh(work: Callable[[], Figures]) -> Figures:
    """`measured` in a new process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as one:
        return one.submit(measured, work).result()


def make_all(folder: Path, count: int, make: Callable[..., None], minutes: float) -> None:
    """So many recordings, made by two processes."""
    folder.mkdir()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        made = [pool.submit(make, folder / f"s{number:03}.m4a", number, minutes) for number in range(count)]
        for number, one in enumerate(made):
            one.result()
            sys.stderr.write(f"\r{number + 1} of {count} recordings made")
    sys.stderr.write("\n")


def make_pieces(folder: Path, hours: float) -> None:
    """Recordings of about half an hour that last `hours` together, or a little more."""
    from benchmarks.synthetic_speech import SPEEDS

    made_h = PIECE_H * sum(1 / speed for speed in SPEEDS)
    make_all(folder, max(1, math.ceil(hours / made_h)), speech_at_speeds, 60 * PIECE_H)


def two(folder: Path, _hours: float) -> Figures:
    make_all(folder / "media", 2, partial(speech_at_speeds, is_stereo=True), 45)
    media = str(folder / "media")
    machine = machine_speed_up([str(folder / "media" / f"s{number:03}_100.m4a") for number in range(2)])
    runs: dict[int, list[Figures]] = {1: [], 2: []}
    for number, jobs in enumerate((1, 2, 2, 1)):
        runs[jobs].append(fresh(partial(ingest, str(folder / f"study{number}"), media, jobs)))
    one_s, two_s = (sum(figures["wall_s"] for figures in runs[jobs]) for jobs in (1, 2))
    return {
        "speed_up": round(one_s / two_s, 2),
        "machine_speed_up": round(machine, 2),
        "one": runs[1],
        "two": runs[2],
    }


def again(folder: Path, hours: float) -> Figures:
    make_pieces(folder / "media", hours)
    work = partial(ingest, str(folder / "study"), str(folder / "media"), 2)
    first, second = fresh(work), fresh(work)
    if second["changed"] or not first["clips"]:
        raise SystemExit(f"the run after it was not without work: {first} {second}")
    return {
        "ratio": round(second["cpu_s"] / first["cpu_s"], 4),
        "ratio_of_wall_clock": round(second["wall_s"] / first["wall_s"], 4),
        "first": first,
        "again": second,
    }


def long(folder: Path, hours: float) -> Figures:
    make_pieces(folder / "pieces", hours)
    (folder / "media").mkdir()
    chained(folder / "media" / "long.m4a", sorted((folder / "pieces").iterdir()))
    return fresh(partial(ingest, str(folder / "study"), str(folder / "media"), 2))


def pydub(folder: Path, _hours: float) -> Figures:
    is_aac = all(shutil.which(tool) for tool in ("ffmpeg", "ffprobe"))
    name = "episode.m4a" if is_aac else "episode.wav"
    (folder / "media").mkdir()
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(speech, folder / "media" / name, 0, 30).result()
    theirs = fresh(partial(slices, str(folder / "slices"), str(folder / "media")))
    ours = fresh(partial(ingest, str(folder / "study"), str(folder / "media"), 2))
    return {
        "recording": name,
        "memory_ratio": round(ours["peak_mb"] / theirs["peak_mb"], 2),
        "time_ratio": round(ours["wall_s"] / theirs["wall_s"], 2),
        "ours": ours,
        "pydub": theirs,
    }


PARTS: dict[str, Callable[[Path, float], Figures]] = {"two": two, "again": again, "long": long, "pydub": pydub}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=(*PARTS, []), help="what to measure")
    parser.add_argument("--check", action="store_true", help="leave with 1 when a claim does not hold")
    parser.add_argument("--hours", type=float, default=10.0)
    asked = parser.parse_args()
    report: Figures = {"load_before": round(os.getloadavg()[0], 2)}
    for part in asked.parts or ("two", "pydub"):
        with tempfile.TemporaryDirectory() as folder:
            report[part] = PARTS[part](Path(folder), asked.hours)
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 1 if asked.check and list(missed(report)) else 0


def missed(report: Figures) -> Iterable[str]:
    """Parts whose claim does not hold, with what was found."""
    for part, (name, sign, bound) in CLAIMS.items():
        if part in report and sign * report[part][name] < sign * bound * (1 - sign * SLACK):
            sys.stderr.write(f"{part}: {name} is {report[part][name]}, claimed {bound}\n")
            yield part


if __name__ == "__main__":
    sys.exit(main())
