"""Which standing answers count when a study is measured or released."""

from collections import Counter
from dataclasses import dataclass

from pipelines.errors import DataError
from pipelines.manifest import read_clips
from pipelines.schema import Clip, Vote
from pipelines.study import Study
from pipelines.units import RaterId
from workbench.store import Annotation, Store


@dataclass(frozen=True)
class Counted:
    """The clips of a study and the answers to them that count, in one pass.

    `simulated`: machine raters whose answers are among them. `machine_left_out`: answers of machines that do not count
    any more, since people have taken over. `gone`: answers to clips that are no longer kept.
    """

    clips: tuple[Clip, ...]
    annotations: tuple[Annotation, ...]
    simulated: tuple[RaterId, ...]
    machine_left_out: int
    gone: int

    @property
    def votes(self) -> tuple[Vote, ...]:
        """The answers that hold a label."""
        return tuple(Vote(one.clip_id, one.rater, one.label, one.rater_kind) for one in self.annotations if one.label)

    @property
    def groups(self) -> dict[str, str]:
        """Clip → what splits and intervals keep together."""
        return {clip.clip_id: clip.group_id for clip in self.clips}


def counted(study: Study, store: Store, pass_: str = "audio") -> Counted:
    """The answers that count now.

    Machines stand in for people only until two people have answered the same clip; from then on people alone count.
    References (known answers, to check raters with) never do. Raises DataError when the study has no clips.
    """
    if not study.clips_csv.is_file():
        raise no_clips(study)
    clips = read_clips(study.clips_csv)
    known = {clip.clip_id for clip in clips}
    standing = store.standing(study.settings.scheme, pass_, ("person", "machine"))
    here = [one for one in standing if one.clip_id in known]
    by_people = Counter(one.clip_id for one in here if one.rater_kind == "person" and one.label)
    people_alone = any(count > 1 for count in by_people.values())
    kept = [one for one in here if one.rater_kind == "person" or not people_alone]
    return Counted(
        clips=clips,
        annotations=tuple(sorted(kept, key=lambda one: (one.clip_id, one.rater))),
        simulated=tuple(sorted({one.rater for one in kept if one.rater_kind == "machine"})),
        machine_left_out=len(here) - len(kept),
        gone=len(standing) - len(here),
    )


def no_clips(study: Study) -> DataError:
    """The error for a study that has nothing to answer to, with the command that brings it some."""
    return DataError(f"study '{study.name}' has no clips yet: begin with 'workbench ingest FILE --study {study.name}'")
