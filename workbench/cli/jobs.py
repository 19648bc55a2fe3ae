"""Looking at long work and stopping it."""

from typing import Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, say, show

app = typer.Typer(rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def list_when_bare(context: typer.Context, study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Long work that the app or you started: see it, stop it.

    Example: workbench jobs --study night
    """
    if context.invoked_subcommand is None:
        list_jobs(study, as_json)


@app.command("list")
def list_jobs(study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Jobs of a study, newest first, with state and progress.

    Example: workbench jobs list --study night
    """
    from pipelines.study import open_study
    from workbench.jobs.jobs import jobs

    opened = open_study(study)
    found = jobs(opened)

    def people() -> None:
        if not found:
            say(f"No jobs in study '{opened.name}' yet: the Train page starts some.")
        for job in found:
            fraction = job.progress.fraction if job.progress else None
            share = "" if job.is_over or fraction is None else f" {fraction:.0%}"
            why = f": {job.message}" if job.state == "failed" and job.message else ""
            say(f"{job.job_id}  {job.state}{share}  {job.title}{why}")

    show({"ok": True, "jobs": [job.document() for job in found]}, as_json=as_json, people=people)


@app.command("cancel")
def cancel_job(
    job_id: Annotated[str, typer.Argument(help="As 'workbench jobs list' shows it.")],
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a job to stop; nothing half-made is left.

    Example: workbench jobs cancel 20260504-101500-3f2a
    """
    from pipelines.study import open_study
    from workbench.jobs.jobs import cancel, open_job

    job = open_job(open_study(study), job_id)
    after = cancel(job)
    said = f"already {job.state}" if job.is_over else "told to stop"
    show({"ok": True, "job": after.document()}, as_json=as_json, people=lambda: say(f"{job_id}: {said}"))
