"""From a corpus folder to its recordings. Nothing is dropped in silence: what is not read is listed with the reason."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.corpora.card import Card
from pipelines.errors import DataError, UnknownName

#: Files that are sound by their name; tables and texts beside them are no part of a corpus's recordings.
SOUND = frozenset({".wav", ".aif", ".aiff", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".webm", ".wma"})


@dataclass(frozen=True, slots=True)
class Recording:
    """One file of a corpus and what its name says: `emotion` is the corpus's own code."""

    path: Path
    key: str
    speaker: str
    emotion: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that is not read, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What an adapter found under a folder, in the order of the paths."""

    recordings: tuple[Recording, ...]
    skipped: tuple[Skipped, ...]


Adapter = Callable[[Card, Path], Reading]


def by_file_name(card: Card, folder: Path) -> Reading:
    """Read every sound file whose path matches the card's pattern.

    A second file of the same key is skipped: archives of several corpora hold the whole tree twice, one inside the
    other. The one nearest to the top is kept.
    """
    kept: dict[str, Recording] = {}
    skipped: list[Skipped] = []
    paths = sorted(sound_files(folder), key=lambda path: (len(path.parts), path.as_posix()))
    for path in paths:
        recording = _recording(card, folder, path)
        if recording is None:
            skipped.append(Skipped(path, f"its name is not one of {card.title}'s, such as {card.files.example}"))
        elif recording.key in kept:
            skipped.append(Skipped(path, "the same recording lies nearer to the top"))
        else:
            kept[recording.key] = recording
    return Reading(tuple(sorted(kept.values(), key=lambda recording: recording.path.as_posix())), tuple(skipped))


#: Layouts that file names alone do not tell get a function of their own and a line here; their cards name it.
ADAPTERS: Mapping[str, Adapter] = {
    "by_file_name": by_file_name,
}


def read_corpus(card: Card, folder: Path) -> Reading:
    """The recordings of `card`'s corpus under `folder`.

    Raises UnknownName for an adapter that is not there, DataError for an emotion code that the card does not list.
    """
    if card.adapter not in ADAPTERS:
        raise UnknownName("corpus adapter", card.adapter, ADAPTERS)
    read = ADAPTERS[card.adapter](card, folder)
    for recording in read.recordings:
        if recording.emotion not in card.codes:
            raise DataError(
                f"{recording.path.name}: the card '{card.name}' neither maps nor drops the emotion code "
                f"'{recording.emotion}': add it to one of them"
            )
    return read


def matching_share(card: Card, folder: Path) -> tuple[int, int]:
    """How many sound files under `folder` bear names of this corpus, and how many sound files there are."""
    found = list(sound_files(folder))
    return sum(_recording(card, folder, path) is not None for path in found), len(found)


def sound_files(folder: Path) -> Iterator[Path]:
    """Every file under `folder` that is sound by its name, without hidden ones and what macOS leaves in archives."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        for name in names:
            if not name.startswith(".") and Path(name).suffix.lower() in SOUND:
                yield Path(place, name)


def _recording(card: Card, folder: Path, path: Path) -> Recording | None:
    # the folder's own name is part of what is matched: one may add just SAVEE's DC
    match = card.files.expression.fullmatch(f"{folder.name}/{path.relative_to(folder).as_posix()}")
    if match is None:
        return None
    groups = {name: value or "" for name, value in match.groupdict().items()}
    words = {name: card.maps.get(name, {}).get(value, value) for name, value in groups.items()}
    speaker = card.speakers.aliases.get(groups["speaker"], groups["speaker"])
    return Recording(
        path=path,
        key=card.files.id.format(stem=path.stem, **groups),
        speaker=speaker,
        emotion=groups["emotion"],
        text=card.files.text.format(stem=path.stem, **words),
    )
