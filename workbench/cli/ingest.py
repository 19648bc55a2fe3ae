"""From recordings to clips."""

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, leave, reporter, say, show


def ingest(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, http(s) addresses, or a sources.csv; none: the study's own sources.csv."),
    ] = None,
    study: StudyOption = None,
    rights_basis: Annotated[str, typer.Option(help="Legal basis for using these recordings, in your words.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done; do nothing.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Recordings analysed at once; by default one per core.")] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Retry permanent failures and deferred recordings too.")
    ] = False,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Keep the audio before the damage in a damaged or truncated recording.")
    ] = False,
    scheduler: Annotated[
        str, typer.Option(metavar="tcp://HOST:PORT", help="A Dask cluster whose workers analyse: docs/recordings.md.")
    ] = "",
    within: Annotated[
        list[Path] | None, typer.Option(hidden=True, help="Take files only out of this folder: what pages ask for.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Cut recordings into clips of speech. Finished work is not repeated.

    Example: workbench ingest episodes/ https://example.org/play.mp4 --rights-basis "public domain (US)"
    """
    from pipelines import study as studies
    from pipelines.ingest.run import run
    from workbench.app.formatting import amount, duration, size
    from workbench.cli.console import aside
    from workbench.curation import picks
    from workbench.labels.answered_clips import answered_in, leaving_words
    from workbench.status import ingest_status

    opened = studies.open_study(study)
    ingest_status.check_length(opened)
    if not dry_run:
        picks.make_good(opened)
    with reporter() as report:
        done = run.ingest(
            opened,
            tuple(inputs or ()),
            rights_basis=rights_basis,
            report=report,
            dry_run=dry_run,
            jobs=jobs,
            retry_failed=retry_failed,
            salvage=salvage,
            scheduler=scheduler,
            within=within or None,
        )

    with_answers = len(answered_in(opened).intersection(done.left_ids)) if done.left_ids else 0

    def people() -> None:
        for row in done.sources:
            name = f"{row.source_id}{aside(row.source_id, row.given)}"
            if row.status == "unchanged" and dry_run:
                say(f"unchanged  {name}: there already")
            elif row.status in ("ingested", "unchanged"):
                turned_down = amount(sum(row.rejected.values()), "window")
                say(f"{row.status:10} {name}: {amount(row.clips, 'clip')} kept, {turned_down} rejected")
                if row.video:
                    say(f"           {row.video}")
                if row.reason:
                    say(f"           note: {row.reason}")
            elif row.status == "planned":
                length = "" if row.duration_s is None else f", {duration(row.duration_s)}"
                say(f"{row.verdict:10} {name}: {row.reason or row.given + length}")
            else:
                say(f"{row.verdict or row.status:10} {row.reason}")
        if told := leaving_words(len(done.left_ids), with_answers, is_done=True):
            say(told)
        if done.skipped:
            say(f"{done.skipped} other files in these folders are no recordings.")
        if done.changed and done.funnel is not None:
            from workbench.cli.screens import say_funnel

            say_funnel(done.funnel, opened)
        if done.disk_needed is not None and done.disk_free is not None and done.estimated_s is not None:
            say(
                f"Needs {size(done.disk_needed)} of disk ({size(done.disk_free)} are free) and about "
                f"{duration(done.estimated_s)}."
            )
        if dry_run:
            say("Nothing was done: this was a dry run.")
        else:
            state = "" if done.changed else " Nothing had changed."
            say(f"{amount(done.clips, 'clip')} in study '{done.study}', {duration(done.seconds)}.{state}")

    show({**done.document(), "left_answered": with_answers}, as_json=as_json, people=people)
    leave(done.exit_code)
