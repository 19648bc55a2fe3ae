"""Clips chosen by hand, from the shell: parts of `workbench clips`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.console import (
    DONE,
    NOTHING_WORKED,
    SOME_FAILED,
    JsonOption,
    StudyOption,
    leave,
    reporter,
    say,
    show,
    warn,
)

if TYPE_CHECKING:
    from pipelines.study import Study
    from workbench.store.curation import CurationEvent

#: Who picks from the shell, in the store.
SHELL = "command line"


def pick(
    source: Annotated[str, typer.Argument(help="Id of the source.")],
    at: Annotated[list[float], typer.Option("--at", help="Second at which the clip begins; may be given repeatedly.")],
    emotion: Annotated[str | None, typer.Option(help="Nominate it; kept for balance, never shown to raters.")] = None,
    speaker: Annotated[str, typer.Option(help="Who speaks.")] = "",
    gender: Annotated[str, typer.Option(help="female, male or other.")] = "",
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make clips that start at the given times, whatever the screens say.

    A model's clip that nobody has labelled makes room; one that somebody has labelled stays, and the pick is refused.

    Example: workbench clips pick episode_3 --at 754.2 --speaker "the landlady" --gender female --study night
    """
    from uuid import uuid4

    from pipelines.errors import UnknownName
    from pipelines.study import open_study
    from workbench.curation.recordings import Mined, mineable
    from workbench.store.curation import CurationEvent

    opened = open_study(study)
    known = mineable(opened)
    if source not in known:
        raise UnknownName("source", source, known)
    mined = known[source]
    rate_hz = mined.rate_hz if isinstance(mined, Mined) else 1
    events = [
        CurationEvent(
            uuid4().hex,
            SHELL,
            "pick",
            source,
            start_sample=round(second * rate_hz),
            label=emotion,
            speaker=speaker,
            gender=gender,
        )
        for second in at
    ]
    _do(opened, events, "picked", as_json=as_json)


def unpick(
    clips: Annotated[list[str], typer.Argument(help="Ids of picked clips.")],
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove picks; a clip that has labels stays.

    Example: workbench clips unpick episode_3-000754200 --study night
    """
    from uuid import uuid4

    from pipelines.errors import UnknownName
    from pipelines.schema import clip_id
    from pipelines.study import open_study
    from workbench.curation.picks import Desk
    from workbench.curation.recordings import Mined, mineable
    from workbench.store import open_store
    from workbench.store.curation import CurationEvent

    opened = open_study(study)
    with open_store(opened) as store:
        picks = Desk(opened, store).stands().picks
    there = {
        clip_id(name, start, mined.rate_hz): (name, start)
        for name, mined in mineable(opened).items()
        if isinstance(mined, Mined)
        for start in picks.get(name, ())
    }
    events = []
    for name in clips:
        if name not in there:
            raise UnknownName("picked clip", name, there)
        source, start = there[name]
        events.append(CurationEvent(uuid4().hex, SHELL, "unpick", source, start_sample=start))
    _do(opened, events, "taken back", as_json=as_json)


def sound(
    sources: Annotated[
        list[str] | None, typer.Argument(help="Ids of sources; none: all that have clips to be.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Recordings decoded at once.")] = 1,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prepare the exact audio and spectrograms for the clipper. Existing ones are kept.

    The clipper does it when a source is opened. Done beforehand, a long film opens at once.

    Example: workbench clips sound --study night
    """
    import shutil

    from pipelines.errors import MediaError, PipelineError, UnknownName
    from pipelines.execution.process_pool import Failed, run_each
    from pipelines.ingest.preview.decoded_audio import DecodeTask, decode_to_cache
    from pipelines.study import open_study
    from workbench.curation.clipper_source import known as look
    from workbench.curation.clipper_source import sound_of, sound_task
    from workbench.curation.recordings import Mined, mineable

    opened = open_study(study)
    known, seen = mineable(opened), look(opened)
    names = list(dict.fromkeys(sources or [name for name, one in known.items() if isinstance(one, Mined)]))
    tasks: dict[str, DecodeTask] = {}
    failed: dict[str, str] = {}
    there = []
    for name in names:
        if name not in known:
            raise UnknownName("source", name, known)
        mined = known[name]
        task = mined if isinstance(mined, str) else sound_task(opened, mined, seen)
        if isinstance(mined, Mined) and sound_of(opened, mined) is not None:
            there.append(name)
        elif isinstance(task, str):
            failed[name] = task
        else:
            tasks[name] = task
    made = []
    with reporter() as report:
        for name, outcome in run_each(decode_to_cache, tasks, jobs=jobs, stage="sound", report=report):
            if isinstance(now := mineable(opened).get(name), str):  # taken down while this went on
                shutil.rmtree(tasks[name].folder, ignore_errors=True)
                failed[name] = now
            elif not isinstance(outcome, Failed):
                made.append(name)
            elif isinstance(outcome.error, MediaError | OSError | PipelineError):
                failed[name] = str(outcome.error)
            else:
                raise outcome.error
    document = {"study": opened.name, "made": sorted(made), "there": there, "failed": failed}

    show(document, as_json=as_json, people=lambda: say(f"{len(made)} sounds made, {len(there)} were there."))
    for reason in failed.values():
        warn(reason)  # the last line is what a watching page shows
    leave(DONE if not failed else SOME_FAILED if made or there else NOTHING_WORKED)


def _do(study: "Study", events: "list[CurationEvent]", word: str, *, as_json: bool) -> None:
    from pipelines.errors import ConfigError
    from pipelines.ingest.run import run
    from workbench.curation import picks
    from workbench.store import open_store

    with open_store(study) as store, reporter() as report:
        store.ensure_rater(SHELL, kind="machine")
        desk = picks.Desk(study, store)
        done = desk.record(events)
        picks.follow(study, done)
        desk.write_tables()
        is_listed = True
        if done.new:
            try:
                run.retable(study, report)
            except ConfigError as error:
                if "another ingest" not in str(error):
                    raise
                is_listed = False  # that one reads picks.csv at its own end
    document: dict[str, Any] = {
        "study": study.name,
        "done": [{"clip_id": event.clip_id, "start_sample": event.start_sample} for event in done.new],
        "refused": [one.reason for one in done.refused],
        "in_clips_csv": is_listed,
    }

    def people() -> None:
        for event in done.new:
            say(f"{word}: {event.clip_id}")
        for one in done.refused:
            say(f"refused: {one.reason}")
        if not is_listed:
            say("An ingest is running; it brings clips.csv up to date when it ends.")

    show(document, as_json=as_json, people=people)
    leave(DONE if not done.refused else SOME_FAILED if done.new else NOTHING_WORKED)
