"""Recipes: data view, features, augmentation, split, model and training as one TOML file each, with strict keys.

Names in a recipe (an extractor, a copy, a split rule, a model) are promises kept by registries; `pipelines.training`
looks them up and checks the settings that belong to them before anything is computed.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from pipelines.errors import ConfigError, UnknownName
from pipelines.recipes.audio_settings import AudioSettings
from pipelines.recipes.training_settings import TrainingSettings
from pipelines.toml_config import StrictModel, parse, read_toml
from pipelines.units import LabelName

Form = Literal["corrected", "as_published"]
Settings = Mapping[str, Any]
Share = Annotated[float, Field(ge=0, le=1)]


class DataSettings(StrictModel):
    """Which labels are learnt: a view of the scheme (the scheme itself or a collapse), and what is left out."""

    scheme: str = "five"
    view: str = "five"
    leave_out: tuple[LabelName, ...] = ()
    min_clips_per_label: Annotated[int, Field(ge=2)] = 3


class FeatureSettings(StrictModel):
    """Which numbers a clip becomes. A standard scaler is fitted on training rows only."""

    extractor: str
    settings: Settings = {}
    scaling: Literal["standard", "none"] = "standard"


class AugmentationSettings(StrictModel):
    """Copies made of each clip; a copy is a chain of methods, such as "stretch+pitch".

    `apply_to` "train" leaves copies of validation and test clips out; "all" keeps them on every side, as papers did.
    `settings` holds the values of methods by name; what is not named keeps the method's default.
    """

    copies: tuple[str, ...] = ()
    apply_to: Literal["train", "all"] = "train"
    seed: Annotated[int, Field(ge=0)] = 0
    settings: Mapping[str, Settings] = {}


class SplitSettings(StrictModel):
    """A named rule of `pipelines.training.splits` with its settings."""

    rule: str
    seed: Annotated[int, Field(ge=0)] = 0
    settings: Settings = {}


class ModelSettings(StrictModel):
    """A named model of `pipelines.training.models.registry` with its settings."""

    name: str
    settings: Settings = {}


class PublishedClass(StrictModel):
    """One row of a printed per-class table."""

    label: LabelName
    precision: Share
    recall: Share
    f1: Share


class Published(StrictModel):
    """What the paper reported, to stand beside our numbers; `note` says what it left unstated."""

    source: str
    table: str = ""
    accuracy: Share | None = None
    classes: tuple[PublishedClass, ...] = ()
    note: str = ""


class Example(StrictModel):
    """Something the recipe must give, run by the test suite.

    Either `parameters` of the model for `labels` outputs, or `rows` per part for equal groups, and whether clips leak.
    """

    about: str
    labels: int = 0
    parameters: int | None = None
    groups: int = 0
    clips_per_group: int = 0
    rows: Mapping[str, int] = {}
    leaks: bool | None = None


class Recipe(StrictModel):
    """One TOML file: everything from labelled clips to numbers.

    In words: `flaws` that are on, `corrections` that were made, and what the paper left `unstated` and is our choice.
    """

    schema_version: Annotated[int, Field(alias="schema")] = 1
    name: str
    title: str
    system: str
    form: Form
    description: str = ""
    flaws: tuple[str, ...] = ()
    corrections: tuple[str, ...] = ()
    unstated: tuple[str, ...] = ()
    data: DataSettings = DataSettings()
    audio: AudioSettings = AudioSettings()
    features: FeatureSettings
    augmentation: AugmentationSettings = AugmentationSettings()
    split: SplitSettings
    model: ModelSettings
    training: TrainingSettings = TrainingSettings()
    published: Published | None = None
    example: tuple[Example, ...] = ()

    def document(self) -> dict[str, Any]:
        """The recipe as plain values, TOML keys."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def to_toml(self) -> str:
        """The recipe as TOML that `parse` reads back into an equal value."""
        return to_toml(self.document())


def recipe_names(folder: Path | None = None) -> tuple[str, ...]:
    """Names of the built-in recipes and of those in `folder` (a study's own), sorted."""
    return tuple(sorted({entry.stem for place in _places(folder) for entry in place.glob("*.toml")}))


def load_recipe(name: str, overrides: Sequence[str] = (), folder: Path | None = None) -> Recipe:
    """The recipe `name`, from `folder` first, else built in, with `key=value` overrides such as `training.epochs=5`.

    Raises UnknownName, and ConfigError for a key that is not there (naming the nearest) or a value that will not do.
    """
    for place in _places(folder):
        path = place / f"{name}.toml"
        if path.is_file():
            document = read_toml(path)
            recipe = parse(Recipe, document, path.name)
            if recipe.name != name:
                raise ConfigError(f"{path.name}: 'name' says '{recipe.name}'; it must be the file's name")
            if overrides:
                for override in overrides:
                    _override(document, override)
                recipe = parse(Recipe, document, f"{name} with --set")
            return recipe
    raise UnknownName("recipe", name, recipe_names(folder))


def to_toml(document: Mapping[str, Any]) -> str:
    """A nested mapping of scalars, lists, tables and lists of tables as TOML text."""
    return "\n".join(_toml_lines(document, ())).strip() + "\n"


def _places(folder: Path | None) -> tuple[Path, ...]:
    built_in = Path(str(files("pipelines"))) / "recipes"
    return (built_in,) if folder is None else (folder, built_in)


#: Tables whose keys belong to the method, rule or model named beside them; that one checks them.
_OPEN = ("features.settings.", "augmentation.settings.", "split.settings.", "model.settings.")


def _override(document: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ConfigError(f"--set '{override}': expected key=value, such as training.epochs=5")
    *path, last = _full_key(key, override).split(".")
    table = document
    for part in path:
        table = table.setdefault(part, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set '{override}': '{part}' holds a value, not settings of its own")
    table[last] = _value(text.strip())


def _full_key(key: str, override: str) -> str:
    """`key` if it is one; the only key that ends in `.key`; what an open table holds is left to its owner."""
    known = _keys(Recipe)
    if key in known or key.startswith(_OPEN):
        return key
    by_leaf: dict[str, list[str]] = {}
    for full in known:
        by_leaf.setdefault(full.rpartition(".")[2], []).append(full)
    if len(by_leaf.get(key, ())) == 1:
        return by_leaf[key][0]
    near = get_close_matches(key, known, n=1, cutoff=0.6)
    if not near:
        near = [full for leaf in get_close_matches(key, by_leaf, n=1, cutoff=0.6) for full in by_leaf[leaf]]
    tail = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}"
    raise ConfigError(f"--set '{override}': there is no setting '{key}'{tail}")


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


#: What names or describes a recipe cannot be set from outside.
_FIXED = frozenset(Recipe.model_fields) - {"data", "audio", "features", "augmentation", "split", "model", "training"}


def _keys(model: type[StrictModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        inner = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, StrictModel)), None)
        if inner is not None and not (prefix == "" and name in _FIXED):
            keys += _keys(inner, f"{prefix}{name}.")
        elif prefix or name not in _FIXED:
            keys.append(prefix + name)
    return keys


def _toml_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{key} = {_toml_value(value)}" for key, value in table.items() if not _is_table(value)]
    if path and (lines or not table):
        lines.insert(0, f"\n[{'.'.join(path)}]")
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _toml_lines(value, (*path, key))
        elif _is_table(value):
            for row in value:
                lines += [f"\n[[{'.'.join((*path, key))}]]", *(f"{k} = {_toml_value(v)}" for k, v in row.items())]
    return lines


def _is_table(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    return isinstance(value, list | tuple) and bool(value) and all(isinstance(row, Mapping) for row in value)


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False)
