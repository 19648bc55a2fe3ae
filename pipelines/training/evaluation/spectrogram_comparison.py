"""The spectrograms of what a run was trained on, beside an acted corpus: part of the run."""

from pathlib import Path
from typing import Any

from pipelines.errors import DataError, MediaError
from pipelines.progress import ProgressCallback
from pipelines.schema import LabelledClips


def beside(
    data: LabelledClips, against: LabelledClips, out: Path, report: ProgressCallback
) -> tuple[dict[str, Any] | None, list[str]]:
    """Draw both sets into `out`. Returns what stands in run.json, or None with a note why there is no comparison.

    A corpus that cannot be read costs a run its spectrograms, never its numbers.
    """
    from pipelines.compare import compare, shared_emotions

    if against.name == data.name:
        return None, []
    emotions = shared_emotions([data, against])
    if not emotions:
        return None, [f"no spectrograms beside '{against.name}': the two share no label"]
    try:
        made = compare([data, against], emotions, out=out, report=report)
    except (DataError, MediaError) as error:
        return None, [f"no spectrograms beside '{against.name}': {error}"]
    figures = sorted(file.relative_to(out.parent).as_posix() for file in out.rglob("*.png"))
    return {"corpora": list(made.corpora), "emotions": list(made.emotions), "seed": made.seed, "figures": figures}, []
