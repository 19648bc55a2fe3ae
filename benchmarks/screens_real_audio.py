"""What the screens say of real recordings: part of benchmarks.screens, which needs them in WORKBENCH_TEST_DATA."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipelines.ingest.analysis.analyzer import Analyzer, FeatureTracks
from pipelines.ingest.analysis.speaker_change import bic_gain, speaker_change_p
from pipelines.ingest.analysis.speech import HOP_S, speech_spans
from pipelines.ingest.selection.placement import candidates
from pipelines.ingest.selection.screens import effective_thresholds, failed_screens
from pipelines.ingest.source_analysis import scores_at
from pipelines.media.audio import read_mono, to_pcm16
from pipelines.study import ClipSettings, StudySettings
from pipelines.units import Audio, Seconds
from tests.synthetic_scenes import RATE_HZ, one_after_another

RAVDESS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
#: Recordings of TESS last 2 s: windows of so long are laid in them.
TESS_S: Seconds = 1.2


def report(data: Path) -> dict[str, object]:
    """Figures of each corpus."""
    tess = sorted(data.glob("TESS/*/*.wav"))
    ravdess = sorted(data.glob("RAVDESS/*/*.wav"))
    film = sorted(data.glob("NOTLD_1968/*.wav"))
    return {
        "TESS": of_files(tess, [path.stem.rpartition("_")[2] for path in tess], TESS_S),
        "RAVDESS": of_files(ravdess, [RAVDESS[int(path.stem[6:8]) - 1] for path in ravdess], 3.0),
        "NOTLD_1968": of_windows(film),
        "AMI_excerpts": of_windows(sorted(data.glob("AMI_excerpts/*.wav"))),
        "voices": {
            "RAVDESS": detector(joins([sorted(data.glob(f"RAVDESS/Actor_0{n}/*.wav")) for n in (1, 2, 3)])),
            "TESS": detector(joins([sorted(data.glob(f"TESS/{who}_*/*.wav")) for who in ("OAF", "YAF")])),
            "AMI_excerpts": turns(data / "AMI_excerpts"),
        },
    }


def of_files(paths: Sequence[Path], names: Sequence[str], length_s: Seconds) -> dict[str, object]:
    """Recordings of one utterance: kept where any of its windows is, else reviewed, else rejected; by emotion too."""
    settings = StudySettings(name="real", clip=ClipSettings(length_s=length_s))
    by_name: dict[str, Counter[str]] = {}
    reasons: Counter[str] = Counter()
    by_loudness: list[tuple[float, bool]] = []
    for path, name in zip(paths, names, strict=True):
        rows = windows(path, settings)
        status = next((one for one in ("keep", "review", "reject") if any(row[0] == one for row in rows)), "no window")
        by_name.setdefault(name, Counter())[status] += 1
        if status not in ("keep", "no window"):
            reasons.update({reason for row in rows for reason in row[1]})
        by_loudness += [(row[2], row[0] == "keep") for row in rows if row[2] is not None]
    everyone = sum(by_name.values(), Counter())
    return {
        "recordings": dict(everyone),
        "kept_by_emotion": {name: f"{counts['keep']} of {counts.total()}" for name, counts in sorted(by_name.items())},
        "recordings_by_reason": dict(reasons.most_common()),
        "kept_share_by_loudness_quartile": quartiles(by_loudness),
    }


def of_windows(paths: Sequence[Path]) -> dict[str, object]:
    """Long recordings: all windows that ingest lays."""
    settings = StudySettings(name="real")
    rows = [row for path in paths for row in windows(path, settings)]
    return {
        "windows": dict(Counter(row[0] for row in rows)),
        "by_reason": dict(Counter(reason for row in rows for reason in row[1]).most_common()),
        "by_that_reason_alone": dict(Counter(row[1][0] for row in rows if len(row[1]) == 1).most_common()),
        "kept_share_by_loudness_quartile": quartiles([(row[2], row[0] == "keep") for row in rows if row[2]]),
    }


def quartiles(rows: Sequence[tuple[float, bool]]) -> list[float]:
    """Kept share from the softest quarter to the loudest."""
    ordered = [kept for _, kept in sorted(rows, key=lambda row: row[0])]
    return [round(float(np.mean(part)), 3) for part in np.array_split(ordered, 4) if len(part)]


def windows(path: Path, settings: StudySettings) -> list[tuple[str, tuple[str, ...], float | None]]:
    """Status, reasons and loudness of each window of a recording, at its own rate."""
    sound, rate_hz = read_mono(path)
    tracks = heard(sound, rate_hz)
    found = []
    speech = speech_spans(tracks.speech, settings.place)
    for place in candidates(tracks.speech, tracks.power, tracks.samples, rate_hz, settings.clip, settings.place):
        pcm = to_pcm16(sound[place.start_sample : place.start_sample + place.n_samples])
        scores = scores_at(pcm, rate_hz, place.start_sample, speech, tracks)
        against = failed_screens(scores, effective_thresholds(settings))
        status = "keep" if not against else "review" if all(one.review for one in against) else "reject"
        found.append((status, tuple(one.reason for one in against), scores["loudness_lufs"]))
    return found


def heard(sound: Audio, rate_hz: int) -> FeatureTracks:
    listener = Analyzer(rate_hz)
    listener.feed(sound)
    return listener.finish()


def joins(speakers: Sequence[Sequence[Path]], pairs: int = 240) -> list[tuple[float, bool]]:
    """Windows of 3 s in which one speaker goes on with another recording, or another speaker takes over."""
    rng = np.random.default_rng(11)
    rows = []
    for number in range(pairs):
        one, other = rng.choice(len(speakers), 2, replace=False)
        changes = number % 2 == 0
        first = _spoken(speakers[one][rng.integers(len(speakers[one]))])
        after = speakers[other if changes else one]
        second = _spoken(after[rng.integers(len(after))])
        joined = one_after_another(first, second, rng.uniform(0.8, 2.2), rng.uniform(0, 0.3), 3)
        rows.append((bic_gain(heard(joined, RATE_HZ), 0, 3) or -1.0, changes))
    return rows


def _spoken(path: Path) -> Audio:
    sound, _ = read_mono(path, RATE_HZ)
    loud = np.flatnonzero(np.abs(sound) > 0.02 * np.abs(sound).max())
    return sound[loud[0] : loud[-1] + 1]


def detector(rows: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """How well a number tells true from false: area under the curve, and recall where 5 % of the others are taken."""
    yes = np.array([score for score, truth in rows if truth])
    no = np.sort([score for score, truth in rows if not truth])
    above = np.searchsorted(no, yes, "left") + np.searchsorted(no, yes, "right")
    limit = no[int(0.95 * len(no))]
    return {
        "with": len(yes),
        "without": len(no),
        "area_under_curve": round(float(above.mean() / 2 / len(no)), 3),
        "recall_at_5_percent_false": round(float((yes > limit).mean()), 3),
    }


def turns(folder: Path) -> dict[str, object]:
    """Every half second of the meeting: does the score tell windows in which two or more speak for 0.3 s or longer?"""
    spoken: dict[str, list[tuple[float, float, str]]] = {}
    for line in (folder / "debug.test.rttm").read_text(encoding="utf-8").splitlines():
        part = line.split()
        if part:
            start_s = float(part[3])
            spoken.setdefault(part[1], []).append((start_s, start_s + float(part[4]), part[7]))
    rows: list[tuple[float, bool]] = []
    flagged: Counter[tuple[bool, bool]] = Counter()
    for name, turns_of in sorted(spoken.items()):
        sound, rate_hz = read_mono(folder / f"{name}.wav")
        tracks = heard(sound, rate_hz)
        for at_s in np.arange(0, tracks.duration_s - 3, 0.5):
            if (tracks.speech[int(at_s / HOP_S) : int((at_s + 3) / HOP_S)] > 0.5).mean() < 0.2:
                continue
            shares: Counter[str] = Counter()
            for start_s, end_s, who in turns_of:
                shares[who] += max(0.0, min(end_s, at_s + 3) - max(start_s, at_s))  # type: ignore[assignment]
            several = sum(share >= 0.3 for share in shares.values()) >= 2
            ratio = bic_gain(tracks, float(at_s), float(at_s + 3))
            chance = speaker_change_p(tracks, float(at_s), float(at_s + 3))
            rows.append((-1.0 if ratio is None else ratio, several))
            flagged[(chance is not None and chance > 0.5, several)] += 1
    right, wrong, missed = flagged[(True, True)], flagged[(True, False)], flagged[(False, True)]
    return {
        **detector(rows),
        "flagged_right": right,
        "flagged_wrong": wrong,
        "missed": missed,
        "precision": round(right / max(1, right + wrong), 3),
        "recall": round(right / max(1, right + missed), 3),
    }
