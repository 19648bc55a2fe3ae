"""What each wanted recording needs: nothing, fetching, analysing, or the reason why not; nothing is decoded here."""

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pipelines.errors import MediaError
from pipelines.ingest.analysis.track_language import choose_track, tracks_from_text
from pipelines.ingest.failures import problem_of
from pipelines.ingest.fetch.allowed_hosts import check_host
from pipelines.ingest.preflight.active_sources import Members
from pipelines.ingest.preflight.inputs import MEDIA_SUFFIXES, Wanted, no_media
from pipelines.ingest.preflight.plan import Plan, failed, paused
from pipelines.ingest.preflight.progress import Checking
from pipelines.ingest.preflight.retry_policy import Retries
from pipelines.ingest.source_analysis import too_short
from pipelines.ingest.sources import Source, address_of, new_source_id, url_mark
from pipelines.ingest.state.operator_requests import read_requests
from pipelines.ingest.state.queue import Item, Queue, path_text
from pipelines.media.audio import probe
from pipelines.progress import ProgressCallback, ignore_progress
from pipelines.study import Study
from pipelines.takedowns import read_takedowns
from pipelines.units import SourceId


class Preflight:
    """Decides for one recording after the other; remembers which ids, files and checksums it has met."""

    def __init__(
        self,
        study: Study,
        queue: Queue,
        known: Sequence[Source],
        config: str,
        rights_basis: str,
        *,
        retry_failed: bool = False,
        salvage: bool = False,
        now: float = 0.0,
    ) -> None:
        self._requests = read_requests(study)
        self._retries = Retries(
            config, queue.waits(), self._requests, retry_failed=retry_failed, salvage=salvage, now=now
        )
        self._study = study
        self._queue = queue
        self._config = config
        self._rights = rights_basis
        self._items = queue.items()
        self._known = {source.source_id: source for source in known if source.source_id}
        self._withdrawn = {row.source_id for row in read_takedowns(study)}
        self.members = Members(known, self._withdrawn)
        self._taken: set[SourceId] = {*self._items, *self._known, *self._withdrawn}
        self._met: set[SourceId] = set()
        self._reserved: set[SourceId] = set()
        #: Of each row, of this run or the study: its address in one form, empty for a file; the first row at each.
        self._addresses: dict[SourceId, str] = {}
        self._listed_at: dict[str, SourceId] = {}
        self._items_at: dict[str, list[SourceId]] = {}
        for item in self._items.values():
            self._items_at.setdefault(item.uri, []).append(item.source_id)
        self._checking = Checking(queue, (), ignore_progress, lambda: None)
        self.skipped = 0

    def plan(
        self,
        wanted: Sequence[Wanted],
        report: ProgressCallback = ignore_progress,
        begin: Callable[[], None] = lambda: None,
    ) -> tuple[Plan, ...]:
        """A plan per recording. Files in folders that are no media by content or name are counted in `skipped`.

        `begin` is called whenever one is found that has to be analysed, and once a long one is being read. Raises
        Cancelled out of `report`, also while a recording is read; checksums taken until then need not be taken again.
        """
        rows = {one.source.source_id: one.source for one in wanted if one.source and one.source.source_id}
        self._reserved = set(rows)
        self._addresses = {name: address_of(row) for name, row in (self._known | rows).items()}
        self._listed_at = {address: name for name, address in reversed(self._addresses.items()) if address}
        self._taken |= self._reserved
        self.members.add(self._asked(wanted))
        plans: list[Plan] = []
        empty: dict[Path, bool] = {}
        self._checking = Checking(self._queue, wanted, report, begin)
        for number, one in enumerate(wanted):
            self._checking.at(number)
            found = self._unless_paused(self._unless_withdrawn(one, self._one(one)))
            if one.folder is not None:
                empty[one.folder] = empty.get(one.folder, True) and found is None
            if found is None:
                self.skipped += 1
            else:
                plans.append(found)
                if found.asks_for_work:
                    begin()
                if found.item.source_id:
                    self._items[found.item.source_id] = found.item
                    at = self._items_at.setdefault(found.item.uri, [])
                    if found.item.source_id not in at:
                        at.append(found.item.source_id)
                if found.need not in ("failed", "duplicate"):
                    self.members.add([found.source.source_id])
        self._checking.at(len(wanted))
        for folder, nothing in empty.items():
            if nothing:
                bare = Wanted(str(folder), folder=folder)
                plans.append(failed(bare, Source("", str(folder)), Item("", ""), no_media(folder)))
        return tuple(plans)

    def _asked(self, wanted: Sequence[Wanted]) -> set[SourceId]:
        """The sources that are asked for, as far as that is known before a file is read: whichever is planned first."""
        by_uri = {item.uri: name for name, item in self._items.items()}
        by_path = {item.path: name for name, item in self._items.items() if item.path}
        found = set()
        for one in wanted:
            given = one.source.source_id if one.source is not None else ""
            if one.url:
                found.add(given or by_uri.get(one.url, ""))
            elif one.path is not None and one.path.is_file():
                found.add(given or by_path.get(path_text(one.path.absolute()), ""))
        return found

    def _unless_withdrawn(self, one: Wanted, plan: Plan | None) -> Plan | None:
        if plan is None or plan.source.source_id not in self._withdrawn:
            return plan
        told = f"{one.given}: source '{plan.source.source_id}' was taken down and is not brought back (takedowns.csv)"
        return replace(plan, need="failed", problem=MediaError("taken_down", told, "gone"))

    def _unless_paused(self, plan: Plan | None) -> Plan | None:
        if plan is None or not plan.asks_for_work:
            return plan
        return paused(plan) if self._requests.get(plan.source.source_id) == "pause" else plan

    def _one(self, one: Wanted) -> Plan | None:
        if one.problem is not None:
            source = one.source or Source("", one.given)
            return failed(one, source, Item(source.source_id, source.uri), one.problem)
        return self._url(one) if one.url else self._file(one)

    def _file(self, one: Wanted) -> Plan | None:
        path = one.path
        if path is None:
            raise ValueError("a wanted recording without a problem has a path or an address")
        path = path.absolute()
        item = self._item_of(one, path)
        if one.source is not None and not path.is_file() and item is not None and item.path:
            path = Path(item.path)  # the table knows only the name; this machine remembers the place
        if item is not None and item.source_id in self._met:
            return self._duplicate(one, item)
        if item is not None and self._queue.is_as_it_was(path) and item.path == path_text(path):
            if self._is_done(one, item):
                return self._done(one, item)
            known = self._retries.refusal(item)
            if known is not None:
                return failed(one, self._source(one, item.source_id, path.name), item, known)
        try:
            facts = probe(path, partial(choose_track, language=self._language(one, item)))
            sha256 = self._checking.sha256(path)
        except (MediaError, OSError) as error:
            problem = problem_of(path.name, error)
            looks = path.suffix.lower() in MEDIA_SUFFIXES
            if one.folder is not None and not looks and problem.reason_code in ("not_media", "empty", "no_audio"):
                return None
            source = self._source(one, item.source_id if item else "", path.name)
            return failed(one, source, Item(source.source_id, source.uri), problem)
        if item is None:
            item, original = self._same_content(one, path, sha256)
            if original is not None:
                return self._duplicate(one, original)
        elif item.sha256 and item.sha256 != sha256 and item.status == "done":
            return failed(one, self._source(one, item.source_id, path.name), item, _changed(path.name, item.source_id))
        source_id = item.source_id if item else (one.source.source_id if one.source else "")
        source_id = source_id or self._listed_as(one, sha256) or new_source_id(path.stem, sha256, self._taken)
        self._taken.add(source_id)
        source = self._source(one, source_id, path.name)
        fresh = replace(
            item or Item(source_id, source.uri), source_id=source_id, uri=path.name, path=path_text(path), sha256=sha256
        )
        listed = source.measured.get("sha256", "")
        if listed and listed != sha256:
            return failed(one, source, fresh, _changed(path.name, source_id))
        if facts.duration_s is not None and facts.duration_s < self._study.settings.clip.length_s - 0.1:
            return failed(one, source, fresh, too_short(path, facts.duration_s, self._study.settings))
        if self._is_done(one, fresh):
            return replace(self._done(one, fresh), duration_s=facts.duration_s)
        self._met.add(source_id)
        return Plan(one, "analyse", source, fresh, facts.duration_s)

    def _url(self, one: Wanted) -> Plan:
        item, original = self._same_address(one)
        if original is not None:
            return self._duplicate(one, original)
        source_id = item.source_id if item else (one.source.source_id if one.source else "")
        if not source_id:
            stem = Path(one.url.split("?")[0].rstrip("/")).stem if one.url.count("/") > 2 else ""
            source_id = new_source_id(stem or "web", url_mark(one.url), self._taken)
        self._taken.add(source_id)
        source = self._source(one, source_id, one.url)
        item = item or Item(source_id, one.url)
        self._met.add(source_id)
        if item.status == "duplicate":
            original = self._items.get(item.facts["dup_of"])
            if original is not None and self.members.has(original):
                return self._duplicate(one, original)
            item = Item(source_id, one.url)
        known = self._retries.refusal(item)
        if known is not None:
            return failed(one, source, item, known)
        is_here = os.path.isfile(item.path)  # noqa: PTH113  # raises nothing, and an empty path is none
        if is_here and not self._retries.fetches_anew(item):
            return self._done(one, item) if self._is_done(one, item) else Plan(one, "analyse", source, item)
        try:
            check_host(one.url, self._study.settings.allow_private_hosts)
        except MediaError as error:
            return failed(one, source, item, error)
        return Plan(one, "fetch", source, item)

    def _same_address(self, one: Wanted) -> tuple[Item | None, Item | None]:
        """The source that this address is, or the one that it gives once more: no row is written down for another."""
        given = one.source.source_id if one.source is not None else ""

        alike = [
            name
            for name in self._items_at.get(one.url, ())
            if name == given or self._addresses.get(name, one.url) == one.url  # it may have another address by now
        ]
        if alike:
            item = self._items[given if given in alike else alike[0]]
            if item.source_id in self._met:
                return None, item
        elif given or one.url not in self._listed_at:
            return None, None
        else:
            item = Item(self._listed_at[one.url], one.url)
        is_listed = item.source_id in self._addresses
        if given == item.source_id or not (given or is_listed):
            return item, None
        if not is_listed:
            return None, None  # somebody gave that source another name
        return (item, None) if one.source is None else (None, item)

    def _item_of(self, one: Wanted, path: Path) -> Item | None:
        if one.source is not None and one.source.source_id:
            return self._items.get(one.source.source_id)
        text = path_text(path)
        alike = (item for item in self._items.values() if item.path == text)
        return next((item for item in alike if not self._is_named_elsewhere(one, item.source_id)), None)

    def _is_named_elsewhere(self, one: Wanted, name: SourceId) -> bool:
        """Whether a row without an id would take the place of one that has this id and is asked for as well."""
        return one.source is not None and not one.source.source_id and name in self._reserved

    def _is_another(self, one: Wanted, item: Item, path: Path) -> bool:
        """Whether the same content counts as a source already, rather than as one whose file was moved here."""
        named_otherwise = one.source is not None and one.source.source_id not in ("", item.source_id)
        still_there = os.path.isfile(item.path) and item.path != path_text(path)  # noqa: PTH113  # raises nothing
        named_otherwise = named_otherwise or self._is_named_elsewhere(one, item.source_id)
        return item.source_id in self._met or named_otherwise or still_there

    def _same_content(self, one: Wanted, path: Path, sha256: str) -> tuple[Item | None, Item | None]:
        """The source that this file is, moved here, or the one in the study that it is a copy of."""
        alike = [item for item in self._items.values() if item.sha256 == sha256 and item.status != "failed"]
        members = [item for item in alike if self.members.has(item)]
        own = next((item for item in (*members, *alike) if not self._is_another(one, item, path)), None)
        is_listed = one.source is not None and one.source.source_id and one.source.measured.get("sha256") == sha256
        if members and own not in members and not is_listed:
            return None, members[0]
        return own, None

    def _listed_as(self, one: Wanted, sha256: str) -> SourceId:
        alike = (name for name, source in self._known.items() if source.measured.get("sha256") == sha256)
        return next((name for name in alike if not self._is_named_elsewhere(one, name)), "")

    def _is_done(self, one: Wanted, item: Item) -> bool:
        if item.status != "done" or item.config_hash != self._config:
            return False
        tracks = tracks_from_text(item.facts.get("tracks", ""))
        return len(tracks) < 2 or choose_track(tracks, self._language(one, item)) == item.track

    def _language(self, one: Wanted, item: Item | None) -> str:
        row = one.source or (self._known.get(item.source_id) if item is not None else None)
        return (row.language if row is not None else "") or self._study.settings.language

    def _done(self, one: Wanted, item: Item) -> Plan:
        self._met.add(item.source_id)
        return Plan(one, "nothing", self._source(one, item.source_id, item.uri), item)

    def _duplicate(self, one: Wanted, item: Item) -> Plan:
        again = MediaError(
            "duplicate", f"{one.given}: the same recording as source '{item.source_id}'; taken once", "gone"
        )
        return Plan(one, "duplicate", self._source(one, item.source_id, item.uri), item, problem=again)

    def _source(self, one: Wanted, source_id: SourceId, uri: str) -> Source:
        row = one.source or self._known.get(source_id) or Source(source_id, uri)
        return replace(
            row,
            source_id=source_id or row.source_id,
            uri=row.uri if row.is_url else Path(row.uri).name,
            rights_basis=row.rights_basis or self._rights,
        )


def _changed(name: str, source_id: SourceId) -> MediaError:
    return MediaError(
        "changed",
        f"{name}: is no longer the recording that source '{source_id}' was made from (its checksum differs); "
        "bring that one back, or give this one another name",
    )
