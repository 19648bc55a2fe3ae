"""Recordings that come in pieces (HLS, DASH): real yt-dlp, real playlists, a loopback server."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import run
from pipelines.manifest import read_clips, read_table
from pipelines.media.audio import read_mono
from pipelines.study import Study, create_study
from tests.pipelines.ingest.misbehaving_server import no_connection_left
from tests.pipelines.ingest.run.test_run import speech

RATE = 22050
PLAYLISTS = {"hls": "list.m3u8", "dash": "list.mpd"}
KINDS = {".m3u8": "application/vnd.apple.mpegurl", ".mpd": "application/dash+xml", ".ts": "video/mp2t"}


class Pieces:
    """Serves a folder; `lost` names answer 404, `asked` holds every path."""

    def __init__(self, folder: Path) -> None:
        self.lost: set[str] = set()
        self.asked: list[str] = []
        site = self

        class Handler(SimpleHTTPRequestHandler):
            extensions_map = {**SimpleHTTPRequestHandler.extensions_map, **KINDS}

            def do_GET(self) -> None:
                site.asked.append(self.path)
                if Path(self.path).name in site.lost:
                    self.send_error(404)
                else:
                    super().do_GET()

            def log_message(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/{kind}/{PLAYLISTS[kind]}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def cut_up(folder: Path, form: str, options: dict[str, str]) -> None:
    """The same 8 s of voice as a playlist with pieces of about 2 s."""
    folder.mkdir()
    sound = speech(RATE)
    with av.open(str(folder / PLAYLISTS[form]), "w", format=form, options=options) as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        for start in range(0, len(sound), 1024):
            block = np.ascontiguousarray(sound[None, start : start + 1024], np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = RATE, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture
def pieces(tmp_path: Path) -> Iterator[Pieces]:
    folder = tmp_path / "site"
    folder.mkdir()
    segments = str(folder / "hls" / "seg%d.ts")
    cut_up(folder / "hls", "hls", {"hls_time": "2", "hls_playlist_type": "vod", "hls_segment_filename": segments})
    cut_up(folder / "dash", "dash", {"seg_duration": "2"})
    made = Pieces(folder)
    yield made
    made.close()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    made = create_study("pieces", rights_basis="made for this test", root=tmp_path / "root")
    settings = made.settings_file.read_text()
    made.settings_file.write_text(f"allow_private_hosts = true\n{settings}\n[fetch]\npause_s = 0\n")
    return Study(made.root, made.name)


def ingest(study: Study, *inputs: str) -> IngestReport:
    return run.ingest(Study(study.root, study.name), inputs, jobs=1)


@pytest.mark.parametrize("kind", sorted(PLAYLISTS))
def test_a_recording_in_pieces_comes_whole(pieces: Pieces, study: Study, kind: str) -> None:
    report = ingest(study, pieces.url(kind))
    (row,) = report.sources
    assert row.status == "ingested", row.reason
    (source,) = read_table(study.sources_csv)
    sound, rate = read_mono(next(study.media.glob(f"{row.source_id}.*")))
    assert rate == RATE and int(source["decoded_samples"]) == len(sound)
    assert abs(len(sound) - len(speech(RATE))) < 4096
    assert read_clips(study.clips_csv)
    assert not list((study.media / "partial").glob("*"))


@pytest.mark.parametrize(("kind", "piece"), [("hls", "seg2.ts"), ("dash", "chunk-stream0-00003.m4s")])
def test_a_missing_piece_is_a_row_and_never_a_silent_hole(pieces: Pieces, study: Study, kind: str, piece: str) -> None:
    pieces.lost.add(piece)
    with no_connection_left():
        (row,) = ingest(study, pieces.url(kind)).sources
    assert (row.status, row.failure) == ("failed", "retry"), (row.reason_code, row.reason)
    assert "piece" in row.reason
    assert not study.clips_csv.exists() and not list(study.media.glob("*.*"))
    pieces.lost.clear()
    (row,) = ingest(study, pieces.url(kind)).sources
    assert row.status == "ingested", row.reason
