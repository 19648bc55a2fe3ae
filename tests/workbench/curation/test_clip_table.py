"""What a clip was called, by how many, and what became of it."""

from datetime import UTC, datetime

import pytest

from pipelines.schema import Clip
from workbench.curation.clip_table import clip_rows
from workbench.store import Annotation

LABELS = ("happy", "sad", "angry")
PEOPLE = {"ann", "bo", "cy"}


def said(clip: str, rater: str, label: str | None, *flags: str) -> Annotation:
    kind = "person" if rater in PEOPLE else "machine"
    return Annotation(clip, rater, kind, "five", "audio", label, flags, None, "", None, datetime.now(UTC), 0)


@pytest.mark.parametrize(
    ("answers", "label", "share", "state"),
    [
        ([], None, None, "waiting"),
        ([("ann", "sad"), ("bo", "sad")], "sad", 1.0, "waiting"),
        ([("ann", "sad"), ("bo", "sad"), ("cy", "sad")], "sad", 1.0, "agreed"),
        ([("ann", "sad"), ("bo", "sad"), ("cy", "happy")], "sad", 2 / 3, "in dispute"),
        ([("ann", "sad"), ("bo", "angry"), ("cy", "happy")], None, None, "tied"),
        ([("ann", None), ("bo", None), ("cy", None)], None, None, "no emotion heard"),
        ([("simulated-1", "sad")], "sad", 1.0, "agreed"),
    ],
)
def test_a_row_says_what_raters_said(
    answers: list[tuple[str, str | None]], label: str | None, share: float | None, state: str
) -> None:
    given = [said("c", rater, one, *(() if one else ("cannot_tell",))) for rater, one in answers]
    (row,) = clip_rows([Clip("c", "s", 0, 1, 1, "s")], given, LABELS, wanted=3)
    assert (row.label, row.share, row.state, row.answers) == (label, pytest.approx(share), state, len(answers))
