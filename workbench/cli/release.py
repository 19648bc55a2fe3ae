"""Cutting, checking and sharing releases."""

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.console import DONE, NOTHING_WORKED, JsonOption, StudyOption, leave, say, show

app = typer.Typer(help="Immutable, checksummed cuts of clips and labels.", no_args_is_help=True, rich_markup_mode=None)

NameArgument = Annotated[str, typer.Argument(help="Name of the release.")]


@app.command("create")
def create(
    name: NameArgument,
    rule: Annotated[str, typer.Option(help="Aggregation rule: majority or soft.")] = "majority",
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a release from the current labels. It never changes afterwards.

    Example: workbench release create r1 --study night
    """
    from pipelines.statistics.group_intervals import interval_text
    from pipelines.study import open_study
    from workbench.releases.create import create_release

    made = create_release(open_study(study), name, rule)
    facts = made.facts

    def people() -> None:
        counts, alpha = facts["counts"], facts["agreement"][facts["scheme"]["name"]]["alpha"]
        say(f"Release '{name}': {counts['clips']} labelled clips, {counts['tied']} tied and without a label.")
        if alpha["value"] is not None:
            say(f"Krippendorff's alpha {alpha['value']:.3f} ({interval_text(alpha)}), n = {alpha['n']}.")
        if facts["simulated"]:
            say(f"Simulated raters are in it: {', '.join(facts['simulated'])}.")
        say(f"{made.folder}  digest {made.digest[:12]}")

    show({"ok": True, "folder": str(made.folder), **facts}, as_json=as_json, people=people)


@app.command("list")
def list_releases(study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Releases of a study, oldest first.

    Example: workbench release list --study night
    """
    from pipelines.release import integrity_problems, list_releases
    from pipelines.study import open_study

    opened = open_study(study)
    rows = [
        {key: each.facts[key] for key in ("name", "created", "rule", "counts", "digest")}
        | {"problems": list(integrity_problems(each))}
        for each in list_releases(opened)
    ]

    def people() -> None:
        if not rows:
            say(f"No release of study '{opened.name}' yet: workbench release create r1 --study {opened.name}")
        for row in rows:
            told = (
                f"{row['name']}  {row['counts']['clips']} clips  {row['rule']}  {row['created']}  {row['digest'][:12]}"
            )
            say(told + (f"  CHANGED: {row['problems'][0]}" if row["problems"] else ""))

    show({"ok": True, "releases": rows}, as_json=as_json, people=people)


@app.command("verify")
def verify_release(name: NameArgument, study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Check that a release is unchanged (exit code 1 if not), and list its clips that were withdrawn since.

    Example: workbench release verify r1 --study night
    """
    from pipelines.study import open_study
    from workbench.releases.create import verify
    from workbench.takedown.impact import withdrawn_from

    opened = open_study(study)
    problems = verify(opened, name)
    withdrawn = withdrawn_from(opened, name)
    document = {
        "ok": not problems,
        "release": name,
        "problems": list(problems),
        "withdrawn": [
            {"clip_id": clip, "source_id": row.source_id, "date": row.date, "reason": row.reason}
            for row in withdrawn
            for clip in row.clips
        ],
    }

    def people() -> None:
        for problem in problems:
            say(problem)
        if not problems:
            say(f"Release '{name}' is as it was made.")
        for row in withdrawn:
            reason = f" ({row.reason})" if row.reason else ""
            say(f"Withdrawn on {row.date[:10]}{reason}, source '{row.source_id}', not to be used any more:")
            for clip in row.clips:
                say(f"  {clip}")

    show(document, as_json=as_json, people=people)
    leave(NOTHING_WORKED if problems else DONE)


@app.command("diff")
def diff(
    older: Annotated[str, typer.Argument(help="The release to start from.")],
    newer: Annotated[str, typer.Argument(help="The release to compare with it.")],
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """What changed from one release to another, clip by clip.

    Example: workbench release diff r1 r2 --study night
    """
    from pipelines.study import open_study
    from workbench.releases.create import difference

    found = difference(open_study(study), older, newer)

    def people() -> None:
        say(
            f"{len(found.added)} clips added, {len(found.removed)} gone, {len(found.changed)} labelled differently, "
            f"{found.same} the same."
        )
        for clip_id, (before, after) in found.changed.items():
            say(f"  {clip_id}: {before or 'no label'} → {after or 'no label'}")

    show({"ok": True, "from": older, "to": newer, **found.document()}, as_json=as_json, people=people)


@app.command("export")
def export_release(
    name: NameArgument,
    out: Annotated[Path, typer.Option(help="A new folder.")],
    format_name: Annotated[str, typer.Option("--format", help="Such as datapackage.")] = "datapackage",
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a release in the format of another tool.

    Example: workbench release export r1 --format datapackage --out shared/r1 --study night
    """
    from pipelines.export import export
    from pipelines.release import open_release
    from pipelines.study import open_study

    files = export(open_release(open_study(study), name), format_name, out)
    document = {"ok": True, "release": name, "format": format_name, "files": [str(path) for path in files]}
    show(document, as_json=as_json, people=lambda: say(f"{len(files)} files in {out}."))
