"""What every recording together, the bounds in force and people's picks make of the candidates: decided, cut, written.

A pure function of the study's state: whatever ran before, in whatever order, and wherever it was killed, the same
bytes. Nothing is listened to here; a recording is decoded again only where a window that is kept has no file yet.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import MediaError
from pipelines.execution.process_pool import Failed, run_each
from pipelines.ingest.failures import problem_of
from pipelines.ingest.preview.decoded_audio import open_decoded_audio
from pipelines.ingest.report import Row
from pipelines.ingest.reproduce.clip_checks import ClipCheck, deserialize_checks, read_pcm16
from pipelines.ingest.reproduce.clip_cutting import ClipSlice, CutTask, cut_clips, cut_clips_from_samples
from pipelines.ingest.run.picked_windows import put_picked, score_picked, within
from pipelines.ingest.run.tables import Ended, Present, caught_up, linked, merged, write_tables
from pipelines.ingest.selection.decision import DecidedWindow, decide
from pipelines.ingest.selection.manual_picks import Pick, read_picks, read_speakers
from pipelines.ingest.selection.screens import config_hash
from pipelines.ingest.selection.speaker_quotas import read_clip_speakers
from pipelines.ingest.series.cross_source_rules import apply_cross_source_rules
from pipelines.ingest.series.repeat_masks import SourceCopy, StudyRepeats, find_study_repeats
from pipelines.ingest.source_analysis import RECIPE, analysis_hash
from pipelines.ingest.sources import Source, read_sources
from pipelines.ingest.state.queue import Item, Queue
from pipelines.ingest.video.shot_scores import cuts_by_source, with_shot_score
from pipelines.manifest import digest
from pipelines.media.audio import pcm_sha256
from pipelines.progress import Progress, ProgressCallback, ignore_progress
from pipelines.schema import Clip
from pipelines.study import Study, StudySettings
from pipelines.units import ClipId, Seconds, SourceId

if TYPE_CHECKING:
    from pipelines.execution.dask_cluster import Cluster

_AWAY = "away"


@dataclass(frozen=True, slots=True)
class Settled:
    """What settling did. `changed`: whether a byte of the tables is another; `redone`: sources decided anew or cut;
    `rows`: what somebody has to know beside the sources' own rows; `copies`: sources that are re-uploads of others."""

    changed: bool
    redone: frozenset[SourceId]
    rows: tuple[Row, ...]
    copies: Mapping[SourceId, SourceCopy]

    def then(self, later: "Settled") -> "Settled":
        """What this and a later settling of the same run did together; which clips left, the later one knows."""
        rows = [row for row in self.rows if row.status != "left" and row not in later.rows]
        return Settled(self.changed or later.changed, self.redone | later.redone, (*rows, *later.rows), later.copies)


def settle(
    study: Study,
    queue: Queue,
    known: Sequence[Source],
    ended: Sequence[Ended],
    report: ProgressCallback,
    *,
    jobs: int | None = None,
    stopped: bool = False,
    cluster: "Cluster | None" = None,
    was: Sequence[Clip] | None = None,
) -> Settled:
    """Bring decisions, clips and tables up to date. With `stopped` nothing is listened to, cut or reported.

    `was`: the clips before the run, where it has settled once already.

    Raises TableError for picks.csv or speakers.csv that do not parse, and Cancelled out of `report`; the tables hold
    what is done by then, but for a sources.csv that was edited and does not parse: TableError, and nothing is written.
    """
    sources = _grouped(queue, merged(known, ended))
    speakers, picks = read_speakers(study), read_picks(study)
    step = _Settling(study, queue, sources, picks, ignore_progress if stopped else report, jobs, cluster)
    try:
        step.decide(listen=not stopped)  # also when stopped: nobody should label an opening meanwhile
        if not stopped:
            step.cut()
    finally:
        if study.sources_csv.is_file():  # cutting may take an hour, and somebody may have edited it meanwhile
            sources = caught_up(sources, known, read_sources(study.sources_csv))
        sources = linked(sources, step.repeated)
        checks = {name: check for end in ended for name, check in deserialize_checks(end.checks).items()} | step.checks
        changed, left = write_tables(
            study, queue, sources, speakers, unlisted_leave=bool(known), checks=checks, was=was
        )
    copies = step.repeated.copies if step.repeated is not None else {}
    return Settled(changed, frozenset(step.redone), (*step.rows, *left), copies)


def _grouped(queue: Queue, sources: Sequence[Source]) -> list[Source]:
    """A group_id that a person wrote stays; one that ingest derived from series and episode follows them."""
    items = queue.items()
    found = []
    for source in sources:
        item = items.get(source.source_id)
        if item is not None and item.status == "done" and not source.is_taken_down:
            derived, last = source.derived_group_id, item.facts.get("derived_group_id", "")
            if last != derived:
                queue.put(replace(item, facts={**item.facts, "derived_group_id": derived}))
            if source.measured.get("group_id", "") in ("", last):
                source = replace(source, measured={**source.measured, "group_id": derived})
        found.append(source)
    return found


def decided_from(
    settings: StudySettings,
    masked: Sequence[object],
    picks: Sequence[Pick],
    cuts_s: Sequence[Seconds] | None = None,
) -> str:
    """A digest of all that the windows of a source are decided from, besides what was heard of them."""
    inputs: list[object] = [config_hash(settings, RECIPE), [str(one) for one in masked], [str(pick) for pick in picks]]
    inputs += [list(cuts_s)] if cuts_s is not None else []
    return digest(json.dumps(inputs))[:16]


class _Settling:
    """One settling: the sources that were heard, and what was found to be done."""

    def __init__(
        self,
        study: Study,
        queue: Queue,
        sources: Sequence[Source],
        picks: Mapping[SourceId, tuple[Pick, ...]],
        report: ProgressCallback,
        jobs: int | None,
        cluster: "Cluster | None",
    ) -> None:
        self._study = study
        self._settings = study.settings
        self._queue = queue
        self._report = report
        self._jobs = jobs
        self._cluster = cluster
        items = queue.items()
        self._sources = {one.source_id: one for one in sources if one.source_id and not one.is_taken_down}
        self._items = {
            name: items[name] for name in sorted(self._sources) if name in items and items[name].status == "done"
        }
        self._picks = picks
        self._cuts = cuts_by_source(study, queue, self._items)
        #: None until it was looked for.
        self.repeated: StudyRepeats | None = None
        self.redone: set[SourceId] = set()
        self.rows: list[Row] = []
        self.checks: dict[ClipId, ClipCheck] = {}

    def decide(self, *, listen: bool) -> None:
        """Decide anew where bounds, repeats, picks or films are others than before; scores of an older kind stay."""
        heard_as, clips_hash = analysis_hash(self._settings), config_hash(self._settings, RECIPE)
        self.repeated = self._repeated(listen)
        for name in self._picks:
            if name not in self._items:
                self._tell(name, "no_recording", f"picks.csv: source '{name}' has not been ingested; its picks wait")
        for done, (name, item) in enumerate(self._items.items()):
            if item.config_hash != heard_as:
                continue
            masked, cuts_s = self.repeated.masks.get(name, ()), self._cuts.get(name)
            picks, outside = within(item, self._picks.get(name, ()))
            self.rows += outside
            by = decided_from(self._settings, masked, picks, cuts_s)
            if item.decided_by == by:
                continue
            self._report(Progress("decide", done, len(self._items), name))
            before = self._queue.decided(item)
            windows = [with_shot_score(one.window, item.rate_hz, cuts_s) for one in before]
            self._queue.rescore(name, windows, [one.window for one in before])
            found = decide(windows, item.rate_hz, self._settings, source_id=name, masked=masked, picks=picks)
            put_picked(self._study, self._queue, item, windows, picks, cuts_s)
            self._forget_others([one for one, new in zip(before, found, strict=True) if new.kept > one.decision.kept])
            self._items[name] = replace(item, decided_by=by, clips_hash=clips_hash)
            if self._queue.decide(self._items[name], found, [one.decision for one in before]):
                self.redone.add(name)
        said = read_clip_speakers(self._study, self._items.keys(), self._sources.keys())
        most = self._settings.select.max_per_speaker
        self.redone |= apply_cross_source_rules(self._queue, self._items, self.repeated.order, said, most)

    def cut(self) -> None:
        """Make the files of kept windows that have none."""
        present = Present(self._study)
        tasks: dict[str, CutTask] = {}
        for name, item in self._items.items():
            slices = tuple(one for one in self._queue.slices(item) if not (one.clip_id in present and one.pcm_sha256))
            if not slices:
                continue
            path = Path(item.path)
            task = CutTask(name, path, self._study.audio, self._settings.clip.format, slices, item.track)
            if (checks := self._cut_from_sound(item, task)) is not None:
                self._is_cut(item, slices, checks)
            elif self._is_here(item, path):
                tasks[name] = task
            else:
                self._tell(
                    name,
                    _AWAY,
                    f"{name}: {len(slices)} of its clips have no sound here, and its recording is not at {path} any "
                    "more; bring it back and ingest again",
                )
        # As many as were asked for, also for one recording: two are processes, and none of them is this one.
        workers = self._jobs or min(os.cpu_count() or 1, max(1, len(tasks)))
        each = self._cluster.run_each if self._cluster else partial(run_each, jobs=workers)
        for name, outcome in each(cut_clips, tasks, stage="cut", report=self._report):
            if isinstance(outcome, Failed):
                problem = problem_of(name, outcome.error)
                self._tell(name, problem.reason_code, problem.reason, problem.failure)
                continue
            self._is_cut(self._items[name], tasks[name].slices, outcome)

    def _cut_from_sound(self, item: Item, task: CutTask) -> str | None:
        """Where somebody has mined the source by hand, its exact sound is here and nothing has to be decoded.

        Returns the clips' checks; None where there is no such sound.
        """
        sound = open_decoded_audio(self._study, item.source_id, item.sha256)
        if sound is None or sound.facts.pcm_sha256 != item.facts["pcm_sha256"]:
            return None
        try:
            return cut_clips_from_samples(sound.samples, item.rate_hz, task)
        except MediaError:
            return None

    def _is_cut(self, item: Item, slices: Sequence[ClipSlice], checks: str) -> None:
        self.checks |= deserialize_checks(checks)
        self.redone.add(item.source_id)
        score_picked(self._study, self._queue, item, slices, self._cuts.get(item.source_id))

    def _repeated(self, listen: bool) -> StudyRepeats:
        if not self._items:
            return StudyRepeats()
        sources = self._sources.values()
        return find_study_repeats(self._study, self._queue, sources, self._report, jobs=self._jobs, listen=listen)

    def _forget_others(self, windows: Sequence[DecidedWindow]) -> None:
        """Remove files that windows which are to be clips now would find there, and that hold something else.

        A clip of another length, cut under other settings, has the same id.
        """
        for one in windows:
            path = self._study.clip_path(one.clip_id)
            if not path.is_file():
                continue
            try:
                is_it = pcm_sha256(read_pcm16(path)[0]) == one.window.pcm_sha256
            except MediaError:
                is_it = False
            if not is_it:
                path.unlink(missing_ok=True)

    def _is_here(self, item: Item, path: Path) -> bool:
        return path.is_file() and (self._queue.is_as_it_was(path) or self._queue.sha256(path) == item.sha256)

    def _tell(self, name: SourceId, code: str, reason: str, failure: str = "fix") -> None:
        self.rows.append(Row(name, "failed", name, code, reason, failure=failure))
