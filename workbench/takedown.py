"""Withdrawing a source: its sound and all that was made of it leave this machine, a tombstone and the record stay.

Each step may be done twice, and the record is written first: whatever stopped a takedown, the same command ends it.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.atomic import write_text
from pipelines.errors import ConfigError, UnknownName
from pipelines.ingest.checks import checks_file, read_checks, write_checks
from pipelines.ingest.picks import (
    picks_file,
    picks_to_csv,
    read_picks,
    read_speakers,
    speakers_file,
    speakers_to_csv,
)
from pipelines.ingest.queue import Item, Queue, open_queue, path_text
from pipelines.ingest.repeated import forget
from pipelines.ingest.sources import FINGERPRINT, TAKEN_DOWN, Source, read_sources, sources_to_csv
from pipelines.manifest import read_clips, write_clips
from pipelines.schema import Clip
from pipelines.storage import Storage, storage_url
from pipelines.study import Study
from pipelines.takedowns import Takedown, read_takedowns, withdrawn_among, write_takedowns
from pipelines.units import ClipId, Hertz, SourceId

LONGEST_REASON = 500


@dataclass
class Withdrawal:
    """What a takedown met and did. `kept_files` are the owner's own recordings outside the study: those stay."""

    source_id: SourceId
    clips: tuple[ClipId, ...]
    reason: str = ""
    date: str = ""
    is_again: bool = False
    files: int = 0
    feature_rows: int = 0
    kept_files: tuple[str, ...] = ()
    releases: dict[str, int] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "source_id": self.source_id,
            "clips": list(self.clips),
            "reason": self.reason,
            "date": self.date,
            "again": self.is_again,
            "files_removed": self.files,
            "feature_rows_removed": self.feature_rows,
            "left_in_place": list(self.kept_files),
            "releases": self.releases,
        }


@dataclass(frozen=True)
class _Work:
    """What every step needs. `sounds` are (checksum, rate) of the clips' sound."""

    study: Study
    queue: Queue
    source_id: SourceId
    item: Item | None
    sounds: frozenset[tuple[str, Hertz]]
    done: Withdrawal


def find_source(study: Study, name: str) -> SourceId:
    """The id of the source named by id, address or file name. Raises UnknownName, ConfigError when two have it."""
    sources = read_sources(study.sources_csv) if study.sources_csv.is_file() else ()
    ids = {source.source_id for source in sources} | {row.source_id for row in read_takedowns(study)} - {""}
    if name in ids:
        return name
    meant = [source.source_id for source in sources if source.uri == name and source.source_id]
    if len(meant) > 1:
        raise ConfigError(f"'{name}' is the file name of {len(meant)} sources: name one of {', '.join(meant)}")
    if not meant:
        raise UnknownName("source", name, ids)
    return meant[0]


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


def outlook(study: Study, name: str) -> Withdrawal:
    """What `take_down` would withdraw, nothing done. Raises UnknownName, ConfigError."""
    source_id = find_source(study, name)
    clips = tuple(clip.clip_id for clip in _clips(study) if clip.source_id == source_id)
    earlier = [row for row in read_takedowns(study) if row.source_id == source_id]
    return Withdrawal(source_id, clips, is_again=bool(earlier), releases=_releases(study, clips))


def _work(study: Study, queue: Queue, source_id: SourceId, reason: str, now: datetime) -> _Work:
    item = queue.items().get(source_id)
    listed = [clip for clip in _clips(study) if clip.source_id == source_id]
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
        releases=_releases(study, clips),
    )
    return _Work(study, queue, source_id, item, frozenset(sounds), done)


def _enter(work: _Work) -> None:
    """The record comes first: from here on ingest does not bring the source back."""
    rows = read_takedowns(work.study)
    told = {clip for row in rows if row.source_id == work.source_id for clip in row.clips}
    new = tuple(clip for clip in work.done.clips if clip not in told)
    if new or not work.done.is_again:
        row = Takedown(work.done.date, work.source_id, new, work.done.reason)
        write_takedowns(work.study, [*rows, row])


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
        Storage(url).clear(sha256)


def _remove_candidates(work: _Work) -> None:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from pipelines.atomic import atomic_path

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
    forget(work.study, work.source_id)


def _remove_clips(work: _Work) -> None:
    """Last of the tables: while clips.csv still lists them, a second run knows what to look for."""
    study = work.study
    if not study.clips_csv.is_file():
        return
    rest = [clip for clip in _clips(study) if clip.source_id != work.source_id]
    checks = read_checks(checks_file(study.clips_csv))
    if checks:
        staying = {clip.clip_id for clip in rest}
        write_checks(checks_file(study.clips_csv), [check for name, check in checks.items() if name in staying])
    write_clips(study.clips_csv, rest)


def _close(work: _Work) -> None:
    if work.item is not None:
        told = f"source '{work.source_id}' was taken down"
        facts = _forgotten(work.item.facts)
        end = replace(
            work.item, path="", status="failed", reason_code=TAKEN_DOWN, reason=told, failure="gone", facts=facts
        )
        work.queue.put(end, ())


#: In this order; each may be run again.
STEPS: Sequence[Callable[[_Work], None]] = (
    _enter, _mark, _remove_features, _remove_files, _clear_storage, _remove_candidates, _remove_repeats, _remove_picks,
    _remove_clips, _close,
)  # fmt: skip


def _tombstone(source: Source) -> Source:
    return replace(source, measured={**_forgotten(source.measured), "status": TAKEN_DOWN, "reason_code": TAKEN_DOWN})


def _forgotten(facts: Mapping[str, str]) -> dict[str, str]:
    """Facts without the fingerprint: that was made of the sound. The checksum stays and keeps the file out."""
    return {name: cell for name, cell in facts.items() if name not in FINGERPRINT}


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


def _clips(study: Study) -> tuple[Clip, ...]:
    return read_clips(study.clips_csv) if study.clips_csv.is_file() else ()


def _releases(study: Study, clips: Sequence[ClipId]) -> dict[str, int]:
    """How many of `clips` each release holds."""
    from pipelines.release import releases

    asked = frozenset(clips)
    counts = {
        release.name: sum(clip.clip_id in asked for clip in read_clips(release.folder / "clips.csv"))
        for release in releases(study)
        if (release.folder / "clips.csv").is_file()
    }
    return {name: count for name, count in counts.items() if count}


def withdrawn_from(study: Study, release: str) -> tuple[Takedown, ...]:
    """The takedowns that touch a release, each with the release's clips that it withdrew. Raises UnknownName."""
    from pipelines.release import find_release

    table = find_release(study, release).folder / "clips.csv"
    return withdrawn_among(study, [clip.clip_id for clip in read_clips(table)] if table.is_file() else [])
