"""Labels in and out of a study."""

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, reporter, say, show

app = typer.Typer(help="Bring labels in, take them out, simulate some.", no_args_is_help=True, rich_markup_mode=None)


@app.command("import")
def import_table(
    file: Annotated[
        Path, typer.Argument(help="CSV: clip_id, rater, label; if known kind, pass, time, flags, confidence, note.")
    ],
    kind: Annotated[
        str | None,
        typer.Option(
            help="What new raters are where the table does not say: person, machine or reference. Person unless given."
        ),
    ] = None,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import answers from a table. Answers already stored are not added again.

    Example: workbench labels import answers.csv --study night
    """
    from pipelines.errors import UnknownName
    from pipelines.study import open_study
    from workbench.labels.importer import import_labels
    from workbench.store import open_store
    from workbench.store.values import RATER_KINDS

    chosen = next((each for each in RATER_KINDS if each == kind), None)
    if kind is not None and chosen is None:
        raise UnknownName("kind of rater", kind, RATER_KINDS)
    opened = open_study(study)
    with reporter() as report, open_store(opened) as store:
        done = import_labels(opened, store, file, kind=chosen, report=report)

    def people() -> None:
        say(f"{done.added} answers of {len(done.raters)} raters added to study '{opened.name}'.")
        if done.already_there:
            say(f"{done.already_there} were there already.")
        if done.older:
            say(f"{done.older} were left out: the same rater answered differently later.")

    show({"ok": True, "study": opened.name, **done.document()}, as_json=as_json, people=people)


@app.command("export")
def export_table(
    out: Annotated[Path | None, typer.Option(help="A CSV file; standard output when left out.")] = None,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """The answers that stand, one row each, with rater ids and notes: private.

    Example: workbench labels export --out answers.csv --study night
    """
    from pipelines.atomic_write import write_text
    from pipelines.study import open_study
    from workbench.labels.annotation_table import COLUMNS, to_csv
    from workbench.store import open_store

    opened = open_study(study)
    with open_store(opened) as store:
        standing = store.standing()
    text = to_csv(standing)
    if out is not None:
        write_text(out, text)
    document = {"ok": True, "study": opened.name, "rows": len(standing), "file": None if out is None else str(out)}

    def people() -> None:
        if out is None:
            say(text.rstrip("\n"))
        else:
            say(f"{len(standing)} answers of study '{opened.name}' in {out}.")

    if as_json and out is None:
        import csv
        import io

        document["columns"] = list(COLUMNS)
        document["annotations"] = list(csv.DictReader(io.StringIO(text)))
    show(document, as_json=as_json, people=people)


@app.command("simulate")
def simulate_raters(
    truth: Annotated[
        Path | None, typer.Option(help="CSV with clip_id and the true label of each clip. Drawn at random if omitted.")
    ] = None,
    errors: Annotated[str, typer.Option(help="Error rate of each simulated rater, comma-separated.")] = "",
    seed: Annotated[int, typer.Option(help="Fixes what is drawn.")] = 1,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let simulated raters answer every clip, for a trial run. They are called simulated everywhere.

    Example: workbench labels simulate --errors 0.1,0.2,0.3 --study night
    """
    from pipelines.errors import ConfigError
    from pipelines.manifest import read_table
    from pipelines.study import open_study
    from workbench.labels.simulated_raters import ERROR_RATES, simulate

    opened = open_study(study)
    try:
        rates = tuple(float(part) for part in errors.split(",")) if errors else ERROR_RATES
    except ValueError:
        raise ConfigError(f"--errors '{errors}': expected numbers from 0 to 1, such as 0.1,0.2,0.3") from None
    known = None
    if truth is not None:
        known = {
            row["clip_id"]: row["label"] for row in read_table(truth, required=("clip_id", "label")) if row["label"]
        }
    made = simulate(opened, truth=known, seed=seed, error_rates=rates)

    def people() -> None:
        told = ", ".join(
            f"{name} ({rate:.0%} errors)" for name, rate in zip(made.raters, made.error_rates, strict=True)
        )
        say(f"{made.added} simulated answers added: {told}.")
        if not made.truth_known:
            say("What each clip is was drawn at random: these answers agree with each other, not with the sound.")

    show(
        {
            "ok": True,
            "study": opened.name,
            "simulated": True,
            "raters": list(made.raters),
            "error_rates": list(made.error_rates),
            "annotations": made.annotations,
            "added": made.added,
            "truth_known": made.truth_known,
        },
        as_json=as_json,
        people=people,
    )
