"""Withdrawing a source: its sound and all that was made of it leave this machine, a tombstone and the record stay.

Each step may be done twice, and the record is written first: whatever stopped a takedown, the same command ends it.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pipelines.atomic_write import write_text
from pipelines.errors import ConfigError
from pipelines.execution.shared_storage import Storage, storage_url
from pipelines.ingest.reproduce.clip_checks import checks_path, read_checks, write_checks
from pipelines.ingest.selection.manual_picks import (
    picks_file,
    picks_to_csv,
    read_picks,
    read_speakers,
    speakers_file,
    speakers_to_csv,
)
from pipelines.ingest.series.repeat_masks import forget_source
from pipelines.ingest.series.shared_audio import related_sources
from pipelines.ingest.sources import FINGERPRINT, TAKEN_DOWN, Source, read_sources, sources_to_csv
from pipelines.ingest.state.queue import Item, Queue, open_queue, path_text
from pipelines.manifest import write_clips
from pipelines.study import Study
from pipelines.takedowns import Takedown, read_takedowns, write_takedowns
from pipelines.units import Hertz, SourceId
from workbench.takedown.impact import Withdrawal, find_source, listed_clips, releases_with
from workbench.takedown.scrub import Traces, traces

LONGEST_REASON = 500
#: Columns that say what a site calls a recording and who put it there.
CALLED = ("title", "uploader", "uploader_id")


@dataclass(frozen=True)
class _Work:
    """What every step needs. `sounds` are (checksum, rate) of the clips' sound."""

    study: Study
    queue: Queue
    source_id: SourceId
    item: Item | None
    sounds: frozenset[tuple[str, Hertz]]
    traces: Traces
    done: Withdrawal


def take_down(study: Study, name: str, reason: str = "", *, now: datetime | None = None) -> Withdrawal:
    """Withdraw a source for good; for one that was, remove what is still (or again) there.

    Raises UnknownName, ConfigError (a reason of several lines, an ingest that is running), TableError, StorageError.
    """
    plain = reason.strip()
    if len(plain) > LONGEST_REASON or (plain and not plain.isprintable()):
        raise ConfigError(f"--reason: expected one line of at most {LONGEST_REASON} characters")
    source_id = find_source(study, name)
    with open_queue(study.ingest_db) as queue:
        work = _work(study, queue, source_id, plain, now or datetime.now(UTC))
        for step in STEPS:
            step(work)
        return work.done


def _work(study: Study, queue: Queue, source_id: SourceId, reason: str, now: datetime) -> _Work:
    item = queue.items().get(source_id)
    listed = [clip for clip in listed_clips(study) if clip.source_id == source_id]
    sounds = {(clip.pcm_sha256, clip.rate_hz) for clip in listed}
    ids = [clip.clip_id for clip in listed]
    if item is not None:
        kept = queue.kept(item)
        sounds |= {(one.window.pcm_sha256, item.rate_hz) for one in kept}
        ids += [one.clip_id for one in kept]
    earlier = [row for row in read_takedowns(study) if row.source_id == source_id]
    ids += [clip for row in earlier for clip in row.clips]
    clips = tuple(sorted(set(ids)))
    done = Withdrawal(
        source_id,
        clips,
        reason=reason or (earlier[-1].reason if earlier else ""),
        date=earlier[0].date if earlier else now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        is_again=bool(earlier),
        releases=releases_with(study, clips),
        kin=related_sources(study, source_id),
    )
    rows = read_sources(study.sources_csv) if study.sources_csv.is_file() else ()
    row = next((row for row in rows if row.source_id == source_id), None)
    titles = [facts.get("title", "") for facts in (row.measured if row else {}, item.facts if item else {})]
    uris = [row.uri if row else "", item.uri if item else ""]
    return _Work(study, queue, source_id, item, frozenset(sounds), traces(source_id, uris, titles), done)


def _enter(work: _Work) -> None:
    """The record comes first: from here on ingest does not bring the source back."""
    rows = read_takedowns(work.study)
    told = {clip for row in rows if row.source_id == work.source_id for clip in row.clips}
    new = tuple(clip for clip in work.done.clips if clip not in told)
    if new or not work.done.is_again:
        row = Takedown(work.done.date, work.source_id, new, work.done.reason)
        write_takedowns(work.study, [*rows, row])


def _wipe_traces(work: _Work) -> None:
    """Before the tombstone forgets the title by which they are known."""
    changed, work.done.running = work.traces.wipe(work.study)
    work.done.files_wiped += changed


def _mark(work: _Work) -> None:
    if not work.study.sources_csv.is_file():
        return
    sources = read_sources(work.study.sources_csv)
    marked = [_tombstone(source) if source.source_id == work.source_id else source for source in sources]
    write_text(work.study.sources_csv, sources_to_csv(marked))


def _remove_features(work: _Work) -> None:
    from pipelines.features import FeatureCache, pcm_content

    contents = {pcm_content(*sound) for sound in work.sounds if sound[0]}
    for folder in (work.study.cache / "features", work.study.root / "data" / "_corpora" / "cache"):
        if folder.is_dir():
            work.done.feature_rows += FeatureCache(folder).forget(contents)


def _remove_files(work: _Work) -> None:
    for path in _files(work):
        if path.is_dir():
            work.done.files += sum(file.is_file() for file in path.rglob("*"))
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
            work.done.files += 1
    if work.item is not None and work.item.path:
        own = Path(work.item.path)
        if own.is_file() and work.study.private.resolve() not in own.resolve().parents:
            work.done.kept_files = (path_text(own),)
        elif own.is_file():  # laid into the study by hand, under a name of its own
            own.unlink()
            work.done.files += 1


def _clear_storage(work: _Work) -> None:
    """What many machines were given of it, and made of it; this one need not be one of them."""
    url = storage_url(work.study)
    known = {work.item.sha256} if work.item is not None else set()
    if work.study.sources_csv.is_file():
        listed = read_sources(work.study.sources_csv)
        known |= {one.measured.get("sha256", "") for one in listed if one.source_id == work.source_id}
    for sha256 in sorted(known - {""}) if url else ():
        Storage(url).delete(sha256)


def _remove_candidates(work: _Work) -> None:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from pipelines.atomic_write import atomic_path

    if work.study.candidates.is_file():
        table = pq.read_table(work.study.candidates)
        rest = table.filter(pc.not_equal(table["source_id"], work.source_id))
        if rest.num_rows < table.num_rows:
            with atomic_path(work.study.candidates) as temporary:
                pq.write_table(rest, temporary, compression="zstd")


def _remove_picks(work: _Work) -> None:
    """The store's history stays as it is; what is withdrawn no longer stands in it."""
    study = work.study
    if picks_file(study).is_file():
        picks = {name: found for name, found in read_picks(study).items() if name != work.source_id}
        write_text(picks_file(study), picks_to_csv(picks))
    if speakers_file(study).is_file():
        speakers = read_speakers(study)
        own = re.compile(rf"{re.escape(work.source_id)}-\d{{9}}")
        left = {name: said for name, said in speakers.items() if not own.fullmatch(name)}
        write_text(speakers_file(study), speakers_to_csv(left))


def _remove_repeats(work: _Work) -> None:
    forget_source(work.study, work.source_id)


def _remove_clips(work: _Work) -> None:
    """Last of the tables: while clips.csv still lists them, a second run knows what to look for."""
    study = work.study
    if not study.clips_csv.is_file():
        return
    rest = [clip for clip in listed_clips(study) if clip.source_id != work.source_id]
    checks = read_checks(checks_path(study.clips_csv))
    if checks:
        staying = {clip.clip_id for clip in rest}
        write_checks(checks_path(study.clips_csv), [check for name, check in checks.items() if name in staying])
    write_clips(study.clips_csv, rest)


def _close(work: _Work) -> None:
    work.queue.forget(work.source_id, work.traces.uris, work.item.path if work.item is not None else "")
    if work.item is not None:
        told = f"source '{work.source_id}' was taken down"
        facts = _forgotten(work.item.facts)
        end = replace(
            work.item, path="", status="failed", reason_code=TAKEN_DOWN, reason=told, failure="gone", facts=facts
        )
        work.queue.put(end, ())


#: In this order; each may be run again.
STEPS: Sequence[Callable[[_Work], None]] = (
    _enter, _wipe_traces, _mark, _remove_features, _remove_files, _clear_storage, _remove_candidates, _remove_repeats,
    _remove_picks, _remove_clips, _close,
)  # fmt: skip


def _tombstone(source: Source) -> Source:
    return replace(source, measured={**_forgotten(source.measured), "status": TAKEN_DOWN, "reason_code": TAKEN_DOWN})


def _forgotten(facts: Mapping[str, str]) -> dict[str, str]:
    """Facts without the fingerprint, which was made of the sound, and without what a site calls it and its owner.

    The checksum stays and keeps the file out.
    """
    return {name: cell for name, cell in facts.items() if name not in (*FINGERPRINT, *CALLED)}


def _files(work: _Work) -> Iterator[Path]:
    """Files and folders in the private half that are named after the source or one of its clips."""
    source, study = re.escape(work.source_id), work.study
    whole, cut = re.compile(rf"\.?{source}(\..*)?"), re.compile(rf"\.?{source}(-\d{{9}})?(\..*)?")
    partial = study.media / "partial"
    for folder in (study.audio, study.media, partial, partial / "video", study.video, study.cache):
        name = whole if study.media in (folder, *folder.parents) else cut
        for path in sorted(folder.rglob("*") if folder == study.cache else folder.glob("*")):
            if name.fullmatch(path.name) and path.exists() and study.cache / "snapshots" not in path.parents:
                yield path
