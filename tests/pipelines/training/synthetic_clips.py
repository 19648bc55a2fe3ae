"""Labelled clips made of synthetic voices, for tests of training."""

from pathlib import Path

import numpy as np

from pipelines.media.audio import pcm_sha256, to_pcm16, write_pcm16
from pipelines.schema import Clip, LabelledClip, LabelledClips, Vote
from pipelines.schemes import load_scheme

LABELS = load_scheme("five").label_names
RATE = 22050


def sound(label: int, seed: int, seconds: float) -> np.ndarray:
    """A buzz whose pitch tells the label and whose level, phase and noise tell nothing."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    pitch = 150.0 * 1.45**label * (1 + rng.uniform(-0.03, 0.03))
    buzz = sum(np.sin(2 * np.pi * pitch * h * t + rng.uniform(0, 6)) / h for h in range(1, 6))
    return (rng.uniform(0.05, 0.2) * (buzz + 0.1 * rng.standard_normal(len(t)))).astype(np.float32)


def labelled(
    folder: Path | None, *, groups: int = 6, per_label: int = 1, seconds: float = 0.4, noise_labels: bool = False
) -> LabelledClips:
    """`groups` episodes with `per_label` clips of each label and three raters, the third often wrong.

    Audio is written under `folder`; with None there is none, for tests that only plan. `noise_labels`: labels that
    have nothing to do with the sound, so that whoever predicts them above chance has seen the clip.
    """
    rng = np.random.default_rng(5)
    clips, votes = [], []
    for group in range(groups):
        for number, label in enumerate(np.repeat(np.arange(len(LABELS)), per_label)):
            clip_id = f"e{group}-{number:09d}"
            shown = int(rng.integers(5)) if noise_labels else int(label)
            name = LABELS[shown]
            path, digest = Path("nowhere"), f"{group}-{number}"
            if folder is not None:
                path = folder / f"{clip_id}.wav"
                pcm = to_pcm16(sound(int(label), 1000 * group + number, seconds))
                write_pcm16(path, pcm, RATE)
                digest = pcm_sha256(pcm)
            clip = Clip(clip_id, f"e{group}", 0, round(seconds * RATE), RATE, f"e{group}", pcm_sha256=digest)
            clips.append(LabelledClip(clip, path, name))
            answers = [name, name, name if rng.random() < 0.6 else LABELS[rng.integers(5)]]
            votes += [Vote(clip_id, f"r0{rater}", answer) for rater, answer in enumerate(answers, start=1)]
    return LabelledClips("made", LABELS, tuple(clips), tuple(votes), {"kind": "release", "name": "r1", "digest": "d"})
