"""What sounds twice among the recordings of a study."""

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.console import JsonOption, StudyOption, say, show


def repeats(
    picture: Annotated[Path | None, typer.Option(help="Also draw it into this file: .png, .svg or .pdf.")] = None,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List repeated audio among the recordings; no clip is placed there.

    Openings, endings, recaps and re-uploads, as the last ingest found them.

    Example: workbench clips repeats --picture repeats.png --study night
    """
    from pipelines.ingest.repeats import figure_files
    from pipelines.ingest.repeats.timeline import clock, repeat_timeline
    from pipelines.ingest.series.repeat_masks import read_study_repeats
    from pipelines.study import open_study

    opened = open_study(study)
    found = read_study_repeats(opened)
    shown = repeat_timeline(found.order, found.seconds, found.repeats, found.masks)
    if picture is not None:
        figure_files.save(shown, picture)
    masked = {row.source_id: row.masked_s for row in shown.rows}
    document = {
        "study": opened.name,
        "sources": [
            {
                "source_id": name,
                "seconds": round(found.seconds[name], 3) if name in found.seconds else None,
                "masked_s": round(masked.get(name, 0.0), 3),
                "dup_of": found.copies[name].dup_of if name in found.copies else None,
                "dup_overlap": found.copies[name].overlap if name in found.copies else None,
            }
            for name in found.order
        ],
        "groups": [
            {
                "name": group.name,
                "kind": group.kind,
                "places": [
                    {
                        "source_id": place.source_id,
                        "start_s": round(place.start_s, 3),
                        "end_s": round(place.end_s, 3),
                        "masked": place.is_masked,
                    }
                    for place in group.occurrences
                ],
            }
            for group in shown.groups
        ],
        "not_compared": list(found.not_compared),
        "picture": str(picture) if picture is not None else None,
    }

    def people() -> None:
        for group in shown.groups:
            say(f"{group.name}, {max(place.end_s - place.start_s for place in group.occurrences):.1f} s:")
            for place in group.occurrences:
                fate = "" if place.is_masked else "  kept"
                say(f"  {place.source_id}  {clock(place.start_s)} to {clock(place.end_s)}{fate}")
        if found.order:
            say(figure_files.title(shown))
        else:
            say("Nothing was compared yet: workbench ingest looks for repeats when it ends.")
        if found.not_compared:
            say(f"Not compared, for want of a fingerprint of this version: {', '.join(found.not_compared)}")
        if picture is not None:
            say(f"Written: {picture}")

    show(document, as_json=as_json, people=people)
