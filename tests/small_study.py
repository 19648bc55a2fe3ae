"""A small study with sound, labels and, where asked, people: enough for every page to have something to show."""

from pathlib import Path

import numpy as np

from pipelines.ingest.run.run import ingest
from pipelines.ingest.selection.screens import SCREENS
from pipelines.manifest import table_to_csv, write_clips
from pipelines.media.audio import encode, pcm_sha256, to_pcm16, write_pcm16
from pipelines.schema import Clip, clip_id
from pipelines.study import Study, create_study
from tests.synthetic_audio import noise, voice
from workbench.store import Event, RaterKind, open_store

RATE_HZ = 16000
#: Pitch in Hz by which a machine could tell the made voices apart.
PITCH_HZ = {"happy": 220.0, "sad": 100.0, "angry": 180.0, "fearful": 250.0, "neutral": 130.0}


def truth_of(number: int) -> str:
    """The emotion that clip `number` of an episode is meant to have."""
    return tuple(PITCH_HZ)[number % len(PITCH_HZ)]


def study_with_sound(root: Path, *, name: str = "night", episodes: int = 4, per_episode: int = 5) -> Study:
    """Episodes of made voices, each cut into 3-second clips whose emotions go round."""
    study = create_study(name, rights_basis="made up for a test", root=root)
    clips, sources = [], []
    for episode in range(1, episodes + 1):
        source = f"ep{episode}"
        for number in range(per_episode):
            start = number * 4 * RATE_HZ
            pcm = to_pcm16(voice(3.0, RATE_HZ, PITCH_HZ[truth_of(number)], seed=100 * episode + number))
            clip = Clip(
                clip_id(source, start, RATE_HZ),
                source,
                start,
                len(pcm),
                RATE_HZ,
                group_id=source,
                pcm_sha256=pcm_sha256(pcm),
                metrics={"speech_ratio": 0.9 - 0.01 * number, "loudness": -23.0 - number},
            )
            write_pcm16(study.clip_path(clip.clip_id), pcm, RATE_HZ)
            clips.append(clip)
        seconds = per_episode * 4
        sources.append(
            {
                "source_id": source,
                "uri": f"{source}.wav",
                "sample_rate_hz": RATE_HZ,
                "decoded_samples": seconds * RATE_HZ,
            }
        )
    write_clips(study.clips_csv, clips)
    study.sources_csv.write_text(
        table_to_csv(("source_id", "uri", "sample_rate_hz", "decoded_samples"), sources), encoding="utf-8"
    )
    return study


def recordings(folder: Path, count: int = 2, turns: int = 6) -> list[Path]:
    """Recordings of made voices that speak in turns, some of them too short or too far apart for a good clip."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    for number in range(count):
        rng = np.random.default_rng(number)
        parts = []
        for turn in range(turns):
            seed = 100 * number + turn
            pause = noise(rng.uniform(0.3, 1.4), RATE_HZ, 0.001, seed=seed)
            speech = voice(rng.uniform(1.2, 4.5), RATE_HZ, rng.uniform(90, 250), seed=seed)
            parts += [pause, (rng.uniform(0.1, 1.0) * speech).astype(np.float32)]
        made.append(folder / f"episode_{number + 1}.{('m4a', 'wav')[number % 2]}")
        encode(made[-1], np.concatenate(parts), RATE_HZ, "pcm16" if number % 2 else "aac")
    return made


def lenient_study(root: Path, *, name: str = "night") -> Study:
    """An empty study for made voices, which are no voices to the finer screens: only speech and pauses decide."""
    study = create_study(name, rights_basis="made up for a test", root=root)
    opened = "\n[select]\nrandom_share = 0.5\n" + "".join(
        f"\n[screen.{screen}]\n" for screen in SCREENS if screen not in ("speech_ratio", "longest_pause_s")
    )
    study.settings_file.write_text(study.settings_file.read_text(encoding="utf-8") + opened, encoding="utf-8")
    return Study(root, name)


def ingested_study(root: Path, *, name: str = "night", count: int = 2, turns: int = 9) -> Study:
    """A study whose clips, candidates and tables were made by a real ingest of made recordings in `root`/media."""
    study = lenient_study(root, name=name)
    ingest(study, [str(file) for file in recordings(root / "media", count, turns)], jobs=1)
    return study


def answer(study: Study, raters: dict[str, float], kind: RaterKind = "machine", seed: int = 0) -> None:
    """Every rater answers every clip, right with the given probability, else with any label; some clips get flags."""
    rng = np.random.default_rng(seed)
    labels = tuple(PITCH_HZ)
    with open_store(study) as store:
        for rater, right in raters.items():
            store.ensure_rater(rater, kind=kind)
            events = []
            for file in sorted(study.audio.glob("*.wav")):
                number = round(int(file.stem.rpartition("-")[2]) / 4000)
                label = truth_of(number) if rng.random() < right else str(rng.choice(labels))
                flags = ("music",) if rng.random() < 0.05 else ()
                events.append(Event(f"{rater}:{file.stem}", rater, clip_id=file.stem, label=label, flags=flags))
            refused = store.record(events).refused
            if refused:
                raise ValueError(refused[0].reason)
