"""From recordings to clips."""

from typing import Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, leave, reporter, say, show


def ingest(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, http(s) addresses, or a sources.csv; none: the study's own sources.csv."),
    ] = None,
    study: StudyOption = None,
    rights_basis: Annotated[str, typer.Option(help="On what ground these recordings may be used, in your words.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and do nothing.")] = False,
    jobs: Annotated[int | None, typer.Option(help="Recordings analysed at once; by default one per core.")] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try again what failed for good, and what was to wait.")
    ] = False,
    salvage: Annotated[
        bool, typer.Option("--salvage", help="Of a recording that is damaged or cut short, keep what comes before.")
    ] = False,
    scheduler: Annotated[
        str, typer.Option(metavar="tcp://HOST:PORT", help="A Dask cluster whose workers analyse: docs/curator.md.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Cut recordings into clips of speech; what is done already is not done again.

    Example: workbench ingest episodes/ https://example.org/play.mp4 --rights-basis "public domain (US)"
    """
    from pipelines import study as studies
    from pipelines.ingest import run
    from workbench import intake, picks
    from workbench.answered import answered_in, leaving_words

    opened = studies.open_study(study)
    intake.check_length(opened)
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
        )

    with_answers = len(answered_in(opened).intersection(done.left_ids)) if done.left_ids else 0

    def people() -> None:
        for row in done.sources:
            if row.status in ("ingested", "unchanged"):
                turned_down = sum(row.rejected.values())
                say(f"{row.status:10} {row.source_id}: {row.clips} clips kept, {turned_down} windows rejected")
                if row.video:
                    say(f"           {row.video}")
                if row.reason:
                    say(f"           note: {row.reason}")
            elif row.status == "planned":
                length = "" if row.duration_s is None else f", {row.duration_s:.1f} s"
                say(f"{row.verdict:10} {row.source_id}: {row.reason or row.given + length}")
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
                f"Needs {done.disk_needed / 1e9:.2f} GB of disk ({done.disk_free / 1e9:.2f} GB are free) and about "
                f"{done.estimated_s / 60:.0f} min."
            )
        if dry_run:
            say("Nothing was done: this was a dry run.")
        else:
            state = "" if done.changed else " Nothing had changed."
            say(f"{done.clips} clips in study '{done.study}', {done.seconds:.1f} s.{state}")

    show({**done.document(), "left_answered": with_answers}, as_json=as_json, people=people)
    leave(done.exit_code)
