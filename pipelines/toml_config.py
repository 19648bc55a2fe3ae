"""TOML configuration read into typed, frozen values; a misspelt key is an error that suggests the nearest one."""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from pipelines.errors import ConfigError


class StrictModel(BaseModel):
    """Base of all models for external data: frozen, and unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False, ser_json_inf_nan="null")


Model = TypeVar("Model", bound=StrictModel)


def read_toml(path: Path) -> dict[str, Any]:
    """The document in `path`. Raises ConfigError with the line when it is not TOML, or when there is no such file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path.name}: there is no such file in {path.parent}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name}: not valid TOML ({error})") from None


def parse(model: type[Model], document: dict[str, Any], where: str) -> Model:
    """`document` as a `model`. Raises ConfigError that names the key, what was given and what was expected."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise ConfigError("; ".join(_sentence(model, dict(e), where) for e in error.errors()[:3])) from None


def load(model: type[Model], path: Path) -> Model:
    """`read_toml` then `parse`."""
    return parse(model, read_toml(path), path.name)


def _sentence(model: type[BaseModel], error: dict[str, Any], where: str) -> str:
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] != "extra_forbidden":
        given = repr(error.get("input"))
        return f"{where}: '{key}': {error['msg'].removeprefix('Value error, ')} (given: {given[:80]})"
    known = _known_fields(model, error["loc"][:-1])
    near = get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}" if known else ""
    return f"{where}: unknown key '{key}'{hint}"


def _known_fields(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    current: type[BaseModel] | None = model
    for part in path:
        if current is None or isinstance(part, int) or part not in current.model_fields:
            continue
        current = _nested_model(current.model_fields[part].annotation)
    return sorted(field.alias or name for name, field in current.model_fields.items()) if current else []


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _nested_model(inner)
        if found is not None:
            return found
    return None
