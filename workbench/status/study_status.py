"""Where a study stands on its way from hours of sound to a model, and the one thing that holds it back now."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pipelines.manifest import read_table
from pipelines.release import open_release, release_names
from pipelines.schema import Estimate, NoEstimate

if TYPE_CHECKING:
    from pipelines.study import Study
    from workbench.store import Annotation, Store

#: Krippendorff (2004), Content Analysis, section 11.4: below this not even tentative conclusions.
TENTATIVE = 0.667
#: ... and from here on labels can be relied on.
RELIABLE = 0.8

Action = Literal["ingest", "label", "agreement", "release", "train", "compare"]


@dataclass(frozen=True, slots=True)
class Trained:
    """The newest run as the overview shows it."""

    run_id: str
    recipe: str
    accuracy: Estimate | NoEstimate
    ceiling: Estimate | NoEstimate
    is_leaky: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """The study as one line. Counts of clips; `complete` have the answers of k people, `waiting` have fewer."""

    hours: float
    sources: int
    clips: int
    answered: int
    complete: int
    k: int
    people: int
    simulated: int
    alpha: Estimate | NoEstimate
    release: str | None
    released_clips: int
    answers_since_release: int
    run: Trained | None

    @property
    def waiting(self) -> int:
        return self.clips - self.complete


@dataclass(frozen=True, slots=True)
class NextStep:
    """What holds the study back, in one sentence, and the button or command that moves it."""

    sentence: str
    action: Action
    button: str
    command: str = ""


def look(study: "Study", store: "Store", alpha: Estimate | NoEstimate) -> Standing:
    """Where the study stands now. `alpha`: see workbench.agreement; it is slow enough to be kept by the caller."""
    from workbench.labels.valid_answers import counted

    found = counted(study, store) if study.clips_csv.is_file() else None
    clips, answers = (found.clips, found.annotations) if found else ((), ())
    by_people = Counter(answer.clip_id for answer in answers if answer.rater_kind == "person")
    k = study.settings.labels.raters_per_clip
    names = release_names(study)
    facts = open_release(study, names[-1]).facts if names else None
    return Standing(
        hours=_hours(study),
        sources=len(_sources(study)),
        clips=len(clips),
        answered=len({answer.clip_id for answer in answers}),
        complete=sum(count >= k for count in by_people.values()),
        k=k,
        people=len({answer.rater for answer in answers if answer.rater_kind == "person"}),
        simulated=len(found.simulated) if found else 0,
        alpha=alpha,
        release=names[-1] if names else None,
        released_clips=_released(study, names[-1]) if names else 0,
        answers_since_release=_since(answers, str(facts["created"])) if facts else 0,
        run=_newest_run(study),
    )


def _hours(study: "Study") -> float:
    return sum(
        int(row["decoded_samples"]) / int(row["sample_rate_hz"]) / 3600
        for row in _sources(study)
        if row.get("decoded_samples") and row.get("sample_rate_hz")
    )


def _sources(study: "Study") -> list[dict[str, str]]:
    """The rows of sources.csv, without those that were withdrawn."""
    from pipelines.ingest.sources import TAKEN_DOWN

    if not study.sources_csv.is_file():
        return []
    return [row for row in read_table(study.sources_csv) if row.get("status") != TAKEN_DOWN]


def _released(study: "Study", name: str) -> int:
    return sum(bool(row["label"]) for row in read_table(study.releases / name / "labels.csv", required=("label",)))


def _since(answers: Sequence["Annotation"], created: str) -> int:
    then = datetime.fromisoformat(created)
    return sum(answer.time > then for answer in answers)


def _newest_run(study: "Study") -> Trained | None:
    from pipelines.training.run import open_run, run_ids

    names = run_ids(study.runs)
    if not names:
        return None
    run = open_run(study.runs / names[-1])
    none: NoEstimate = {"value": None, "reason": "these labels come without several raters' answers", "n": 0}
    test = run.facts["ceiling"]["test"]
    return Trained(
        run_id=run.run_id,
        recipe=run.recipe,
        accuracy=run.metrics["accuracy"],
        ceiling=none if test is None else test["rater"],
        is_leaky=bool(run.leak["found"]),
    )


def next_step(study: str, now: Standing) -> NextStep:
    """The first thing on the way that is not there yet."""
    if now.clips == 0:
        return NextStep(
            "There is nothing to hear yet: give this study some recordings.",
            "ingest",
            "Add recordings",
            f"workbench ingest FILE_OR_FOLDER_OR_URL --study {study}",
        )
    if now.answered == 0:
        return NextStep(
            f"{_clips(now.clips)} wait for their first answer.", "label", f"Label the {now.clips} waiting clips"
        )
    if now.people and now.complete < now.clips:
        return NextStep(
            f"{_clips(now.waiting)} still have fewer than {now.k} answers.",
            "label",
            f"Label the {now.waiting} waiting clips",
        )
    value = now.alpha["value"]
    if value is not None and value < TENTATIVE and now.release is None:
        return NextStep(
            "Raters do not agree enough yet: hear the clips they differ on most, and sharpen the definitions.",
            "agreement",
            "Hear the clips in dispute",
        )
    if now.release is None or now.answers_since_release:
        since = f"{now.answers_since_release} answers came after release '{now.release}'. " if now.release else ""
        return NextStep(
            f"{since}Training and papers need labels that do not move: make a release.",
            "release",
            "Make a release",
            f"workbench release create NAME --study {study}",
        )
    if now.run is None:
        return NextStep(f"No model has learnt from release '{now.release}' yet.", "train", "Train on it")
    if not now.people:
        return NextStep(
            "So far only simulated raters have answered: people must label before any number here means something.",
            "label",
            f"Label the {now.waiting} waiting clips",
        )
    return NextStep(
        "The way is complete once. Hear and see how this drama differs from acted speech.", "compare", "Compare"
    )


def trust(alpha: Estimate | NoEstimate) -> str:
    """Whether labels with this Krippendorff alpha can be trusted, in one sentence."""
    if alpha["value"] is None:
        return f"Not known yet: {alpha['reason']}."
    if alpha["low"] is None:
        return f"Not known yet: {alpha['reason']}."
    if alpha["low"] >= RELIABLE:
        return "Yes: raters agree well enough to rely on these labels."
    if alpha["value"] >= RELIABLE:
        return "Probably: raters agree well, but with so few clips it may still be less."
    if alpha["value"] >= TENTATIVE:
        return "With care: raters agree enough for tentative conclusions, not for firm ones."
    if alpha["low"] <= 0:
        return "No: raters may agree no more than by chance."
    return "Not as they stand: raters agree more than by chance, but too little to rely on single labels."


def _clips(count: int) -> str:
    return "1 clip" if count == 1 else f"{count} clips"
