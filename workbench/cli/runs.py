"""Looking at what training gave."""

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, say, show
from workbench.cli.train import runs_and_cache, say_run

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What training gave.")


@app.command("list")
def list_runs(study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Runs of a study, or of corpora alone, oldest first.

    Example: workbench runs list --study night
    """
    from pipelines.training import runs
    from pipelines.training.evaluation.report import percent

    found = [run for folder in _folders(study) for run in runs(folder)]
    document = {
        "ok": True,
        "runs": [
            {
                "run_id": run.run_id,
                "recipe": run.recipe,
                "form": run.facts["recipe"]["form"],
                "data": run.facts["data"]["name"],
                "created": run.facts["created"],
                "seeds": run.facts["seeds"],
                "accuracy": run.metrics["accuracy"],
                "macro_f1": run.metrics["macro_f1"],
                "leak": run.leak["found"],
                "folder": str(run.folder),
            }
            for run in found
        ],
    }

    def people() -> None:
        if not found:
            say("No runs yet: train with 'workbench train soap_five'.")
        for run in found:
            leak = "  LEAK" if run.leak["found"] else ""
            say(f"{run.run_id}  {run.facts['data']['name']}  {percent(run.metrics['accuracy'])}{leak}")

    show(document, as_json=as_json, people=people)


@app.command("show")
def show_run(
    run_id: Annotated[str, typer.Argument(help="As 'workbench runs list' shows it.")],
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """One run: the leak verdict, the accuracy with its interval, the per-class table.

    Example: workbench runs show soap_five-20260504-101500-3f2a
    """
    from pipelines.errors import UnknownName
    from pipelines.training import open_run, run_ids

    folder_of = {known: folder for folder in _folders(study) for known in run_ids(folder)}
    if run_id not in folder_of:
        raise UnknownName("run", run_id, folder_of, hint="(see 'workbench runs list')")
    run = open_run(folder_of[run_id] / run_id)
    run.verify()
    show({"ok": True, "folder": str(run.folder), **run.facts}, as_json=as_json, people=lambda: say_run(run))


def _folders(study: str | None) -> list[Path]:
    """Where runs may lie: the study's folder if there is a study, and the one for corpora alone."""
    from pipelines.study import open_study, project_root, study_names

    root = project_root()
    apart = runs_and_cache(None, root)[0]
    if study is None and not study_names(root):
        return [apart]
    return [open_study(study).runs, apart]
