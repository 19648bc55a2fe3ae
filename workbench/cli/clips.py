"""The clips of a study."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workbench.cli import picks, repeats, screens
from workbench.cli.console import JsonOption, StudyOption, leave, reporter, say, show

if TYPE_CHECKING:
    from pipelines.ingest.reproduce.rebuild import VerificationReport
    from pipelines.study import Study

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The clips of a study.")
app.command("repeats")(repeats.repeats)
app.command("funnel")(screens.funnel)
app.command("screen")(screens.screen)
app.command("pick")(picks.pick)
app.command("unpick")(picks.unpick)
app.command("sound")(picks.sound)


@app.command("list")
def list_clips(
    study: StudyOption = None,
    source: Annotated[str | None, typer.Option(help="Only the clips of this source.")] = None,
    as_json: JsonOption = False,
) -> None:
    """List the kept clips with their scores.

    Example: workbench clips list --study night --source 10s_back_down_the_road
    """
    from pipelines.errors import UnknownName
    from pipelines.manifest import read_clips
    from pipelines.study import open_study

    opened = open_study(study)
    found = read_clips(opened.clips_csv) if opened.clips_csv.is_file() else ()
    if source is not None:
        names = {clip.source_id for clip in found}
        if source not in names:
            raise UnknownName("source", source, names, hint="(it must have clips)")
        found = tuple(clip for clip in found if clip.source_id == source)
    seconds = sum(clip.n_samples / clip.rate_hz for clip in found)
    document = {
        "study": opened.name,
        "count": len(found),
        "seconds": round(seconds, 3),
        "clips": [
            {
                "clip_id": clip.clip_id,
                "source_id": clip.source_id,
                "group_id": clip.group_id,
                "start_s": round(clip.start_s, 6),
                "end_s": round(clip.end_s, 6),
                "rate_hz": clip.rate_hz,
                "n_samples": clip.n_samples,
                "pcm_sha256": clip.pcm_sha256,
                "here": opened.clip_path(clip.clip_id).is_file(),
                "metrics": dict(clip.metrics),
            }
            for clip in found
        ],
    }

    def people() -> None:
        for clip in found:
            scores = "  ".join(f"{name} {value:.3g}" for name, value in clip.metrics.items() if value is not None)
            say(f"{clip.clip_id}  {clip.start_s:9.3f} s  {scores}")
        say(f"{len(found)} clips, {seconds / 60:.1f} minutes, in study '{opened.name}'.")

    show(document, as_json=as_json, people=people)


@app.command("verify")
def verify(
    sources: Annotated[
        bool, typer.Option("--sources", help="Decode the sources again, each once, instead of the clips' files.")
    ] = False,
    media: Annotated[
        list[Path] | None, typer.Option(help="With --sources: a folder of recordings; may be given several times.")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="Recordings decoded at once; by default one per core.")] = None,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify each clip: exact, equivalent, shifted, changed or gone.

    Ends with 3 when any is not exact or equivalent.

    Example: workbench clips verify --sources --media ~/recordings --study night
    """
    from pipelines.errors import ConfigError
    from pipelines.ingest.reproduce import rebuild as rebuilding
    from pipelines.ingest.reproduce.shared_manifest import open_manifest
    from pipelines.study import open_study

    if media and not sources:
        raise ConfigError("--media goes with --sources: without it only the clips' own files are read")
    opened = open_study(study)
    manifest = open_manifest(opened.manifests)
    with reporter() as report:
        if sources:
            done = rebuilding.verify_sources(
                manifest,
                [*(media or []), *_there(opened.media)],
                opened.cache / "scratch",
                remembered=_remembered(opened),
                jobs=jobs,
                report=report,
            )
        else:
            done = rebuilding.verify_files(manifest, opened.clip_path, report)
    hint = f"To make new clips where their sound stands now: workbench clips rebuild {opened.name} --retime"
    show({"study": opened.name, **done.document()}, as_json=as_json, people=lambda: _say(done, hint))
    leave(done.exit_code)


@app.command("rebuild")
def rebuild(
    manifest: Annotated[str, typer.Argument(help="A shared study: its folder, its clips.csv, or a study's name.")],
    media: Annotated[
        list[Path] | None, typer.Option(help="A folder of recordings; may be given several times.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Where the clips go; needed outside data_manifests/.")] = None,
    retime: Annotated[
        bool, typer.Option("--retime", help="Write a manifest of the shifted clips where they stand now, beside it.")
    ] = False,
    jobs: Annotated[int | None, typer.Option(help="Recordings decoded at once; by default one per core.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Rebuild the clips of a shared manifest from recordings, found in folders or fetched.

    Labels never move by themselves: --retime writes NAME.retimed.csv and a table from old to new, NAME.moves.csv.

    Example: workbench clips rebuild data_manifests/night --media ~/recordings
    """
    from pipelines.errors import ConfigError
    from pipelines.ingest.reproduce import rebuild as rebuilding
    from pipelines.ingest.reproduce.shared_manifest import open_manifest
    from pipelines.study import Study, StudySettings, project_root, study_names

    root = project_root()
    path = Path(manifest)
    if not path.exists() and manifest in study_names(root):
        path = root / "data_manifests" / manifest
    opened = open_manifest(path)
    home = next(
        (
            Study(root, name)
            for name in study_names(root)
            if (root / "data_manifests" / name).resolve() in opened.path.resolve().parents
        ),
        None,
    )
    if out is None and home is None:
        raise ConfigError(f"{path} is not a study of this project: say with --out where its clips are to go")
    target = out if out is not None else home.audio if home is not None else Path()
    settings = home.settings if home is not None else StudySettings(name="shared")
    private = home.private if home is not None else target
    with reporter() as report:
        done = rebuilding.rebuild(
            opened,
            target,
            [*(media or []), *_there(private / "media")],
            home.cache / "scratch" if home is not None else target,
            suffix=settings.clip.format,
            remembered=_remembered(home) if home is not None else {},
            fetch=rebuilding.source_fetcher(private / "media", settings),
            retime=retime,
            jobs=jobs,
            report=report,
        )
    document = {"manifest": str(opened.path), "out": str(target), **done.document()}
    hint = "To make new clips where their sound stands now, run this again with --retime."
    show(document, as_json=as_json, people=lambda: _say(done, hint))
    leave(done.exit_code)


def _say(done: "VerificationReport", hint: str) -> None:
    for one in done.findings:
        if not one.is_same:
            say(f"{one.level:8} {one.clip.clip_id}: {one.reason}")
    for piece in done.document()["shifts"]:
        say(f"{piece['clips']} clips of '{piece['source_id']}' stand {piece['offset_s']:+.3f} s from where they were.")
    for name in done.editions:
        say(f"The recording of '{name}' is another edition than the one its clips were cut from.")
    if done.counts["shifted"] and not done.retimed:
        say(hint)
    for path in done.retimed:
        say(f"Written: {path}")
    say(", ".join(f"{count} {level}" for level, count in done.counts.items()))


def _there(folder: Path) -> list[Path]:
    return [folder] if folder.is_dir() else []


def _remembered(study: "Study") -> dict[str, Path]:
    """Where this machine's ingest found each source."""
    from pipelines.ingest.state.queue import open_queue

    if not study.ingest_db.is_file():
        return {}
    with open_queue(study.ingest_db) as queue:
        return {name: Path(item.path) for name, item in queue.items().items() if item.path}
