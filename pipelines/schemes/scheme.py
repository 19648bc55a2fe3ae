"""What may be answered to a clip, read from TOML."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from pipelines.errors import ConfigError, UnknownName
from pipelines.toml_config import StrictModel, load
from pipelines.units import LabelName

Texts = Mapping[str, str]


#: Keys that the labelling page has for itself; c and r are Streamlit's.
PAGE_KEYS = frozenset({" ", "backspace", ",", "e", "?", "enter", "escape", "tab", "c", "r"})


class Label(StrictModel):
    """One emotion: its keys, colour, sign for those who cannot use colour, names and definition by language."""

    name: LabelName
    keys: tuple[str, ...]
    colour: str
    sign: str = ""
    text: Texts
    definition: Texts = {}


class Flag(StrictModel):
    """Something said about a clip that is no emotion. `answers`: pressing it ends the clip, else it toggles.

    `unplayable`: it is also what one says of a clip that cannot be played.
    """

    name: str
    keys: tuple[str, ...]
    answers: bool
    unplayable: bool = False
    colour: str
    text: Texts
    definition: Texts = {}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.unplayable and not self.answers:
            raise ValueError(f"flag '{self.name}' is 'unplayable', so it must be one that 'answers'")
        return self


class CollapsedLabel(StrictModel):
    """A coarse label and the labels it stands for."""

    name: LabelName
    members: tuple[LabelName, ...]
    colour: str
    sign: str = ""
    text: Texts


class Collapse(StrictModel):
    """A coarser view of a scheme, such as `binary`."""

    name: str
    labels: tuple[CollapsedLabel, ...]


class LabelScheme(StrictModel):
    """Labels in their fixed order, flags, and collapses."""

    schema_version: Annotated[int, Field(alias="schema")] = 1
    name: str
    version: str
    labels: tuple[Label, ...]
    flags: tuple[Flag, ...] = ()
    collapses: tuple[Collapse, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        keys = [key for label in self.labels for key in label.keys] + [key for flag in self.flags for key in flag.keys]
        keys = [key.casefold() for key in keys]
        doubled = sorted({key for key in keys if keys.count(key) > 1})
        if doubled:
            raise ValueError(f"key '{doubled[0]}' is given twice")
        reserved = sorted(PAGE_KEYS & set(keys))
        if reserved:
            raise ValueError(f"key '{reserved[0]}' is taken by the page itself")
        for collapse in self.collapses:
            members = [member for label in collapse.labels for member in label.members]
            if sorted(members) != sorted(self.label_names):
                raise ValueError(f"collapse '{collapse.name}' must place each label exactly once")
        return self

    @property
    def label_names(self) -> tuple[LabelName, ...]:
        """Label names in scheme order."""
        return tuple(label.name for label in self.labels)

    @property
    def flag_names(self) -> tuple[str, ...]:
        """Flag names in scheme order."""
        return tuple(flag.name for flag in self.flags)

    @property
    def views(self) -> tuple[str, ...]:
        """The scheme itself and its collapses: the values that `--scheme` takes."""
        return (self.name, *(collapse.name for collapse in self.collapses))

    def view_labels(self, view: str) -> tuple[LabelName, ...]:
        """Label names of the scheme or of one of its collapses, in order. Raises UnknownName."""
        return tuple(label.name for label in self.view_entries(view))

    def view_entries(self, view: str) -> tuple[Label, ...] | tuple[CollapsedLabel, ...]:
        """The labels with colour and text of the scheme or of one of its collapses. Raises UnknownName."""
        if view == self.name:
            return self.labels
        for collapse in self.collapses:
            if collapse.name == view:
                return collapse.labels
        raise UnknownName("scheme", view, self.views)

    @property
    def marks(self) -> dict[LabelName, tuple[str, str]]:
        """Colour and sign by label; those of the scheme itself stand before those of a collapse of the same name."""
        entries = [entry for view in reversed(self.views) for entry in self.view_entries(view)]
        return {entry.name: (entry.colour, entry.sign) for entry in entries}

    def mapping(self, view: str) -> dict[LabelName, LabelName]:
        """label → label in `view`; the identity for the scheme itself. Raises UnknownName."""
        if view == self.name:
            return {name: name for name in self.label_names}
        return {
            member: label.name
            for label in self.view_entries(view)
            if isinstance(label, CollapsedLabel)
            for member in label.members
        }


def scheme_names() -> tuple[str, ...]:
    """Names of the built-in schemes."""
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in _built_in().iterdir() if entry.suffix == ".toml"))


def load_scheme(name: str, folder: Path | None = None) -> LabelScheme:
    """The scheme `name`: from `folder` (a study's own) first, else built in. Raises UnknownName, ConfigError."""
    for place in (folder, _built_in()):
        if place is not None and (place / f"{name}.toml").is_file():
            scheme = load(LabelScheme, place / f"{name}.toml")
            if scheme.name != name:
                raise ConfigError(f"{name}.toml: 'name' says '{scheme.name}'; it must be the file's name")
            return scheme
    raise UnknownName("scheme", name, scheme_names())


def _built_in() -> Path:
    return Path(str(files("pipelines.schemes")))
