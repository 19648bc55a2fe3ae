"""From an address to a registered recording: fetched and looked at in its host's lane, then entered in the queue."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipelines.atomic_write import move_into_place, sha256_file
from pipelines.errors import MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.fetch.disk_space import check_room
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.fetch.format_selection import SOUND
from pipelines.ingest.fetch.probe import judge
from pipelines.ingest.preflight.active_sources import Members
from pipelines.ingest.preflight.plan import Plan
from pipelines.ingest.sources import TAKEN_DOWN
from pipelines.ingest.state.queue import Item, Queue, path_text
from pipelines.media.audio import probe
from pipelines.study import Study
from pipelines.units import Seconds, SourceId


@dataclass(frozen=True, slots=True)
class Taken:
    """A recording that has come whole and can be decoded; still among the partial files."""

    path: Path
    sha256: str
    duration_s: Seconds | None
    facts: Mapping[str, str]


def take(
    url: str,
    source_id: SourceId,
    media: Path,
    manners: Manners,
    shortest_s: Seconds,
    tell: OnProgress,
    *,
    formats: str = SOUND,
    stop: threading.Event | None = None,
) -> Taken:
    """Fetch what `formats` chooses (see pipelines.ingest.fetch.format_selection) and look at it.

    Touches nothing but its partial file.

    Raises MediaError, Cancelled.
    """
    from pipelines.ingest.fetch.download import fetch

    media.mkdir(parents=True, exist_ok=True)
    check_room(url, media, 0, manners)

    def look_at(info: Mapping[str, Any]) -> None:
        judge(url, info, manners, shortest_s)
        check_room(url, media, int(info.get("filesize") or info.get("filesize_approx") or 0), manners)

    got = fetch(
        url,
        source_id,
        media / "partial",
        manners=manners,
        tell=tell,
        judge=look_at,
        formats=formats,
        stop=stop,
    )
    try:
        facts = probe(got.path)
    except MediaError as error:
        got.path.unlink()
        told = f"{url}: what the server gave {error.reason.split(': ', 1)[1]}"
        raise MediaError(error.reason_code, told, error.failure) from None
    if facts.duration_s and got.duration_s and facts.duration_s < 0.95 * got.duration_s - 2:
        got.path.unlink()
        raise MediaError(
            "broken_off",
            f"{url}: lasts {facts.duration_s:.0f} s of the {got.duration_s:.0f} s that the site tells; ingest again",
            "retry",
        )
    return Taken(got.path, sha256_file(got.path), facts.duration_s, got.facts)


def settle(study: Study, queue: Queue, plan: Plan, item: Item, taken: Taken, members: Members) -> Plan:
    """Enter what was taken in the queue, or turn it down as a repeat or as another recording than the known one.

    What was ingested before under this name stays in the queue as it is, unless the same bytes have come again.
    """
    name = plan.source.source_id
    if (withdrawn := members.taken_down(taken.sha256)) is not None:
        taken.path.unlink()
        told = f"{plan.wanted.url}: holds the recording of source '{withdrawn}', which was taken down; it stays out"
        raise MediaError(TAKEN_DOWN, told, "gone")
    items = queue.items()
    before = items.get(name)
    known = plan.source.measured.get("sha256", "")
    known = known or (before.sha256 if before is not None and before.status == "done" else "")
    if known and known != taken.sha256:
        taken.path.unlink()
        other = (
            f"{plan.wanted.url}: gives another recording than the one that source '{name}' was made from (its checksum "
            "differs); give this one another source_id, and both stay"
        )
        raise MediaError("changed", other, "gone")
    alike = (one for one in items.values() if one.sha256 == taken.sha256 and one.source_id != name)
    same = next((one for one in alike if members.has(one)), None)
    if same is not None and not known:
        taken.path.unlink()
        queue.put(replace(item, status="duplicate", facts={"dup_of": same.source_id}))
        again = MediaError(
            "duplicate", f"{plan.wanted.url}: the same recording as source '{same.source_id}'; taken once", "gone"
        )
        return replace(plan, need="duplicate", problem=again)
    target = study.media / f"{name}{taken.path.suffix}"
    if target.is_file() and queue.sha256(target) == taken.sha256:
        taken.path.unlink()  # the same bytes again: the file that is there was not at fault
    else:
        move_into_place(taken.path, target)
    queue.remember(target, taken.sha256)
    item = replace(item, path=path_text(target), sha256=taken.sha256, status="fetched", facts=taken.facts)
    queue.put(item)
    return replace(plan, need="analyse", item=item, duration_s=taken.duration_s)
