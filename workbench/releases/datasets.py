"""One name for what can be trained on or compared: a study or a corpus."""

from collections.abc import Sequence
from pathlib import Path

from pipelines import corpora
from pipelines.errors import UnknownName
from pipelines.release import labelled_clips as released
from pipelines.schema import LabelledClips
from pipelines.schemes import LabelScheme, load_scheme
from pipelines.study import open_study, study_names
from workbench.releases.create import latest


def labelled_clips(root: Path, name: str, scheme: LabelScheme | None = None) -> LabelledClips:
    """The study `name` (its latest release, else its labels as they stand), or the corpus of that name.

    `scheme`: what a corpus's own labels are mapped to; the five emotions unless given. Raises UnknownName, which lists
    studies and corpora alike, and DataError where there is no label.
    """
    studies = study_names(root)
    if name in studies:
        study = open_study(name, root)
        return released(study, latest(study))
    known = corpora.registered(root)
    if name in known:
        return corpora.labelled_clips(root, name, scheme or load_scheme("five"))
    raise UnknownName(
        "study or corpus", name, (*studies, *known), "(make one with 'workbench init' or 'workbench corpus add')"
    )


def labelled_sets(root: Path, names: Sequence[str]) -> list[LabelledClips]:
    """`labelled_clips` of each, corpora mapped to the scheme of the first study among them. Raises as it does."""
    studies = study_names(root)
    scheme = next((open_study(name, root).scheme for name in names if name in studies), None)
    return [labelled_clips(root, name, scheme) for name in names]
