"""Clips that people have answered, among those that leave a study or would, and among those that stand outside it.

Nothing that was answered is lost when its clip leaves: the answers stay in the store under the clip's id, and count
again when it comes back.
"""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from pipelines.study import Study
from pipelines.units import ClipId
from workbench.store import Store, open_store
from workbench.store.connection import store_url
from workbench.store.tables import RATERS, STANDING

if TYPE_CHECKING:
    from pipelines.ingest.selection.threshold_preview import Candidates

#: Why an answered clip is not in the study, beside the reasons of pipelines.ingest.state.dropped_clips.
TAKEN_DOWN, ELSEWHERE = "taken_down", "elsewhere"


def answered(store: Store) -> frozenset[ClipId]:
    """Clips that a person, or a table of known answers, has answered; what machines said can be said again."""
    people = sa.select(RATERS.c.rater).where(RATERS.c.kind != "machine")
    query = sa.select(STANDING.c.clip_id).where(STANDING.c.rater.in_(people)).distinct()
    with store.reading() as connection:
        return frozenset(connection.scalars(query))


def answered_in(study: Study) -> frozenset[ClipId]:
    """The same, of a study whose store need not be there. Raises StoreError."""
    if not (study.labels_db.is_file() or store_url(study)):
        return frozenset()
    with open_store(study) as store:
        return answered(store)


def outside(study: Study, with_answers: frozenset[ClipId], candidates: "Candidates | None") -> Mapping[str, int]:
    """How many of `with_answers` are no clips of the study now, by the reason, the commonest first.

    `elsewhere`: this machine has no window of that name, or no candidates at all. Raises TableError.
    """
    from pipelines.ingest.sources import read_sources
    from pipelines.ingest.state.dropped_clips import UNLISTED, main_reason
    from pipelines.manifest import read_clips
    from pipelines.takedowns import read_takedowns

    known = {clip.clip_id for clip in read_clips(study.clips_csv)} if study.clips_csv.is_file() else set()
    out = with_answers - known
    if not out:
        return {}
    withdrawn = {row.source_id for row in read_takedowns(study)}
    listed = {source.source_id for source in read_sources(study.sources_csv)} if study.sources_csv.is_file() else None
    rows = {name: row for row, name in enumerate(candidates.clip_ids)} if candidates is not None else {}

    def reason(name: ClipId) -> str:
        source_id = name.rpartition("-")[0]
        if source_id in withdrawn:
            return TAKEN_DOWN
        if listed is not None and source_id not in listed:
            return UNLISTED
        if candidates is None or name not in rows:
            return ELSEWHERE
        return main_reason(candidates.reasons[rows[name]])

    return dict(Counter(reason(name) for name in sorted(out)).most_common())


def leaving_words(left: int, with_answers: int, *, is_done: bool) -> str:
    """`14 of the 37 clips that left have answers, ...`, or of those that would leave; empty where none has."""
    if not with_answers:
        return ""
    gone = "that left" if is_done else "that would leave"
    if left == 1:
        return f"The clip {gone} has answers: they wait under its id and count again when it comes back."
    have = "has" if with_answers == 1 else "have"
    return f"{with_answers} of the {left} clips {gone} {have} answers: they wait under their ids and count again later."
