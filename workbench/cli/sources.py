"""The recordings of a study: how far each is, and what is wished of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, aside, say, show

if TYPE_CHECKING:
    from pipelines.ingest.state.operator_requests import OperatorRequest

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The recordings of a study.")

NOTHING = "There is no recording yet: workbench ingest FILE_OR_URL."

Name = Annotated[str, typer.Argument(help="The source's id, as 'workbench sources list' shows it.")]


@app.command("list")
def list_sources(study: StudyOption = None, as_json: JsonOption = False) -> None:
    """List the recordings with status, reason and next step.

    Example: workbench sources list --study night
    """
    from collections import Counter

    from pipelines.ingest.state.operator_requests import read_requests
    from pipelines.ingest.state.status import source_standings
    from pipelines.manifest import read_clips
    from pipelines.study import open_study
    from workbench.app.formatting import amount
    from workbench.status.ingest_status import advice, state_of

    opened = open_study(study)
    paused = frozenset(name for name, wanted in read_requests(opened).items() if wanted == "pause")
    clips = Counter(clip.source_id for clip in read_clips(opened.clips_csv)) if opened.clips_csv.is_file() else {}
    found = [(one, state_of(one, paused)) for one in source_standings(opened)]
    counts = Counter(state for _, state in found)
    document = {
        "study": opened.name,
        "counts": dict(counts),
        "sources": [
            {
                "source_id": one.source_id,
                "uri": one.uri,
                "stands": state,
                "failure": one.failure,
                "reason_code": one.reason_code,
                "reason": one.reason,
                "advice": advice(one, state),
                "attempts": one.attempts,
                "clips": clips.get(one.source_id, 0),
                "seconds": one.seconds,
                "speech_s": one.speech_s,
                "asked_again_after": one.until,
                "listed": one.listed,
            }
            for one, state in found
        ],
    }

    def people() -> None:
        for one, state in found:
            what = amount(clips.get(one.source_id, 0), "clip") if state == "done" else one.reason or advice(one, state)
            say(f"{state:10} {one.source_id or one.uri}{aside(one.source_id, one.uri, one.title)}: {what}")
        say(", ".join(f"{count} {state}" for state, count in counts.items()) or NOTHING)

    show(document, as_json=as_json, people=people)


@app.command("history")
def history(
    most: Annotated[int, typer.Option("--most", min=1, help="So many, the newest first.")] = 20,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the last runs: time, duration, recordings added, clips kept, failures.

    Runs that found nothing to do are not among them, nor is one that was killed.

    Example: workbench sources history --study night
    """
    from pipelines.ingest.state.run_log import read_runs
    from pipelines.ingest.state.status import source_standings
    from pipelines.study import open_study
    from workbench.app.formatting import amount, duration
    from workbench.status.past_runs import past_rows

    opened = open_study(study)
    runs = read_runs(opened)
    called = {one.source_id: one.called for one in source_standings(opened)}

    def people() -> None:
        for row in past_rows(runs, most, called=called):
            heard = (
                f"{duration(row.heard_s)} heard of {duration(row.sound_s)}, " if row.sound_s and row.is_ingest else ""
            )
            gone = f", {amount(row.left, 'clip')} left" if row.left else ""
            told = f"{duration(row.took_s)}, {row.what}: {heard}{amount(row.clips, 'clip')}{gone}"
            say(f"{row.started:%Y-%m-%d %H:%M}  {told}{'; ' + row.problem if row.problem else ''}")
        if not runs:
            say("No run is told of on this machine yet.")

    document = {"study": opened.name, "runs": [run.model_dump() for run in runs[:most]]}
    show(document, as_json=as_json, people=people)


@app.command("pause")
def pause(name: Name, study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Skip a recording from now on, also in the current run.

    Example: workbench sources pause episode_3 --study night
    """
    _wish(name, "pause", study, as_json)


@app.command("resume")
def resume(name: Name, study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Resume a paused recording in the next run.

    Example: workbench sources resume episode_3 --study night
    """
    _wish(name, "resume", study, as_json)


@app.command("retry")
def retry(name: Name, study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Retry a recording in the next run, whatever its failure.

    Example: workbench sources retry episode_3 --study night
    """
    _wish(name, "retry", study, as_json)


def _wish(name: str, wanted: "OperatorRequest", study: str | None, as_json: bool) -> None:
    from pipelines.errors import UnknownName
    from pipelines.ingest.state.operator_requests import request_action
    from pipelines.ingest.state.status import source_standings
    from pipelines.study import open_study

    opened = open_study(study)
    names = [one.source_id for one in source_standings(opened) if one.source_id]
    if name not in names:
        raise UnknownName("source", name, names)
    request_action(opened, name, wanted)
    said = {"pause": "is paused", "resume": "resumes in the next run", "retry": "is retried in the next run"}
    show({"source_id": name, "request": wanted}, as_json=as_json, people=lambda: say(f"'{name}' {said[wanted]}."))
