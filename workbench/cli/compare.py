"""Data sets side by side."""

from pathlib import Path
from typing import Annotated

import typer

from workbench.cli.console import JsonOption, reporter, say, show


def compare(
    names: Annotated[list[str], typer.Argument(help="Studies and corpora; a study stands for its latest release.")],
    emotion: Annotated[
        str | None, typer.Option(help="Labels to compare, with commas between them; neutral and fearful if shared.")
    ] = None,
    style: Annotated[str, typer.Option(help="Styles to draw, with commas between them.")] = "as_published,fair",
    seed: Annotated[int, typer.Option(help="Chooses the nine clips of each grid.", min=0)] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the figures.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Draw 3x3 spectrogram grids of each emotion of each data set, and measure how alike their panels are.

    Example: workbench compare night tess --emotion neutral,fearful --seed 7
    """
    from pipelines import compare as comparisons
    from pipelines.study import project_root
    from workbench.releases.datasets import labelled_sets

    root = project_root()
    sets = labelled_sets(root, names)
    folder = out or root / "data" / "comparisons" / "-".join(names)
    with reporter() as report:
        made = comparisons.compare(
            sets,
            None if emotion is None else _listed(emotion),
            styles=_listed(style),
            seed=seed,
            out=folder.resolve(),
            report=report,
        )

    def people() -> None:
        say("How alike the clips of an emotion are (1 the same picture, 0 nothing in common), 95 % interval:")
        for row in made.rows:
            found = row.similarity
            value = (
                f"{found['value']:.2f} [{found['low']:.2f}, {found['high']:.2f}]"
                if found["value"] is not None
                else f"not known: {found['reason']}"
            )
            say(
                f"  {row.emotion:<10} {row.corpus:<16} {value}  {found['n']} of {row.clips} clips, "
                f"{row.groups} {row.group_word}{'s' if row.groups != 1 else ''}; {row.pairs}, resampled by {row.unit}"
            )
        say(f"{len(made.figures)} figures and comparison.json with their captions: {folder}")

    show({"ok": True, **made.document()}, as_json=as_json, people=people)


def _listed(given: str) -> list[str]:
    return [name.strip() for name in given.split(",") if name.strip()]
