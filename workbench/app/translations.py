"""The words on the screens, by language. They live in locale/*.toml so that a native reader can change them there."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from pipelines.errors import UnknownName

#: Languages of the screens, in the order in which they are offered, each by its own name.
LANGUAGES: Mapping[str, str] = {"en": "English", "zh-Hant": "繁體中文"}
DEFAULT_LANGUAGE = "en"


class Catalogue:
    """Texts of one language by dotted key, such as `label.saved`."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def __call__(self, key: str, **values: object) -> str:
        """The text under `key` with `{name}` filled in. Raises UnknownName."""
        try:
            text = self._texts[key]
        except KeyError:
            raise UnknownName("text", key, self._texts) from None
        return text.format(**values) if values else text

    def section(self, name: str) -> dict[str, str]:
        """All texts under `name.`, without that beginning."""
        return {key.removeprefix(f"{name}."): text for key, text in self._texts.items() if key.startswith(f"{name}.")}

    def __contains__(self, key: object) -> bool:
        return key in self._texts

    def keys(self) -> frozenset[str]:
        """All keys."""
        return frozenset(self._texts)


@cache
def catalogue(language: str) -> Catalogue:
    """The texts of `language`; of English where that language has no file."""
    known = language if language in LANGUAGES else DEFAULT_LANGUAGE
    text = files("workbench.app").joinpath("locale", f"{known}.toml").read_text(encoding="utf-8")
    return Catalogue(known, dict(_flatten("", tomllib.loads(text))))


def nearest_language(wanted: str) -> str:
    """Of a browser's Accept-Language (or a tag such as zh-TW), the language of ours that comes nearest."""
    for part in wanted.split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh-Hant"
        if tag.startswith("en"):
            return "en"
    return DEFAULT_LANGUAGE


def _flatten(prefix: str, table: Mapping[str, object]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            found += _flatten(f"{prefix}{key}.", value)
        else:
            found.append((f"{prefix}{key}", str(value)))
    return found
