"""Published corpora on this machine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from workbench.cli.console import JsonOption, say, show

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Published corpora on this machine.")

SchemeOption = Annotated[str, typer.Option(help="Label scheme that emotions are mapped onto.")]


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What to call it here; a known corpus's name says which one it is.")],
    path: Annotated[Path, typer.Argument(help="The folder where it was unpacked. Nothing is copied.")],
    card: Annotated[str | None, typer.Option(help="Which corpus it is, or a TOML card of your own.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="The corpus has moved: forget its old place.")] = False,
    scheme: SchemeOption = "five",
    as_json: JsonOption = False,
) -> None:
    """Tell the workbench where a corpus lies.

    Example: workbench corpus add tess ~/corpora/TESS
    """
    from pipelines import corpora
    from pipelines.schemes import load_scheme
    from pipelines.study import project_root

    root = project_root()
    made = corpora.add(root, name, path, card, replace=replace)
    facts = corpora.describe(root, made.name, load_scheme(scheme))

    def people() -> None:
        say(f"Added corpus '{name}'.")
        _say_facts(facts)
        say(f"Next: workbench compare STUDY {name}")

    show({"ok": True, **facts}, as_json=as_json, people=people)


@app.command("list")
def list_corpora(as_json: JsonOption = False) -> None:
    """List the corpora of this machine, and those that could be added.

    Example: workbench corpus list
    """
    from pipelines import corpora
    from pipelines.study import project_root

    here = corpora.registered(project_root())
    rows = [
        {"name": place.name, "card": place.card_name, "path": str(place.path), "there": place.path.is_dir()}
        for place in here.values()
    ]
    known = corpora.corpus_names()

    def people() -> None:
        for row in rows:
            say(f"{row['name']:<16} {row['card']:<10} {row['path']}{'' if row['there'] else '  (no longer there)'}")
        if not rows:
            say("No corpus was added yet: workbench corpus add NAME PATH")
        say(f"Known corpora: {', '.join(known)}")

    show({"corpora": rows, "known": list(known)}, as_json=as_json, people=people)


@app.command("describe")
def describe(
    name: Annotated[str, typer.Argument(help="A corpus of this machine.")],
    scheme: SchemeOption = "five",
    as_json: JsonOption = False,
) -> None:
    """Count what a corpus holds here, beside what it should hold, with its licence and citation.

    Example: workbench corpus describe tess
    """
    from pipelines import corpora
    from pipelines.schemes import load_scheme
    from pipelines.study import project_root

    facts = corpora.describe(project_root(), name, load_scheme(scheme))
    show(facts, as_json=as_json, people=lambda: _say_facts(facts))


@app.command("download")
def download(name: Annotated[str, typer.Argument(help="A known corpus.")]) -> None:
    """Say where a corpus is to be had: this version does not fetch corpora itself.

    Example: workbench corpus download tess
    """
    from pipelines.corpora import load_card
    from pipelines.errors import ConfigError

    card = load_card(name)
    raise ConfigError(
        f"{card.title} is not fetched by this version: get it from {card.url} (licence {card.licence}), "
        f"then say 'workbench corpus add {name} PATH'"
    )


def _say_facts(facts: Mapping[str, Any]) -> None:
    say(f"{facts['title']}, version {facts['version']}, licence {facts['licence']}")
    say(f"At {facts['path']}")
    whole = "all of it" if facts["complete"] else f"of {facts['expected_files']:,} in the whole corpus"
    say(f"{facts['files']:,} recordings, {whole}; {60 * facts['hours']:.0f} minutes; {len(facts['speakers'])} speakers")
    say("Labels:  " + ", ".join(f"{label} {n}" for label, n in facts["labels"].items()))
    if facts["dropped"]:
        say(f"Left out of '{facts['scheme']}': " + ", ".join(f"{code} {n}" for code, n in facts["dropped"].items()))
    for row in facts["skipped"]:
        say(f"Not read: {row['files']} files, {row['reason']} (such as {row['examples'][0]})")
    if facts["note"]:
        say(f"Note: {facts['note']}")
    say(f"Cite: {facts['citation']}")
