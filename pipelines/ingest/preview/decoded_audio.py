"""The exact sound of a whole recording, to hear and to cut by hand: sample n of it is sample n of the linear decode.

study.cache/sound/SOURCE.MARK/   sound.flac           mono s16 at the recording's own rate, what clips are cut from
                                 bands.bin peaks.bin  its picture at every zoom: pipelines.ingest.preview.spectrogram_tiles
                                 facts.json           rate, length, checksums
MARK is of the recording's checksum, so another edition never passes for it. The folder appears whole or not at all.
FLAC keeps every sample, and seeking in it is exact, which it is not in what the recording came in.
"""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipelines.atomic_write import atomic_folder, write_json
from pipelines.errors import ConfigError, MediaError
from pipelines.execution.process_pool import Tell
from pipelines.ingest.analysis.track_reader import open_reading
from pipelines.ingest.preview.spectrogram_tiles import Painter, Picture, View
from pipelines.media.audio import Pcm16, to_pcm16
from pipelines.study import Study
from pipelines.units import Hertz, Samples, SourceId

FORM = 1


@dataclass(frozen=True, slots=True)
class SoundFacts:
    """What the sound is. `pcm_sha256` is over all its samples, as in sources.csv; `media_sha256` of the recording."""

    source_id: SourceId
    media_sha256: str
    rate_hz: Hertz
    n_samples: Samples
    pcm_sha256: str
    form: int = FORM

    @property
    def version(self) -> str:
        """Short name of exactly these samples."""
        return self.pcm_sha256[:16]


@dataclass(frozen=True, slots=True)
class SoundTask:
    """One sound to make: of the recording at `path`, whose checksum is `media_sha256`.

    `n_samples` is how long it was when it was ingested, None where nobody knows; `salvage`: a damaged end is left out.
    """

    source_id: SourceId
    path: Path
    media_sha256: str
    folder: Path
    n_samples: Samples | None = None
    track: int = 0
    salvage: bool = False


class Sound:
    """A sound that is made. Safe to share between threads."""

    def __init__(self, folder: Path, facts: SoundFacts) -> None:
        self.facts = facts
        self._file = folder / "sound.flac"
        view = View(facts.rate_hz, facts.n_samples)
        self.picture = Picture(view, folder / "bands.bin", folder / "peaks.bin", self.samples)

    def samples(self, start: Samples, count: Samples) -> Pcm16:
        """Samples [start, start + count), s16; fewer where the sound ends. Raises ValueError, MediaError."""
        import soundfile

        if start < 0 or count < 0:
            raise ValueError(f"expected a stretch of the sound, found {count} samples from {start}")
        if start >= self.facts.n_samples:
            return np.empty(0, np.int16)
        try:
            with soundfile.SoundFile(self._file) as file:
                file.seek(start)
                found: Pcm16 = file.read(min(count, self.facts.n_samples - start), dtype="int16")
        except (OSError, RuntimeError) as error:
            raise MediaError("unreadable", f"the sound of '{self.facts.source_id}' cannot be read ({error})") from None
        return found


def sound_folder(study: Study, source_id: SourceId, media_sha256: str) -> Path:
    """Where the sound of this edition of a source is, or would be."""
    return study.cache / "sound" / f"{source_id}.{media_sha256[:12]}"


def open_sound(study: Study, source_id: SourceId, media_sha256: str) -> Sound | None:
    """The sound, or None while it is not made."""
    folder = sound_folder(study, source_id, media_sha256)
    facts = _facts(folder, media_sha256)
    return None if facts is None else Sound(folder, facts)


def make_sound(task: SoundTask, tell: Tell) -> SoundFacts:
    """Decode the recording once, from its first sample, and keep what it gave. Memory does not grow with its length.

    `tell` hears of seconds done and in all. What earlier editions and killed makings left is removed. Raises MediaError
    (as pipelines.media.audio does; another_edition), ConfigError while another process makes it, Cancelled out of `tell`.
    """
    with _alone(task):
        there = _facts(task.folder, task.media_sha256)
        if there is not None:
            return there
        _sweep(task)
        with atomic_folder(task.folder) as made:
            facts = _made(task, made, tell)
        tell(facts.n_samples / facts.rate_hz, facts.n_samples / facts.rate_hz)
        return facts


def _made(task: SoundTask, folder: Path, tell: Tell) -> SoundFacts:
    import soundfile

    whole = hashlib.sha256()
    with open_reading(task.path, track=task.track, salvage=task.salvage) as reading:
        told = reading.facts
        with (
            soundfile.SoundFile(
                folder / "sound.flac", "w", told.rate_hz, 1, subtype="PCM_16", format="FLAC", compression_level=0.0
            ) as out,
            (folder / "bands.bin").open("w+b") as bands,
            (folder / "peaks.bin").open("w+b") as peaks,
        ):
            painter = Painter(told.rate_hz, bands, peaks)
            for block in reading.mono(tell):
                pcm = to_pcm16(block)
                out.write(pcm)
                whole.update(pcm.astype("<i2", copy=False).data)
                painter.feed(pcm)
            painter.finish()
            samples = reading.samples
    if task.n_samples is not None and samples != task.n_samples:
        raise MediaError(
            "another_edition",
            f"{task.path.name}: holds {samples} samples, the recording that was ingested as '{task.source_id}' "
            f"{task.n_samples}: ingest it again, or put the first one back",
        )
    facts = SoundFacts(task.source_id, task.media_sha256, told.rate_hz, samples, whole.hexdigest())
    write_json(folder / "facts.json", asdict(facts))
    return facts


def _facts(folder: Path, media_sha256: str) -> SoundFacts | None:
    try:
        facts = SoundFacts(**json.loads((folder / "facts.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, TypeError):  # TypeError: of a form with other facts
        return None
    return facts if facts.media_sha256 == media_sha256 and facts.form == FORM else None


@contextmanager
def _alone(task: SoundTask) -> Iterator[None]:
    """No other process makes this source's sound meanwhile; the lock of one that was killed is free."""
    place = task.folder.parent
    place.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(place / f"{task.source_id}.lock", timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise ConfigError("another process is making this sound; wait until it has ended") from None
        yield


def _sweep(task: SoundTask) -> None:
    for path in task.folder.parent.iterdir():
        name = path.name.removeprefix(".")
        if path.is_dir() and name.rsplit(".", 2 if path.name.startswith(".") else 1)[0] == task.source_id:
            shutil.rmtree(path)
