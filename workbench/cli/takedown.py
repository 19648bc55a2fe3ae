"""Withdrawing a source."""

import sys
from typing import Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, say, show


def takedown(
    source: Annotated[str, typer.Argument(help="Id of the source, or its address or file name in sources.csv.")],
    reason: Annotated[str, typer.Option(help="Why, in one line; it is kept in takedowns.csv.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw a source: its media, clips and features are removed for good, and it never comes back.

    Releases never change; 'workbench release verify' says which of their clips were withdrawn. A takedown that was
    interrupted is ended by the same command.

    Example: workbench takedown episode_3 --reason "the owner asked" --yes --study night
    """
    from pipelines.errors import ConfigError
    from pipelines.study import open_study
    from workbench.takedown import outlook, take_down

    opened = open_study(study)
    if not yes:
        ahead = outlook(opened, source)
        told = f"source '{ahead.source_id}' with {len(ahead.clips)} clips would be removed from study '{opened.name}'"
        if as_json or not sys.stdin.isatty():
            raise ConfigError(f"{told} for good: add --yes to do it")
        typer.confirm(f"{told[0].upper()}{told[1:]} for good. Go on?", abort=True, err=True)
    done = take_down(opened, source, reason)

    def people() -> None:
        told = "was taken down before; " if done.is_again else ""
        say(
            f"Source '{done.source_id}': {told}{len(done.clips)} clips withdrawn, {done.files} files and "
            f"{done.feature_rows} cached features removed."
        )
        for name, count in done.releases.items():
            say(f"Release '{name}' holds {count} of these clips and stays as it is; tell those who use it.")
        for path in done.kept_files:
            say(f"Your own file stays where it is: {path}")
        say(f"Entered in {opened.takedowns_csv}.")

    show({"ok": True, "study": opened.name, **done.document()}, as_json=as_json, people=people)
