"""What is known of a published corpus, as one TOML card: licence, file names, label maps, counts."""

import re
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from string import Formatter
from typing import Annotated, Self

from pydantic import Field, model_validator

from pipelines.errors import ConfigError, UnknownName
from pipelines.schema import validate_name
from pipelines.toml_config import StrictModel, load
from pipelines.units import LabelName


class Files(StrictModel):
    """How a recording's path is read. `pattern` is a regular expression for the end of the path, with '/' between
    folders and named groups; `speaker` and `emotion` must be among them. `id` and `text` are templates over the groups.
    """

    pattern: str
    example: str
    id: str = "{stem}"
    text: str = ""

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """The pattern, made to match a whole path."""
        return re.compile(rf"(?:.*/)?{self.pattern}")

    @model_validator(mode="after")
    def _check(self) -> Self:
        try:
            groups = set(self.expression.groupindex)
        except re.error as error:
            raise ValueError(f"'pattern' is not a regular expression ({error})") from None
        if missing := {"speaker", "emotion"} - groups:
            raise ValueError(f"'pattern' needs a group named '{min(missing)}'")
        if not self.expression.fullmatch(self.example):
            raise ValueError("'pattern' does not match 'example'")
        for template in (self.id, self.text):
            named = {field for _, field, _, _ in Formatter().parse(template) if field is not None}
            if unknown := named - groups - {"stem"}:
                raise ValueError(f"'{template}' names '{min(unknown)}', which is no group of 'pattern'")
        return self


class Speakers(StrictModel):
    """Who speaks: the gender of each, and misspelt names with the right ones."""

    aliases: Mapping[str, str] = {}
    female: tuple[str, ...] = ()
    male: tuple[str, ...] = ()

    def gender(self, speaker: str) -> str:
        """female, male, or nothing where the card does not say."""
        return "female" if speaker in self.female else "male" if speaker in self.male else ""


class LabelMap(StrictModel):
    """Raw emotion codes onto one label scheme. A code that is neither mapped nor dropped is an error, not a loss."""

    labels: Mapping[str, LabelName]
    dropped: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if both := sorted(set(self.labels) & set(self.dropped)):
            raise ValueError(f"'{both[0]}' is both mapped and dropped")
        return self


class Expected(StrictModel):
    """What the whole corpus holds."""

    files: int
    emotions: Mapping[str, int] = {}


class Card(StrictModel):
    """One corpus. `adapter` names the code that reads its layout, for the few that file names do not tell."""

    schema_version: Annotated[int, Field(alias="schema")]
    name: str
    title: str
    long_title: str
    version: str
    licence: str
    citation: str
    url: str
    languages: tuple[str, ...]
    note: str = ""
    adapter: str = "by_file_name"
    files: Files
    maps: Mapping[str, Mapping[str, str]] = {}
    speakers: Speakers = Speakers()
    schemes: Mapping[str, LabelMap]
    expected: Expected

    @model_validator(mode="after")
    def _check(self) -> Self:
        listed = {scheme: {*map_.labels, *map_.dropped} for scheme, map_ in self.schemes.items()}
        for scheme, codes in listed.items():
            if missing := self.codes - codes:
                raise ValueError(f"schemes.{scheme} neither maps nor drops '{min(missing)}'")
        return self

    @property
    def codes(self) -> frozenset[str]:
        """Every emotion code that the corpus is known to use."""
        return frozenset(code for map_ in self.schemes.values() for code in (*map_.labels, *map_.dropped)).union(
            self.expected.emotions
        )

    def label_map(self, scheme: str) -> LabelMap:
        """The map onto `scheme`. Raises ConfigError where the card has none."""
        try:
            return self.schemes[scheme]
        except KeyError:
            raise ConfigError(
                f"corpus card '{self.name}' has no map onto the label scheme '{scheme}': add [schemes.{scheme}] to it"
            ) from None


def corpus_names() -> tuple[str, ...]:
    """Names of the corpora known here: one built-in card each."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in _built_in().iterdir() if entry.suffix == ".toml"))


def load_card(name: str) -> Card:
    """The card `name`, or the one in a TOML file of your own. Raises UnknownName, ConfigError."""
    if name.endswith(".toml"):
        return load(Card, Path(name))
    if name not in corpus_names():
        raise UnknownName("corpus card", name, corpus_names())
    card = load(Card, _built_in() / f"{validate_name('corpus card', name)}.toml")
    if card.name != name:
        raise ConfigError(f"{name}.toml: 'name' says '{card.name}'; it must be the file's name")
    return card


def _built_in() -> Path:
    return Path(str(files("pipelines.corpora"))) / "cards"
