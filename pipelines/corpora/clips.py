"""A registered corpus as labelled clips, and as a description with counts."""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from pipelines.corpora.adapters import Reading, Recording, Skipped, read_corpus
from pipelines.corpora.card import Card, LabelMap
from pipelines.corpora.registry import Entry, entry
from pipelines.errors import ConfigError, DataError, MediaError
from pipelines.manifest import clips_to_csv
from pipelines.media.audio import decode_blocks, probe
from pipelines.schema import Clip, LabelledClip, LabelledClips, clip_id
from pipelines.schemes import LabelScheme
from pipelines.units import Hertz, Samples

#: Containers whose headers count samples exactly; what lies in others is decoded to be counted.
EXACT = frozenset({"WAV", "WAVEX", "AIFF", "FLAC", "W64", "RF64", "AU", "CAF"})


def labelled_clips(root: Path, name: str, scheme: LabelScheme) -> LabelledClips:
    """The corpus `name` under `scheme`: one clip per whole recording, grouped by speaker.

    Emotions that the card drops are left out; `describe` counts them. Raises UnknownName, ConfigError for a corpus that
    has moved away or has no map onto the scheme, DataError for an emotion code the card does not list.
    """
    place = entry(root, name)
    card = place.card()
    read = _read(place, card)
    label_map = _label_map(card, scheme)
    clips, _ = _clips(place, card, [found for found in read.recordings if found.emotion in label_map.labels])
    if not clips:
        raise DataError(f"no recording of corpus '{name}' has an emotion of the scheme '{scheme.name}'")
    labelled = tuple(
        LabelledClip(clip, recording.path, label_map.labels[recording.emotion]) for recording, clip in clips
    )
    return LabelledClips(
        name=name,
        labels=scheme.label_names,
        clips=labelled,
        origin={
            "kind": "corpus",
            "name": name,
            "card": card.name,
            "title": card.title,
            "version": card.version,
            "licence": card.licence,
            "citation": card.citation,
            "rule": "the emotion the actor was asked for",
            "digest": _digest(labelled),
        },
        group_word="speaker",
        marks=scheme.marks,
    )


def describe(root: Path, name: str, scheme: LabelScheme) -> Mapping[str, Any]:
    """What the corpus `name` holds on this machine beside what it should hold, as one JSON document."""
    place = entry(root, name)
    card = place.card()
    read = _read(place, card)
    label_map = _label_map(card, scheme)
    clips, unreadable = _clips(place, card, read.recordings)
    emotions = Counter(recording.emotion for recording, _ in clips)
    labels = Counter(label_map.labels[code] for code in emotions.elements() if code in label_map.labels)
    seconds = [clip.n_samples / clip.rate_hz for _, clip in clips]
    speakers = Counter(recording.speaker for recording, _ in clips)
    return {
        "name": name,
        "card": card.name,
        "title": card.long_title,
        "version": card.version,
        "licence": card.licence,
        "citation": card.citation,
        "url": card.url,
        "languages": list(card.languages),
        "note": card.note,
        "path": str(place.path),
        "files": len(clips),
        "expected_files": card.expected.files,
        "complete": dict(emotions) == dict(card.expected.emotions),
        "scheme": scheme.name,
        "labels": {label: labels[label] for label in scheme.label_names},
        "dropped": {code: emotions[code] for code in label_map.dropped if emotions[code]},
        "speakers": [
            {"speaker": speaker, "gender": card.speakers.gender(speaker), "files": speakers[speaker]}
            for speaker in sorted(speakers)
        ],
        "rates_hz": {str(rate): n for rate, n in sorted(Counter(clip.rate_hz for _, clip in clips).items())},
        "hours": round(sum(seconds) / 3600, 4),
        "duration_s": {
            "min": round(min(seconds), 3), "median": round(median(seconds), 3), "max": round(max(seconds), 3)
        } if seconds else None,
        "skipped": _by_reason(place, (*read.skipped, *unreadable)),
    }  # fmt: skip


def _read(place: Entry, card: Card) -> Reading:
    if not place.path.is_dir():
        raise ConfigError(
            f"corpus '{place.name}' is no longer at {place.path}: "
            f"say where it is with 'workbench corpus add {place.name} PATH --replace'"
        )
    return read_corpus(card, place.path)


def _label_map(card: Card, scheme: LabelScheme) -> LabelMap:
    label_map = card.label_map(scheme.name)
    if foreign := sorted(set(label_map.labels.values()) - set(scheme.label_names)):
        raise ConfigError(f"corpus card '{card.name}' maps onto '{foreign[0]}', which is no label of '{scheme.name}'")
    return label_map


def _clips(
    place: Entry, card: Card, recordings: Sequence[Recording]
) -> tuple[list[tuple[Recording, Clip]], list[Skipped]]:
    made: list[tuple[Recording, Clip]] = []
    unreadable: list[Skipped] = []
    for recording in recordings:
        try:
            n_samples, rate_hz = _length(recording.path)
        except MediaError as error:
            unreadable.append(Skipped(recording.path, error.reason.removeprefix(f"{recording.path.name}: ")))
            continue
        source = re.sub(r"[^a-z0-9_-]", "-", f"{place.name}-{recording.key}".lower())
        clip = Clip(
            clip_id=clip_id(source, 0, rate_hz),
            source_id=source,
            start_sample=0,
            n_samples=n_samples,
            rate_hz=rate_hz,
            group_id=f"{card.name}-{recording.speaker}",  # the same person however often the corpus is registered
            text=recording.text,
            speaker=recording.speaker,
            gender=card.speakers.gender(recording.speaker),
        )
        made.append((recording, clip))
    return made, unreadable


def _length(path: Path) -> tuple[Samples, Hertz]:
    """Samples per channel and rate, as linear decoding counts them; from the header where that is exact, in 0.1 ms."""
    import soundfile

    try:
        facts = soundfile.info(str(path))
    except soundfile.LibsndfileError:
        facts = None
    if facts is not None and facts.format in EXACT and facts.frames:
        return int(facts.frames), int(facts.samplerate)
    return sum(block.shape[1] for block in decode_blocks(path)), probe(path).rate_hz


def _digest(clips: tuple[LabelledClip, ...]) -> str:
    """Names the listing: which recordings, how long, which label; not their samples, which would have to be read."""
    table = clips_to_csv(labelled.clip for labelled in clips)
    labels = "".join(sorted(f"{labelled.clip.clip_id},{labelled.label}\n" for labelled in clips))
    return hashlib.sha256(f"{table}{labels}".encode()).hexdigest()


def _by_reason(place: Entry, skipped: tuple[Skipped, ...]) -> list[dict[str, Any]]:
    reasons: dict[str, list[str]] = {}
    for file in skipped:
        reasons.setdefault(file.reason, []).append(file.path.relative_to(place.path).as_posix())
    return [{"reason": reason, "files": len(files), "examples": files[:3]} for reason, files in reasons.items()]
