"""Decoded audio of a whole recording, to play and to cut by hand: sample n of it is sample n of the linear decode.

study.cache/sound/SOURCE.SHA256/  sound.flac           mono s16 at the recording's own rate; clips are cut from it
                                  bands.bin peaks.bin  its tiles (pipelines.ingest.preview.spectrogram_tiles)
                                  facts.json           rate, length, checksums
SHA256 is the start of the recording's checksum, so another edition is never mistaken for it. The folder appears whole
or not at all. FLAC keeps every sample, and seeking in it is exact, which it is not in the recording's own format.
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
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.analysis.track_reader import open_track
from pipelines.ingest.preview.spectrogram_tiles import SpectrogramTiles, TileGeometry, TileWriter
from pipelines.media.audio import Pcm16, to_pcm16
from pipelines.study import Study
from pipelines.units import Hertz, Samples, SourceId

FORMAT_VERSION = 1


@dataclass(frozen=True, slots=True)
class DecodedAudioFacts:
    """Facts of decoded audio. `pcm_sha256` is over all its samples, as in sources.csv; `media_sha256` over the file."""

    source_id: SourceId
    media_sha256: str
    rate_hz: Hertz
    n_samples: Samples
    pcm_sha256: str
    format_version: int = FORMAT_VERSION

    @property
    def version(self) -> str:
        """Short id of exactly these samples."""
        return self.pcm_sha256[:16]


@dataclass(frozen=True, slots=True)
class DecodeTask:
    """One recording to decode: the file at `path`, whose checksum is `media_sha256`.

    `n_samples` is its length when it was ingested, None where unknown; `salvage`: leave out a damaged end.
    """

    source_id: SourceId
    path: Path
    media_sha256: str
    folder: Path
    n_samples: Samples | None = None
    track: int = 0
    salvage: bool = False


class DecodedAudio:
    """The decoded audio of one recording, open for reading. Safe to share between threads."""

    def __init__(self, folder: Path, facts: DecodedAudioFacts) -> None:
        self.facts = facts
        self._file = folder / "sound.flac"
        geometry = TileGeometry(facts.rate_hz, facts.n_samples)
        self.tiles = SpectrogramTiles(geometry, folder / "bands.bin", folder / "peaks.bin", self.samples)

    def samples(self, start: Samples, count: Samples) -> Pcm16:
        """Samples [start, start + count), s16; fewer where the audio ends. Raises ValueError, MediaError."""
        import soundfile

        if start < 0 or count < 0:
            raise ValueError(f"expected a range within the audio, found {count} samples from {start}")
        if start >= self.facts.n_samples:
            return np.empty(0, np.int16)
        try:
            with soundfile.SoundFile(self._file) as file:
                file.seek(start)
                found: Pcm16 = file.read(min(count, self.facts.n_samples - start), dtype="int16")
        except (OSError, RuntimeError) as error:
            raise MediaError(
                "unreadable", f"the decoded audio of '{self.facts.source_id}' cannot be read ({error})"
            ) from None
        return found


def decoded_audio_folder(study: Study, source_id: SourceId, media_sha256: str) -> Path:
    """The folder for the decoded audio of this edition of a source."""
    return study.cache / "sound" / f"{source_id}.{media_sha256[:12]}"


def open_decoded_audio(study: Study, source_id: SourceId, media_sha256: str) -> DecodedAudio | None:
    """The decoded audio, or None where it does not exist yet."""
    folder = decoded_audio_folder(study, source_id, media_sha256)
    facts = _facts(folder, media_sha256)
    return None if facts is None else DecodedAudio(folder, facts)


def decode_to_cache(task: DecodeTask, on_progress: OnProgress) -> DecodedAudioFacts:
    """Decode the recording once, from its first sample, into its folder. Memory does not grow with its length.

    `on_progress` gets the seconds done and in all. Folders of earlier editions and of killed processes are removed.
    Raises MediaError (as pipelines.media.audio does; another_edition), ConfigError while another process decodes it,
    Cancelled out of `on_progress`.
    """
    with _locked(task):
        existing = _facts(task.folder, task.media_sha256)
        if existing is not None:
            return existing
        _remove_other_editions(task)
        with atomic_folder(task.folder) as folder:
            facts = _decode(task, folder, on_progress)
        on_progress(facts.n_samples / facts.rate_hz, facts.n_samples / facts.rate_hz)
        return facts


def _decode(task: DecodeTask, folder: Path, on_progress: OnProgress) -> DecodedAudioFacts:
    import soundfile

    pcm_hash = hashlib.sha256()
    with open_track(task.path, track=task.track, salvage=task.salvage) as reading:
        probe = reading.facts
        with (
            soundfile.SoundFile(
                folder / "sound.flac", "w", probe.rate_hz, 1, subtype="PCM_16", format="FLAC", compression_level=0.0
            ) as out,
            (folder / "bands.bin").open("w+b") as bands,
            (folder / "peaks.bin").open("w+b") as peaks,
        ):
            tiles = TileWriter(probe.rate_hz, bands, peaks)
            for block in reading.mono(on_progress):
                pcm = to_pcm16(block)
                out.write(pcm)
                pcm_hash.update(pcm.astype("<i2", copy=False).data)
                tiles.feed(pcm)
            tiles.finish()
            samples = reading.samples
    if task.n_samples is not None and samples != task.n_samples:
        raise MediaError(
            "another_edition",
            f"{task.path.name}: has {samples} samples, the recording that was ingested as '{task.source_id}' "
            f"{task.n_samples}: ingest it again, or restore the first one",
        )
    facts = DecodedAudioFacts(task.source_id, task.media_sha256, probe.rate_hz, samples, pcm_hash.hexdigest())
    write_json(folder / "facts.json", asdict(facts))
    return facts


def _facts(folder: Path, media_sha256: str) -> DecodedAudioFacts | None:
    try:
        facts = DecodedAudioFacts(**json.loads((folder / "facts.json").read_text(encoding="utf-8")))
    except (FileNotFoundError, TypeError):  # TypeError: another format version
        return None
    return facts if facts.media_sha256 == media_sha256 and facts.format_version == FORMAT_VERSION else None


@contextmanager
def _locked(task: DecodeTask) -> Iterator[None]:
    """Lock out other processes that decode this source; the lock of a killed process is free."""
    place = task.folder.parent
    place.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(place / f"{task.source_id}.lock", timeout=0, isolation_level=None)) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise ConfigError("another process is decoding this recording; wait until it has ended") from None
        yield


def _remove_other_editions(task: DecodeTask) -> None:
    for path in task.folder.parent.iterdir():
        name = path.name.removeprefix(".")
        if path.is_dir() and name.rsplit(".", 2 if path.name.startswith(".") else 1)[0] == task.source_id:
            shutil.rmtree(path)
