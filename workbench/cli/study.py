"""Making a study."""

from typing import Annotated

import typer

from workbench.cli.console import JsonOption, say, show


def init(
    name: Annotated[str, typer.Argument(help="Lower-case letters, digits, - and _.")],
    rights_basis: Annotated[str, typer.Option(help="On what ground the recordings may be used, in your words.")] = "",
    scheme: Annotated[str, typer.Option(help="Label scheme.")] = "five",
    as_json: JsonOption = False,
) -> None:
    """Make a new study: its shareable folder and its private one.

    Example: workbench init night --rights-basis "public domain (US)"
    """
    from pipelines.corpora import registered
    from pipelines.errors import ConfigError
    from pipelines.study import create_study, project_root

    if name in registered(project_root()):
        raise ConfigError(f"there is already a corpus '{name}' here: give the study another name")
    made = create_study(name, rights_basis=rights_basis, scheme=scheme)
    document = {"ok": True, "study": name, "manifests": str(made.manifests), "private": str(made.private)}

    def people() -> None:
        say(f"Made study '{name}': settings in {made.settings_file}, private data in {made.private}.")
        if not rights_basis:
            say("Say in its study.toml on what ground the recordings may be used (rights_basis) before you ingest.")
        say(f"Next: workbench ingest FILE_OR_URL --study {name}")

    show(document, as_json=as_json, people=people)
