"""A dry run: what an ingest would do, from one request per recording, with the disk and the time that it needs."""

import os
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.errors import MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.fetch.host_queues import Done, Errand, Lanes, Rested
from pipelines.ingest.fetch.probe import ANALYSE_PER_S, FETCH_PER_S, Outlook, look, refused
from pipelines.ingest.preflight.active_sources import Members
from pipelines.ingest.preflight.plan import Plan
from pipelines.ingest.state.queue import Queue
from pipelines.progress import Progress, ProgressCallback
from pipelines.study import Study
from pipelines.units import Seconds

#: Seconds for which what a site said is believed.
KEPT_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """An outlook for each plan that something would be done for, by source id, and what all that is accepted needs."""

    outlooks: dict[str, Outlook]
    disk_needed: int
    disk_free: int
    estimated_s: Seconds


def rehearse(
    study: Study,
    queue: Queue,
    plans: Sequence[Plan],
    members: Members,
    manners: Manners,
    jobs: int | None,
    report: ProgressCallback,
    *,
    retry_failed: bool = False,
) -> Rehearsal:
    """Ask about every address that would be fetched; one request each, at most once in a week.

    With `retry_failed`, what was refused is asked again at once.
    """
    free = shutil.disk_usage(study.private).free
    found: dict[str, Outlook] = {}
    hosts: dict[str, str] = {}
    for plan in plans:
        if plan.need == "analyse":
            size = 0 if plan.wanted.url else Path(plan.item.path).stat().st_size
            found[plan.source.source_id] = Outlook("accept", size_bytes=size, duration_s=plan.duration_s)
    told = _asked(study, queue, [plan for plan in plans if plan.need == "fetch"], manners, report, retry_failed)
    known = {
        (item.facts.get("extractor", ""), item.facts.get("extractor_id", "")): item.source_id
        for item in queue.items().values()
        if item.status in ("done", "fetched") and members.has(item)
    }
    needed = 0
    for plan in plans:
        name = plan.source.source_id
        one = told.get(name) if plan.need == "fetch" else found.get(name)
        if one is None:
            continue
        mark = (one.extractor, one.extractor_id)
        if one.verdict == "accept" and plan.need == "fetch":
            hosts[name] = Errand(name, plan.wanted.url).host
            if one.extractor not in ("", "generic") and known.setdefault(mark, name) != name:
                repeat = f"{plan.wanted.url}: the same recording as source '{known[mark]}'; taken once"
                one = replace(one, verdict="reject", reason_code="duplicate", reason=repeat, failure="gone")
        if one.verdict == "accept":
            # A local recording is not copied: only its clips need room.
            more = one.disk_bytes - (0 if plan.need == "fetch" else one.media_bytes)
            if 2 * (needed + more) + manners.reserve_bytes > free:
                words = (
                    f"{plan.wanted.given}: there is no room for it: {(needed + more) / 1e9:.2f} GB are needed twice "
                    f"over and {manners.reserve_bytes / 1e9:g} GB kept free, {free / 1e9:.2f} GB are there"
                )
                one = replace(one, verdict="defer", reason_code="disk_full", reason=words, failure="fix")
            else:
                needed += more
        found[name] = one
    return Rehearsal(found, needed, free, _time(found, hosts, manners, jobs))


def _asked(
    study: Study, queue: Queue, plans: Sequence[Plan], manners: Manners, report: ProgressCallback, retry_failed: bool
) -> dict[str, Outlook]:
    found: dict[str, Outlook] = {}
    urls = {plan.source.source_id: plan.wanted.url for plan in plans}
    for name, url in urls.items():
        kept = queue.outlook(url, since=manners.clock() - KEPT_S)
        if kept is not None and not (retry_failed and kept.failure):
            found[name] = kept

    def ask(errand: Errand, _tell: OnProgress, stop: threading.Event) -> Outlook:
        return look(errand.url, manners, study.settings.clip.length_s, stop)

    errands = [Errand(name, url) for name, url in urls.items() if name not in found]
    with Lanes(errands, ask, replace(manners, tries=1), queue.rests()) as lanes:
        while not lanes.ended:
            for news in lanes.news(0.2):
                if isinstance(news, Rested):
                    queue.rest(news.host, news.rest)
                elif isinstance(news, Done):
                    found[news.key] = _outlook(urls[news.key], news)
                    if found[news.key].failure in ("", "gone"):
                        queue.keep_outlook(urls[news.key], found[news.key], manners.clock())
            report(Progress("look", len(found), len(urls)))
    return found


def _outlook(url: str, done: Done[Outlook]) -> Outlook:
    if done.result is not None:
        return done.result
    if isinstance(done.error, MediaError):
        return refused(done.error)
    what = f"{url}: an error of this program ({type(done.error).__name__}: {done.error}); please report it"
    return refused(MediaError("bug", what, "bug"))


def _time(found: dict[str, Outlook], hosts: dict[str, str], manners: Manners, jobs: int | None) -> Seconds:
    """Seconds for all that is accepted: the longest lane, or the analysis where that takes longer."""
    lanes: dict[str, Seconds] = {}
    sound_s = 0.0
    for name, one in found.items():
        if one.verdict != "accept":
            continue
        sound_s += one.sound_s
        if name in hosts:
            fetching = one.media_bytes / FETCH_PER_S + manners.pause_s
            lanes[hosts[name]] = lanes.get(hosts[name], 0.0) + fetching
    return max([*lanes.values(), sound_s / ANALYSE_PER_S / (jobs or os.cpu_count() or 1)])
