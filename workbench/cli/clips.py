"""The clips of a study."""

from typing import Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, say, show

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The clips of a study.")


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
