"""Which corpus lies where on this machine: data/corpora.toml. Nothing is copied."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.atomic_write import write_text
from pipelines.corpora.adapters import matching_share, read_corpus, sound_files
from pipelines.corpora.card import Card, corpus_names, load_card
from pipelines.errors import ConfigError, UnknownName
from pipelines.schema import validate_name
from pipelines.study import study_names
from pipelines.toml_config import StrictModel, load


class _Place(StrictModel):
    card: str
    path: str


class _Places(StrictModel):
    corpora: Mapping[str, _Place] = {}


@dataclass(frozen=True, slots=True)
class Entry:
    """A corpus on this machine. `card_name` names a built-in card or a TOML file."""

    name: str
    card_name: str
    path: Path

    def card(self) -> Card:
        """Its card. Raises UnknownName, ConfigError."""
        return load_card(self.card_name)


def registered(root: Path) -> Mapping[str, Entry]:
    """The corpora of this machine by name, in alphabetical order. Raises ConfigError when the file does not parse."""
    file = _file(root)
    if not file.is_file():
        return {}
    places = load(_Places, file).corpora
    return {name: Entry(name, places[name].card, Path(places[name].path)) for name in sorted(places)}


def entry(root: Path, name: str) -> Entry:
    """The corpus `name` of this machine. Raises UnknownName."""
    known = registered(root)
    if name not in known:
        raise UnknownName("corpus", name, known, hint="(add it with 'workbench corpus add NAME PATH')")
    return known[name]


def recognise(path: Path) -> str | None:
    """The built-in card whose file names most of the sound under `path` bears; None when none does for half of it."""
    best = max(corpus_names(), key=lambda name: matching_share(load_card(name), path)[0])
    matching, found = matching_share(load_card(best), path)
    return best if matching and matching * 2 >= found else None


def add(root: Path, name: str, path: Path, card: str | None = None, *, replace: bool = False) -> Entry:
    """Remember that the corpus `name` lies at `path`. Without `card` it is the card called `name`, else recognised.

    Raises ConfigError, and nothing is changed, when the name is taken by a study or by another corpus (unless
    `replace`), when there is no such folder, and when the folder holds another corpus or none that is known; DataError
    when a file's emotion code is in no map of the card.
    """
    validate_name("corpus", name)
    path = path.expanduser().resolve()
    if not path.is_dir():
        kind = "a file" if path.is_file() else "not there"
        raise ConfigError(f"{path} is {kind}: give the folder that holds the corpus")
    if card is not None and card.endswith(".toml"):
        card = str(Path(card).expanduser().resolve())
    made = Entry(name, _card_for(name, path, card), path)
    if name in study_names(root):
        raise ConfigError(f"there is already a study '{name}': give the corpus another name")
    read_corpus(made.card(), path)
    known = dict(registered(root))
    taken = known.get(name)
    if taken is not None and taken != made and not replace:
        raise ConfigError(
            f"there is already a corpus '{name}' at {taken.path}: choose another name, or say --replace to move it"
        )
    known[name] = made
    write_text(_file(root), _toml(known[key] for key in sorted(known)))
    return made


def _card_for(name: str, path: Path, card: str | None) -> str:
    """The name of the card that `path` is read by; refuses a folder that is something else."""
    if not any(sound_files(path)):
        raise ConfigError(f"{path} holds no sound files: give the folder where the corpus was unpacked")
    found = recognise(path)
    wanted = card or (name if name in corpus_names() else found)
    if wanted is None:
        raise ConfigError(
            f"{path} holds no corpus that is known here ({', '.join(corpus_names())}): check the path, "
            "or describe the corpus in a TOML card of your own and name that with --card"
        )
    described = load_card(wanted)
    if wanted.endswith(".toml"):
        if not matching_share(described, path)[0]:
            raise ConfigError(f"no file under {path} is named as {wanted} says, such as {described.files.example}")
    elif found is None:
        raise ConfigError(
            f"{path} does not look like {described.title}: "
            f"too few of its files are named like {described.files.example}"
        )
    elif found != wanted:
        raise ConfigError(
            f"{path} holds {load_card(found).title}, not {described.title}: add it with "
            f"'workbench corpus add {found} PATH', or give the folder of {described.title}"
        )
    return wanted


def _file(root: Path) -> Path:
    return root / "data" / "corpora.toml"


def _toml(entries: Iterable[Entry]) -> str:
    lines = ["# Which corpus lies where on this machine; written by 'workbench corpus add'.\n"]
    for made in entries:
        values = {"card": made.card_name, "path": str(made.path)}
        lines.append(f"\n[corpora.{made.name}]\n")
        lines += [f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in values.items()]
    return "".join(lines)
