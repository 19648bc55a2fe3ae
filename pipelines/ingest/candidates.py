"""candidates.parquet: every window of the recordings of a study, kept or not, with its scores and what was decided."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines import __version__
from pipelines.atomic_write import atomic_path
from pipelines.ingest.selection.decision import SAME_CLIP
from pipelines.ingest.selection.screens import SCREENS
from pipelines.ingest.sources import Source
from pipelines.ingest.state.queue import Item, Queue
from pipelines.units import SourceId


def heard_items(items: Mapping[SourceId, Item], sources: Iterable[Source]) -> list[Item]:
    """The sources whose windows are the study's candidates, by id: those that are listed and done."""
    names = sorted(source.source_id for source in sources if source.source_id in items)
    return [items[name] for name in names if items[name].status == "done"]


def are_candidates_of(queue: Queue, heard: Iterable[Item]) -> bool:
    """Whether the table, where it is there, holds the windows of these sources as they are now."""
    return queue.candidates_made_of == _made_of(heard)


def write_candidates(path: Path, queue: Queue, heard: Sequence[Item]) -> None:
    """Write the windows of these sources, and keep in the queue whose they are."""
    _write(path, queue, heard)
    queue.made_candidates_of(_made_of(heard))


def _made_of(heard: Iterable[Item]) -> str:
    """A digest over all that the table is made from, but for the windows (Queue.ahead tells of those)."""
    facts = [__version__, [*SCREENS], [(item.source_id, item.track, item.rate_hz) for item in heard]]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _write(path: Path, queue: Queue, heard: Sequence[Item]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from pipelines.arrow_columns import number_column, string_column

    rows = [row for item in heard for row in _rows(item, queue)]
    stays = {row["pcm_sha256"]: row["clip_id"] for row in rows if row["status"] == "keep"}
    rows = [{**row, "same_as": stays.get(row["pcm_sha256"]) if row["reasons"] == SAME_CLIP else None} for row in rows]
    kinds: dict[str, str | type[str]] = {
        "clip_id": str, "source_id": str, "track": "i4", "start_sample": "i8", "n_samples": "i8", "rate_hz": "i4",
        "start_s": "f8", "end_s": "f8", "onset_s": "f8", **dict.fromkeys(SCREENS, "f4"), "status": str, "reasons": str,
        "arm": str, "pcm_sha256": str, "same_as": str,
    }  # fmt: skip
    columns = {
        name: string_column([row[name] for row in rows])
        if kind is str
        else number_column([row[name] for row in rows], kind)
        for name, kind in kinds.items()
    }
    with atomic_path(path) as temporary:
        pq.write_table(pa.table(columns), temporary, compression="zstd")


def _rows(item: Item, queue: Queue) -> list[Mapping[str, Any]]:
    rate_hz = item.rate_hz
    return [
        {
            "clip_id": one.clip_id,
            "source_id": item.source_id,
            "track": item.track,
            "start_sample": one.window.start_sample,
            "n_samples": one.window.n_samples,
            "rate_hz": rate_hz,
            "start_s": one.window.start_sample / rate_hz,
            "end_s": one.window.end_sample / rate_hz,
            "onset_s": one.window.onset_s,
            **dict.fromkeys(SCREENS),  # an earlier version may have had fewer
            **one.window.scores,
            "status": one.decision.status,
            "reasons": ";".join(one.decision.reasons),
            "arm": one.decision.arm,
            "pcm_sha256": one.window.pcm_sha256,
        }
        for one in queue.everything(item)
    ]
