"""Small synthetic corpora in each published layout, quirks included. Every file is a made sound, not a recording."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from pipelines.corpora.card import Card
from pipelines.schemes import load_scheme
from pipelines.units import Hertz


@dataclass(frozen=True)
class Tree:
    """What a made corpus must be read as."""

    folder: Path
    labels: Mapping[str, int]
    dropped: Mapping[str, int]
    groups: frozenset[str]
    rates_hz: Mapping[str, int]
    skipped: int = 0


def sound(path: Path, rate_hz: Hertz, *, channels: int = 1, container: str = "WAV", seconds: float = 0.2) -> None:
    """A short seeded sound; `container` may differ from what the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(sum(path.name.encode()))
    samples = 0.1 * rng.standard_normal((round(seconds * rate_hz), channels))
    soundfile.write(path, samples, rate_hz, format=container, subtype="PCM_16")


def tess(root: Path) -> Tree:
    """Irregular folder names, speaker OA, one file at 96 kHz, two AIFF files named .wav, one nested second copy."""
    folder = root / "TESS Toronto emotional speech set data"
    places = {
        "OAF": ("OAF_angry", "OAF_disgust", "OAF_Fear", "OAF_happy", "OAF_neutral", "OAF_Pleasant_surprise", "OAF_Sad"),
        "YAF": (
            "YAF_angry",
            "YAF_disgust",
            "YAF_fear",
            "YAF_happy",
            "YAF_neutral",
            "YAF_pleasant_surprised",
            "YAF_sad",
        ),
    }
    emotions = ("angry", "disgust", "fear", "happy", "neutral", "ps", "sad")
    for speaker, folders in places.items():
        for place, emotion in zip(folders, emotions, strict=True):
            for word in ("back", "bite"):
                sound(folder / place / f"{speaker}_{word}_{emotion}.wav", 24_414)
    (folder / "OAF_neutral/OAF_bite_neutral.wav").rename(folder / "OAF_neutral/OA_bite_neutral.wav")
    sound(folder / "OAF_Fear/OAF_food_fear.wav", 96_000)
    sound(folder / "YAF_angry/YAF_germ_angry.wav", 24_414, container="AIFF")
    sound(folder / "YAF_fear/YAF_neat_fear.wav", 24_414, container="AIFF")
    sound(folder / folder.name / "OAF_angry/OAF_back_angry.wav", 24_414)
    sound(folder / "__MACOSX/OAF_angry/._OAF_back_angry.wav", 24_414)
    return Tree(
        folder,
        labels={"happy": 4, "sad": 4, "angry": 5, "fearful": 6, "neutral": 4},
        dropped={"disgust": 4, "ps": 4},
        groups=frozenset({"tess-OAF", "tess-YAF"}),
        rates_hz={"24414": 30, "96000": 1},
        skipped=1,
    )


def ravdess(root: Path) -> Tree:
    """Two actors, one stereo file, a song and a video-only name that are no part of the speech card."""
    folder = root / "Audio_Speech_Actors_01-24"
    for actor in ("01", "02"):
        for emotion in ("01", "02", "03", "04", "05", "06", "07", "08"):
            for intensity in ("01",) if emotion == "01" else ("01", "02"):
                sound(folder / f"Actor_{actor}/03-01-{emotion}-{intensity}-01-01-{actor}.wav", 48_000)
    sound(folder / "Actor_01/03-01-02-01-01-01-01.wav", 48_000, channels=2)
    sound(folder / "Actor_01/03-02-03-01-01-01-01.wav", 48_000)
    sound(folder / "Actor_02/02-01-03-01-01-01-02.wav", 48_000)
    return Tree(
        folder,
        labels={"happy": 4, "sad": 4, "angry": 4, "fearful": 4, "neutral": 2},
        dropped={"02": 4, "07": 4, "08": 4},
        groups=frozenset({"ravdess-01", "ravdess-02"}),
        rates_hz={"48000": 30},
        skipped=2,
    )


def emovo(root: Path) -> Tree:
    """Stereo, one mono file, a file whose ending is in capitals."""
    folder = root / "EMOVO"
    for speaker in ("f1", "m1"):
        for emotion in ("dis", "gio", "neu", "pau", "rab", "sor", "tri"):
            sound(folder / speaker / f"{emotion}-{speaker}-b1.wav", 48_000, channels=2)
    sound(folder / "f1/rab-f1-b1.wav", 48_000)
    (folder / "m1/neu-m1-b1.wav").rename(folder / "m1/neu-m1-b1.WAV")
    return Tree(
        folder,
        labels=dict.fromkeys(("happy", "sad", "angry", "fearful", "neutral"), 2),
        dropped={"dis": 2, "sor": 2},
        groups=frozenset({"emovo-f1", "emovo-m1"}),
        rates_hz={"48000": 14},
    )


def emodb(root: Path) -> Tree:
    """Emotions by German letters, Latin-1 tables beside the sound."""
    folder = root / "download"
    for speaker in ("03", "08"):
        for emotion in "WLEAFTN":
            sound(folder / "wav" / f"{speaker}a01{emotion}a.wav", 16_000)
    (folder / "erkennung.txt").write_bytes("Satz\terkannt\tnat\xfcrlich\n".encode("latin-1"))
    return Tree(
        folder,
        labels=dict.fromkeys(("happy", "sad", "angry", "fearful", "neutral"), 2),
        dropped={"E": 2, "L": 2},
        groups=frozenset({"emodb-03", "emodb-08"}),
        rates_hz={"16000": 14},
    )


def crema_d(root: Path) -> Tree:
    """Four levels and the one file whose level is a single X; an empty and a truncated file; vote tables beside."""
    folder = root / "CREMA-D"
    for speaker in ("1001", "1002"):
        for emotion in ("ANG", "DIS", "FEA", "HAP", "SAD"):
            for level in ("LO", "HI"):
                sound(folder / "AudioWAV" / f"{speaker}_IEO_{emotion}_{level}.wav", 16_000)
        sound(folder / "AudioWAV" / f"{speaker}_IEO_NEU_XX.wav", 16_000)
    sound(folder / "AudioWAV/1040_ITH_SAD_X.wav", 16_000)
    (folder / "AudioWAV/1076_MTI_SAD_XX.wav").write_bytes(b"")
    (folder / "AudioWAV/1077_MTI_SAD_XX.wav").write_bytes(b"this is no sound")
    (folder / "processedResults").mkdir()
    (folder / "processedResults/summaryTable.csv").write_text('"","FileName"\n')
    return Tree(
        folder,
        labels={"happy": 4, "sad": 5, "angry": 4, "fearful": 4, "neutral": 2},
        dropped={"DIS": 4},
        groups=frozenset({"crema_d-1001", "crema_d-1002", "crema_d-1040"}),
        rates_hz={"16000": 23},
        skipped=2,
    )


def savee(root: Path) -> Tree:
    """The speaker is only in the folder's name: the same file names in each."""
    folder = root / "AudioData"
    for speaker in ("DC", "KL"):
        for emotion in ("a", "d", "f", "h", "n", "sa", "su"):
            sound(folder / speaker / f"{emotion}01.wav", 44_100)
    (folder / "Info.txt").write_text("15 sentences")
    return Tree(
        folder,
        labels=dict.fromkeys(("happy", "sad", "angry", "fearful", "neutral"), 2),
        dropped={"d": 2, "su": 2},
        groups=frozenset({"savee-DC", "savee-KL"}),
        rates_hz={"44100": 14},
    )


def from_card(card: Card, root: Path) -> Tree:
    """What the card itself says of its layout: its example's name for two speakers and every emotion code."""
    folder = root / card.name
    match = card.files.expression.fullmatch(card.files.example)
    assert match is not None
    known = dict.fromkeys((match["speaker"], *card.speakers.female, *card.speakers.male))
    speakers = [speaker for speaker in known if renamed(card, speaker, match["emotion"])][:2]
    label_map = card.label_map("five")
    for speaker in speakers:
        for code in sorted(card.codes):
            name = renamed(card, speaker, code)
            assert name, f"'pattern' does not take the code '{code}' in '{card.files.example}'"
            sound(folder / name, 16_000)
    of_label = [label_map.labels[code] for code in card.codes if code in label_map.labels]
    n = len(speakers)
    return Tree(
        folder,
        labels={label: n * of_label.count(label) for label in load_scheme("five").label_names},
        dropped=dict.fromkeys(label_map.dropped, n),
        groups=frozenset(f"{card.name}-{card.speakers.aliases.get(speaker, speaker)}" for speaker in speakers),
        rates_hz={"16000": n * len(card.codes)},
    )


def renamed(card: Card, speaker: str, code: str) -> str | None:
    """The card's example with another speaker and emotion code; None where its pattern takes no such name."""
    example = card.files.example
    match = card.files.expression.fullmatch(example)
    assert match is not None
    start, end = match.span("emotion")
    marked = f"{example[:start]}\0{example[end:]}"
    begin, stop = (at + 1 - (end - start) if at >= end else at for at in match.span("speaker"))
    for name in (marked[:begin] + speaker + marked[stop:], marked.replace(match["speaker"], speaker)):
        found = card.files.expression.fullmatch(name.replace("\0", code))
        if found and (found["speaker"], found["emotion"]) == (speaker, code):
            return name.replace("\0", code)
    return None


def unlisted_code(card: Card) -> str:
    """An emotion code that the pattern takes and the card does not list."""
    match = card.files.expression.fullmatch(card.files.example)
    assert match is not None
    codes = (letter * length for length in range(1, 9) for letter in "9zZqQ")
    return next(code for code in codes if code not in card.codes and renamed(card, match["speaker"], code))


#: Trees with the quirks of what was published; a card without one is tested by `from_card` alone.
TREES: Mapping[str, Callable[[Path], Tree]] = {
    "crema_d": crema_d,
    "emodb": emodb,
    "emovo": emovo,
    "ravdess": ravdess,
    "savee": savee,
    "tess": tess,
}
