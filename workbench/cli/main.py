"""The `workbench` command: every noun is one file and one line below."""

import json
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from pipelines import __version__
from pipelines.errors import Cancelled, PipelineError
from workbench.cli import (
    agreement,
    clips,
    compare,
    corpus,
    demo,
    doctor,
    ingest,
    jobs,
    labels,
    release,
    runs,
    serve,
    sources,
    study,
    takedown,
    train,
    user,
)
from workbench.cli.console import REFUSED, STOPPED, say, warn

#: Commands that stand alone, in the order that help shows them.
COMMANDS: Mapping[str, Callable[..., Any]] = {
    "demo": demo.demo,
    "doctor": doctor.doctor,
    "init": study.init,
    "ingest": ingest.ingest,
    "compare": compare.compare,
    "agreement": agreement.agreement,
    "recipes": train.recipes,
    "train": train.train,
    "serve": serve.serve,
    "takedown": takedown.takedown,
}

#: Nouns with verbs of their own.
GROUPS: Mapping[str, typer.Typer] = {
    "clips": clips.app,
    "corpus": corpus.app,
    "jobs": jobs.app,
    "labels": labels.app,
    "release": release.app,
    "runs": runs.app,
    "sources": sources.app,
    "user": user.app,
}


def _tell_version(asked: bool) -> None:
    if asked:
        say(f"workbench {__version__}")
        raise typer.Exit


def build() -> typer.Typer:
    """The whole command line as one typer application."""
    root = typer.Typer(
        name="workbench",
        help="Curate, label, measure and release emotion in drama speech, and train on it.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    root.callback()(_root)
    for name, command in COMMANDS.items():
        root.command(name)(command)
    for name, group in GROUPS.items():
        root.add_typer(group, name=name)
    return root


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code; an error is one sentence, never a traceback."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = build()(arguments, prog_name="workbench", standalone_mode=False)
    except typer.TyperException as error:
        code = _refuse(error.format_message(), arguments)
    except (Cancelled, KeyboardInterrupt, typer.Abort):
        warn("stopped; nothing half-made was left")
        code = STOPPED
    except PipelineError as error:
        code = _refuse(str(error), arguments)
    sys.exit(code if isinstance(code, int) else 0)


def _root(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_tell_version, help="Print it.")
    ] = False,
) -> None:
    """Curate, label, measure and release emotion in drama speech, and train on it."""


def _refuse(message: str, arguments: list[str]) -> int:
    warn(message)
    if "--json" in arguments:
        say(json.dumps({"ok": False, "error": message}, ensure_ascii=False))
    return REFUSED
