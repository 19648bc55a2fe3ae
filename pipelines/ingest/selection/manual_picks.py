"""Manual picks and speakers: picks.csv and speakers.csv, next to clips.csv and equally shareable.

picks.csv      source_id, start_sample, n_samples: stretches that a person picked as clips
speakers.csv   clip_id, speaker, gender: who speaks in a clip, where known

The workbench writes both from its event log; ingest reads them. Neither holds anything a rater must not know.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pipelines.errors import TableError
from pipelines.manifest import read_table, table_to_csv
from pipelines.schema import NAME
from pipelines.study import Study
from pipelines.units import ClipId, Samples, SourceId

PICK_COLUMNS = ("source_id", "start_sample", "n_samples")
SPEAKER_COLUMNS = ("clip_id", "speaker", "gender")

GENDERS = ("female", "male", "other")
MAX_NAME_LENGTH = 100


@dataclass(frozen=True, slots=True, order=True)
class Pick:
    """A stretch of one source that a person picked as a clip, in samples of its linear decode."""

    start_sample: Samples
    n_samples: Samples

    @property
    def end_sample(self) -> Samples:
        """The first sample after it."""
        return self.start_sample + self.n_samples


def overlaps_any(stretch: Pick, others: Sequence[Pick]) -> bool:
    """Whether `stretch` overlaps any of `others`, which are sorted and do not overlap each other."""
    place = bisect_left(others, stretch)
    after = place < len(others) and others[place].start_sample < stretch.end_sample
    return after or (place > 0 and others[place - 1].end_sample > stretch.start_sample)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Speaker of a clip: a name within the study and one of GENDERS; either is empty if unknown."""

    speaker: str = ""
    gender: str = ""


def picks_file(study: Study) -> Path:
    """Path of picks.csv."""
    return study.manifests / "picks.csv"


def speakers_file(study: Study) -> Path:
    """Path of speakers.csv."""
    return study.manifests / "speakers.csv"


def read_picks(study: Study) -> Mapping[SourceId, tuple[Pick, ...]]:
    """The picks of each source, sorted by start; empty if there is no table.

    Raises TableError that names row and column: a cell that does not parse, or two picks that overlap.
    """
    path = picks_file(study)
    if not path.is_file():
        return {}
    found: dict[SourceId, list[tuple[Pick, int]]] = {}
    for number, row in enumerate(read_table(path, required=PICK_COLUMNS), start=1):
        source_id = row["source_id"]
        if not NAME.fullmatch(source_id):
            raise TableError(path.name, f"expected a source's id, found '{source_id}'", row=number, column="source_id")
        pick = Pick(_whole(path, number, row, "start_sample", 0), _whole(path, number, row, "n_samples", 1))
        found.setdefault(source_id, []).append((pick, number))
    for numbered in found.values():
        numbered.sort()
        for (before, earlier), (pick, later) in pairwise(numbered):
            if pick.start_sample < before.end_sample:
                expected = f"expected a stretch of its own, found one that overlaps row {min(earlier, later)}"
                raise TableError(path.name, expected, row=max(earlier, later), column="start_sample")
    return {source_id: tuple(pick for pick, _ in found[source_id]) for source_id in sorted(found)}


def picks_to_csv(picks: Mapping[SourceId, Iterable[Pick]]) -> str:
    """The table as text, sorted by source and start: same picks, same bytes."""
    rows = [
        {"source_id": source_id, "start_sample": pick.start_sample, "n_samples": pick.n_samples}
        for source_id in sorted(picks)
        for pick in sorted(picks[source_id])
    ]
    return table_to_csv(PICK_COLUMNS, rows)


def read_speakers(study: Study) -> Mapping[ClipId, Speaker]:
    """Speakers by clip; empty if there is no table. Raises TableError that names row and column."""
    path = speakers_file(study)
    if not path.is_file():
        return {}
    found: dict[ClipId, Speaker] = {}
    for number, row in enumerate(read_table(path, required=SPEAKER_COLUMNS), start=1):
        clip_id, speaker, gender = row["clip_id"], row["speaker"].strip(), row["gender"].strip()
        if not clip_id:
            raise TableError(path.name, "expected a clip id, found an empty cell", row=number, column="clip_id")
        if clip_id in found:
            raise TableError(path.name, f"expected one row per clip, found '{clip_id}' again", row=number)
        if (problem := speaker_problem(speaker)) is not None:
            raise TableError(path.name, problem, row=number, column="speaker")
        if (problem := gender_problem(gender)) is not None:
            raise TableError(path.name, problem, row=number, column="gender")
        if not speaker and not gender:
            raise TableError(path.name, "expected a speaker or a gender, found neither", row=number)
        found[clip_id] = Speaker(speaker, gender)
    return found


def speakers_to_csv(speakers: Mapping[ClipId, Speaker]) -> str:
    """The table as text, sorted by clip; clips without speaker and gender are left out."""
    rows = [
        {"clip_id": clip_id, "speaker": speakers[clip_id].speaker, "gender": speakers[clip_id].gender}
        for clip_id in sorted(speakers)
        if speakers[clip_id] != Speaker()
    ]
    return table_to_csv(SPEAKER_COLUMNS, rows)


def speaker_problem(speaker: str) -> str | None:
    """What is wrong with a speaker's name, in words; None if it is valid. Empty is valid."""
    if len(speaker) > MAX_NAME_LENGTH or (speaker and not speaker.isprintable()):
        return f"expected a name on one line of at most {MAX_NAME_LENGTH} characters, found {speaker[:40]!r}"
    return None


def gender_problem(gender: str) -> str | None:
    """What is wrong with a gender, in words; None if it is valid. Empty is valid."""
    if gender and gender not in GENDERS:
        return f"expected {', '.join(GENDERS)} or nothing, found {gender[:40]!r}"
    return None


def _whole(path: Path, number: int, row: Mapping[str, str], column: str, least: int) -> int:
    text = row[column]
    if not (text.isascii() and text.isdecimal() and len(text) <= 15) or int(text) < least:
        raise TableError(
            path.name, f"expected a whole number of {least} or more, found '{text}'", row=number, column=column
        )
    return int(text)
