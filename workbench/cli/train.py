"""Recipes, and training by one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, reporter, say, show, warn

if TYPE_CHECKING:
    from pipelines.schema import LabelledClips
    from pipelines.schemes import LabelScheme
    from pipelines.study import Study
    from pipelines.training import Plan, Run


def recipes(study: StudyOption = None, as_json: JsonOption = False) -> None:
    """What can be trained: every recipe with its form and the number its paper printed.

    Example: workbench recipes
    """
    from pipelines.recipes.recipe import load_recipe, recipe_names

    own = None if study is None else _opened(study).manifests / "recipes"
    found = [load_recipe(name, folder=own) for name in recipe_names(own)]
    document = {
        "ok": True,
        "recipes": [
            {
                "name": recipe.name,
                "title": recipe.title,
                "system": recipe.system,
                "form": recipe.form,
                "view": recipe.data.view,
                "published_accuracy": recipe.published.accuracy if recipe.published else None,
            }
            for recipe in found
        ],
    }

    def people() -> None:
        for recipe in found:
            printed = recipe.published.accuracy if recipe.published else None
            paper = f" (published accuracy {100 * printed:.1f} %)" if printed is not None else ""
            say(f"{recipe.name}: {recipe.title}{paper}")

    show(document, as_json=as_json, people=people)


def train(
    recipe: Annotated[str, typer.Argument(help="A name that 'workbench recipes' shows.")],
    release: Annotated[
        str | None, typer.Option(help="Train on this release; without it, on the current labels.")
    ] = None,
    corpus: Annotated[str | None, typer.Option(help="Train on acted corpora instead, joined by +.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="How many seeds; the split stays the same.")] = 1,
    settings: Annotated[list[str] | None, typer.Option("--set", help="Change a setting: key=value.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show parts and the leak verdict; train nothing.")] = False,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train a recipe and store the run: curves, confusion, per-class table, human ceiling, leak verdict.

    Example: workbench train soap_five --release r1 --seeds 3 --set training.epochs=30
    """
    from pipelines.errors import ConfigError
    from pipelines.study import project_root
    from pipelines.training import make_plan
    from pipelines.training import train as run_recipe
    from workbench.releases.training_data import Choice, bound

    if release is not None and corpus is not None:
        raise ConfigError("give --release or --corpus, not both")
    choice = Choice("now")
    if release is not None:
        choice = Choice("release", (release,))
    elif corpus is not None:
        choice = Choice("corpora", tuple(name.strip() for name in corpus.split("+")))
    home = _home(study, may_be_none=choice.kind == "corpora")
    root = home.root if home else project_root()
    chosen, data, scheme = bound(root, home, choice, recipe, settings or ())
    if dry_run:
        plan = make_plan(chosen, data, scheme)
        show({"ok": True, "dry_run": True, **plan.document()}, as_json=as_json, people=lambda: _say_plan(plan))
        return
    out, cache = runs_and_cache(home, root)
    seed = chosen.training.seed
    with reporter() as report:
        run = run_recipe(
            chosen,
            data,
            out=out,
            cache=cache,
            seeds=range(seed, seed + seeds),
            report=report,
            against=None if choice.kind == "corpora" else acted_corpus(root, scheme),
            scheme=scheme,
        )
    show({"ok": True, "folder": str(run.folder), **run.facts}, as_json=as_json, people=lambda: say_run(run))


def runs_and_cache(home: "Study | None", root: Path) -> tuple[Path, Path]:
    """Where runs and features lie: in the study, or beside the studies for runs on corpora alone."""
    if home is not None:
        return home.runs, home.cache / "features"
    return root / "data" / "_corpora" / "runs", root / "data" / "_corpora" / "cache"


def say_run(run: "Run") -> None:
    """A run for people: verdict, one sentence, the per-class table, where it lies."""
    from pipelines.training.evaluation.report import class_table, headline

    say(f"{run.run_id}")
    say(run.leak["sentence"])
    say(headline(run.facts))
    say()
    for line in class_table(run.facts):
        if not line.startswith("|---"):
            say(line)
    for note in run.facts["notes"]:
        say(f"Note: {note}.")
    say(f"Report, figures, predictions and model: {run.folder}")


def _say_plan(plan: "Plan") -> None:
    document = plan.document()
    data, word = document["data"], document["data"]["group_word"]
    say(f"{document['recipe']} on {data['name']}: {data['clips']} clips of {data['groups']} {word}s")
    for part, held in document["split"]["parts"].items():
        counts = ", ".join(f"{label} {count}" for label, count in held["labels"].items())
        say(f"{part}: {held['rows']} rows, {held['clips']} clips, {len(held['groups'])} {word}s ({counts})")
    say(document["leak"]["sentence"])
    for note in document["notes"]:
        say(f"Note: {note}.")
    say(f"Nothing was trained. At most {document['epochs_at_most']} epochs would run.")


def _opened(study: str | None) -> "Study":
    from pipelines.study import open_study

    return open_study(study)


def _home(study: str | None, *, may_be_none: bool) -> "Study | None":
    from pipelines.study import project_root, study_names

    if study is None and may_be_none and len(study_names(project_root())) != 1:
        return None
    return _opened(study)


def acted_corpus(root: Path, scheme: "LabelScheme") -> "LabelledClips | None":
    """The acted corpus that spectrograms are drawn beside: TESS where this machine has it, else the first by name."""
    from pipelines.corpora import labelled_clips, registered
    from pipelines.errors import ConfigError, DataError

    known = registered(root)
    names = sorted(known, key=lambda name: (known[name].card_name != "tess", name))
    for name in names[:1]:
        try:
            return labelled_clips(root, name, scheme)
        except (ConfigError, DataError) as error:
            warn(f"no spectrograms beside '{name}': {error}")
    return None
