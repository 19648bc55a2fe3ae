"""A small study with sound, labels and, where asked, people: enough for every page to have something to show."""

from pathlib import Path

import numpy as np

from pipelines.audio import pcm_sha256, to_pcm16, write_pcm16
from pipelines.manifest import table_to_csv, write_clips
from pipelines.schema import Clip, clip_id
from pipelines.study import Study, create_study
from tests.builders import voice
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
