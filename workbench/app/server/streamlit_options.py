"""How Streamlit is set up, wherever it is started from: one table that travels inside the package."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

FILE = "streamlit_options.toml"


def streamlit_options(changes: Mapping[str, Any] = {}) -> dict[str, Any]:
    """The options by dotted name, such as `server.port`; `changes` win."""
    table = tomllib.loads(files("workbench.app.server").joinpath(FILE).read_text(encoding="utf-8"))
    return {**_flat("", table), **changes}


def _flat(prefix: str, table: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found.update(_flat(f"{prefix}{key}.", value))
        else:
            found[f"{prefix}{key}"] = value
    return found
