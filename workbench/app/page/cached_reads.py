"""What views read, cached by content: a page drawn again costs nothing while nothing has changed.

Arguments named `state` and `changed` are only keys: a cached read is kept for as long as they stay the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import streamlit as st

from pipelines.schema import Estimate, NoEstimate
from pipelines.study import Study, study_names
from workbench.app.server import served_study
from workbench.curation.clip_table import ClipRow
from workbench.curation.clip_table import clip_rows as rows_of
from workbench.jobs import jobs
from workbench.jobs.jobs import Job
from workbench.releases.training_data import Choice, Expected, expected, make_plan
from workbench.status.ingest_status import reason_words
from workbench.status.study_status import Standing, look

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from pipelines.compare import Comparison
    from pipelines.schema import LabelledClips
    from pipelines.training.run import Run
    from workbench.agreement import Agreement
    from workbench.labels.valid_answers import Counted
    from workbench.store import StoredEvent

#: Changes whenever the file does; (0, 0) while there is none.
Stamp: TypeAlias = tuple[int, int]
#: Changes whenever a clip or an answer comes or goes.
State: TypeAlias = tuple[str, Stamp, int]


def stamp(path: Path) -> Stamp:
    """When a file was changed, and its size."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_mtime_ns, status.st_size)


def state_of_labels(study: Study) -> State:
    """Changes whenever a clip or an answer comes or goes."""
    return (str(study.private), stamp(study.clips_csv), served_study.store().counts().events)


def machines() -> frozenset[str]:
    """Ids of the raters that are machines."""
    return frozenset(rater.rater for rater in served_study.store().raters(kind="machine"))


def counts_machines(study: Study) -> bool:
    """Whether answers of machines are among those that count now."""
    return bool(study.clips_csv.is_file() and _counted(study, state_of_labels(study)).simulated)


def clip_rows(study: Study) -> tuple[ClipRow, ...]:
    """A row per kept clip, in the order of the manifest."""
    return _clip_rows(study, state_of_labels(study))


def history(study: Study, clip_id: str) -> "list[StoredEvent]":
    """All that was ever answered to a clip, as it came."""
    del study
    return served_study.store().events(clip_id=clip_id)


def clip_figure(path: Path) -> "go.Figure":
    """Wave and spectrogram of a clip."""
    return _clip_figure(str(path), stamp(path))


def releases(study: Study) -> list[str]:
    """Names of the releases, oldest first."""
    from pipelines.release import release_names

    return list(release_names(study))


def corpora(study: Study) -> list[str]:
    """Names of the acted corpora on this machine."""
    from pipelines.corpora import registered

    return list(registered(study.root))


def corpus_titles() -> list[str]:
    """What the acted corpora that this version knows are called."""
    from pipelines.corpora import corpus_names, load_card

    return [load_card(name).title for name in corpus_names()]


def plan(study: Study, choice: Choice, recipe: str, overrides: Sequence[str]) -> tuple[Mapping[str, Any], Expected]:
    """What a recipe would do with the choice, and what it is to be held against. Raises PipelineError if it cannot."""
    changed = (state_of_labels(study), stamp(study.root / "data" / "corpora.toml"), tuple(releases(study)))
    return _plan(study, choice, recipe, tuple(overrides), changed)


def training_jobs(study: Study) -> list[Job]:
    """Trainings, newest first."""
    return [job for job in jobs.jobs(study) if job.argv[:1] == ("train",)]


def curves(job: Job) -> dict[str, list[float]]:
    """Loss and accuracy by epoch of the seed that trains now, from what the job reported; empty before the first."""
    by_epoch: dict[int, Mapping[str, float]] = {}
    seed = ""
    for step in job.steps:
        numbers = step.progress.numbers
        if "epoch" not in numbers or "loss" not in numbers:
            continue
        if step.progress.item != seed:
            seed = step.progress.item
            by_epoch = {}
        by_epoch[int(numbers["epoch"])] = numbers
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    return (
        {"epoch": [float(epoch) for epoch in by_epoch]}
        | {name: [numbers.get(name, float("nan")) for numbers in by_epoch.values()] for name in names}
        if by_epoch
        else {}
    )


def runs(study: Study) -> "list[Run]":
    """Sealed runs, newest first. A run never changes, so each is read once."""
    from pipelines.training.run import run_ids

    return [_run(str(study.runs / run_id)) for run_id in reversed(run_ids(study.runs))]


def run(study: Study, run_id: str) -> "Run":
    """One sealed run. Raises UnknownName."""
    return _run(str(study.runs / Path(run_id).name))


def runs_of(study: Study, job: Job) -> "list[Run]":
    """The runs that a finished training made."""
    made = job.result
    return [run(study, made["run_id"])] if isinstance(made, dict) and "run_id" in made else []


def rejected(study: Study) -> dict[str, int] | None:
    """How many windows were not kept, by the first reason against each in words, the commonest first.

    None where this machine has no table of candidates.
    """
    if not study.candidates.is_file():
        return None
    counts = _rejected(str(study.candidates), stamp(study.candidates))
    return {reason_words(code, study.settings): count for code, count in counts.items()}


def agreement(study: Study) -> "dict[str, Agreement]":
    """How far raters agree, by view of the scheme; empty while there are no clips."""
    return _agreement(study, state_of_labels(study)) if study.clips_csv.is_file() else {}


def overview(study: Study) -> Standing:
    """Where the study stands."""
    found = agreement(study).get(study.scheme.name)
    alpha: Estimate | NoEstimate = {"value": None, "reason": "there is nothing to agree on yet", "n": 0}
    if found is not None:
        alpha = found.coefficients["alpha"]
    return look(study, served_study.store(), alpha)


def comparable(study: Study) -> list[str]:
    """Names of what can be compared: studies and acted corpora, this study first."""
    others = [name for name in study_names(study.root) if name != study.name]
    return [study.name, *others, *corpora(study)]


def comparison(study: Study, names: Sequence[str], emotion: str, style: str, seed: int) -> "Comparison":
    """Grids of one emotion in one style. Raises PipelineError where a set has none."""
    changed = (state_of_labels(study), stamp(study.root / "data" / "corpora.toml"), tuple(releases(study)))
    return _comparison(study, str(study.manifests), tuple(names), emotion, style, seed, changed)


@st.cache_data(show_spinner=False, max_entries=4)
def _clip_rows(_study: Study, state: State) -> tuple[ClipRow, ...]:
    if not _study.clips_csv.is_file():
        return ()
    found = _counted(_study, state)
    wanted = _study.settings.labels.raters_per_clip
    return rows_of(found.clips, found.annotations, _study.scheme.label_names, wanted=wanted)


@st.cache_resource(show_spinner=False, max_entries=4)
def _counted(_study: Study, state: State) -> "Counted":  # noqa: ARG001
    from workbench.labels.valid_answers import counted

    return counted(_study, served_study.store())


@st.cache_data(show_spinner=False, max_entries=64)
def _clip_figure(path: str, changed: Stamp) -> "go.Figure":  # noqa: ARG001
    from pipelines.media.audio import read_mono
    from workbench.app.charts import charts

    mono, rate_hz = read_mono(Path(path))
    return charts.clip_picture(mono, rate_hz)


@st.cache_data(show_spinner="Looking at what would be trained …", max_entries=16)
def _plan(
    _study: Study,
    choice: Choice,
    recipe: str,
    overrides: tuple[str, ...],
    changed: object,  # noqa: ARG001
) -> tuple[Mapping[str, Any], Expected]:
    made = make_plan(_study, choice, recipe, overrides)
    return made.document(), expected(made)


@st.cache_resource(show_spinner=False, max_entries=256)
def _run(folder: str) -> "Run":
    from pipelines.training.run import open_run

    return open_run(Path(folder))


@st.cache_data(show_spinner=False, max_entries=4)
def _rejected(path: str, changed: Stamp) -> dict[str, int]:  # noqa: ARG001
    import pandas as pd

    table = pd.read_parquet(path, columns=["status", "reasons"])
    first = table.loc[table["status"] != "keep", "reasons"].str.split(";").str[0]
    return dict(Counter(first).most_common())


@st.cache_data(show_spinner="Counting who agrees with whom …", max_entries=4)
def _agreement(_study: Study, state: State) -> "dict[str, Agreement]":  # noqa: ARG001
    from workbench.agreement.study_agreement import study_agreement

    return study_agreement(_study, served_study.store())


@st.cache_resource(show_spinner="Drawing spectrograms …", max_entries=16)
def _comparison(
    _study: Study,
    place: str,
    names: tuple[str, ...],
    emotion: str,
    style: str,
    seed: int,
    changed: object,
) -> "Comparison":
    from pipelines.compare import compare

    return compare([_labelled(_study, place, name, changed) for name in names], [emotion], styles=[style], seed=seed)


@st.cache_resource(show_spinner="Reading the clips …", max_entries=8)
def _labelled(_study: Study, place: str, name: str, changed: object) -> "LabelledClips":  # noqa: ARG001
    from workbench.releases.datasets import labelled_clips

    return labelled_clips(_study.root, name, _study.scheme)
