"""pipelines.ingest.reproduce.rebuild, verify and align: the same clips again elsewhere, or what became of them."""

import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.atomic_write import sha256_file, write_text
from pipelines.errors import Cancelled, ConfigError, DataError
from pipelines.ingest.analysis.fingerprint import fingerprint_blocks
from pipelines.ingest.reproduce import rebuild, verify
from pipelines.ingest.reproduce.alignment import DecodedRecording, locate_clip
from pipelines.ingest.reproduce.clip_checks import checks_path, make_check, read_checks, write_checks
from pipelines.ingest.reproduce.clip_cutting import slice_blocks
from pipelines.ingest.reproduce.rebuild import (
    VerificationReport,
    source_fetcher,
    verify_files,
    verify_sources,
)
from pipelines.ingest.reproduce.shared_manifest import open_manifest
from pipelines.ingest.sources import Source, sources_to_csv
from pipelines.manifest import read_clips, read_table, write_clips
from pipelines.media import audio
from pipelines.progress import Progress
from pipelines.schema import Clip, clip_id
from pipelines.study import StudySettings
from tests.synthetic_audio import noise, voice

RATE = 16000
STARTS = (0, 52_345, 104_001, 170_000, 232_000)


@lru_cache(maxsize=8)
def spoken(seed: int = 0) -> audio.Audio:
    """Eighteen seconds."""
    return voice(18.0, RATE, seed=seed)


def inserted(sound: audio.Audio, at: int, count: int) -> audio.Audio:
    return np.concatenate([sound[:at], noise(count / RATE, RATE, 0.05, seed=9)[:count], sound[at:]])


def encoded(path: Path, sound: audio.Audio, codec: audio.Codec = "pcm16") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    audio.encode(path, sound, RATE, codec)
    return path


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """What another team gets of two recordings, 'a' (WAV) and 'b' (AAC): the tables and no sound."""
    return publish(tmp_path / "shared", {"a": encoded(tmp_path / "media/A.wav", spoken(0)),
                                         "b": encoded(tmp_path / "media/B.m4a", spoken(1), "aac")})  # fmt: skip


def publish(folder: Path, media: dict[str, Path]) -> Path:
    clips, checks, sources = [], [], []
    for name, path in media.items():
        whole, rate_hz = audio.read_mono(path)
        for start in STARTS:
            pcm = audio.to_pcm16(whole)[start : start + 3 * rate_hz]
            found = clip_id(name, start, rate_hz)
            clips.append(Clip(found, name, start, len(pcm), rate_hz, name, audio.pcm_sha256(pcm)))
            checks.append(make_check(found, pcm, rate_hz))
        facts = {"sha256": sha256_file(path), "bytes": str(path.stat().st_size), "status": "ok"}
        sources.append(Source(name, path.name, "made for this test", measured=facts))
    write_clips(folder / "clips.csv", clips)
    write_checks(folder / "clips_check.parquet", checks)
    write_text(folder / "sources.csv", sources_to_csv(sources))
    return folder


def again(shared: Path, out: Path, *media: Path, **options: object) -> VerificationReport:
    return rebuild.rebuild(open_manifest(shared), out, list(media), out / ".scratch", jobs=1, **options)  # type: ignore[arg-type]


def of(done: VerificationReport, source: str) -> list[verify.Finding]:
    return [one for one in done.findings if one.clip.source_id == source]


def counting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    decoded: list[str] = []
    real = verify.decode_blocks

    def decode(path: Path, track: int = 0) -> Iterator[audio.Audio]:
        decoded.append(path.name)
        return real(path, track)

    monkeypatch.setattr(verify, "decode_blocks", decode)
    return decoded


def test_another_machine_rebuilds_the_same_clips_with_one_decode_each(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "media/A.wav").rename(tmp_path / "media/renamed by somebody.bin")  # told by its checksum
    encoded(tmp_path / "media/sub/B.m4a", spoken(3), "aac")  # of that name, but not the one
    decoded = counting(monkeypatch)
    out = tmp_path / "out"
    done = again(shared, out, tmp_path / "media")
    assert done.counts == {"exact": 10, "equivalent": 0, "shifted": 0, "changed": 0, "gone": 0}
    assert (done.exit_code, done.editions, done.decoded) == (0, {}, 2)
    assert sorted(decoded) == ["B.m4a", "renamed by somebody.bin"]
    for clip in read_clips(shared / "clips.csv"):
        pcm, rate_hz = rebuild.read_pcm16(out / f"{clip.clip_id}.wav")
        assert (rate_hz, audio.pcm_sha256(pcm)) == (RATE, clip.pcm_sha256)
    assert again(shared, out).counts["exact"] == 10 and len(decoded) == 2, "what is there is not made again"
    next(out.glob("a-*")).unlink()
    assert again(shared, out, tmp_path / "media").exit_code == 0 and len(decoded) == 3


def test_a_longer_intro_shifts_all_clips_by_the_same_offset(shared: Path, tmp_path: Path) -> None:
    encoded(tmp_path / "new/A.wav", inserted(spoken(0), 0, 19_777))
    encoded(tmp_path / "new/B.m4a", inserted(spoken(1), 0, 40_000), "aac")
    out = tmp_path / "out"
    done = again(shared, out, tmp_path / "new")
    assert done.counts["shifted"] == 10 and done.exit_code == 3 and set(done.editions) == {"a", "b"}
    assert {one.offset_samples for one in of(done, "a")} == {19_777}
    assert all((one.snr_db or 0) > 60 for one in of(done, "a"))
    assert all(abs((one.offset_samples or 0) - 40_000) <= 2 for one in of(done, "b")), "through a lossy codec"
    assert not list(out.glob("*.wav")), "labels never move silently"
    piece = done.document()["shifts"][0]
    assert (piece["source_id"], piece["clips"], piece["offset_s"]) == ("a", 5, round(19_777 / RATE, 6))


def test_a_cut_in_the_middle_is_a_piecewise_offset_and_can_be_retimed(shared: Path, tmp_path: Path) -> None:
    sound = spoken(0).copy()
    sound[STARTS[4] : STARTS[4] + 3 * RATE] = spoken(5)[: 3 * RATE]  # the last clip says something else now
    encoded(tmp_path / "new/A.wav", inserted(inserted(sound, 160_000, 8_000), 101_000, 33_001))
    shutil.copy(tmp_path / "media/B.m4a", tmp_path / "new")
    before = {file.name: file.read_bytes() for file in shared.iterdir()}
    out = tmp_path / "out"
    done = again(shared, out, tmp_path / "new", retime=True)
    assert [(one.level, one.offset_samples) for one in of(done, "a")] == [
        ("exact", None), ("exact", None), ("shifted", 33_001), ("shifted", 41_001), ("changed", None)
    ]  # fmt: skip
    assert [piece["clips"] for piece in done.document()["shifts"]] == [1, 1]
    assert all((shared / name).read_bytes() == content for name, content in before.items())
    new = {clip.clip_id: clip for clip in read_clips(shared / "clips.retimed.csv")}
    rows = {row["old_clip_id"]: row for row in read_table(shared / "clips.moves.csv")}
    assert len(rows) == 10 and len(new) == 9
    old = clip_id("a", STARTS[2], RATE)
    row, moved = rows[old], new[clip_id("a", STARTS[2] + 33_001, RATE)]
    assert (row["new_clip_id"], row["level"], row["new_start_sample"]) == (moved.clip_id, "shifted", "137002")
    assert row["source_sha256"] == sha256_file(tmp_path / "new/A.wav") == done.editions["a"]
    assert moved.pcm_sha256 == row["old_pcm_sha256"] == row["new_pcm_sha256"], "the very same samples elsewhere"
    assert rows[clip_id("a", STARTS[4], RATE)]["new_clip_id"] == ""
    assert sorted(file.stem for file in out.glob("*.wav")) == sorted(new)
    assert list(read_checks(checks_path(shared / "clips.retimed.csv"))) == list(new)
    third = rebuild.rebuild(
        open_manifest(shared / "clips.retimed.csv"), tmp_path / "third", [tmp_path / "new"], tmp_path / "s", jobs=1
    )
    assert third.counts["exact"] == 9, "the re-timed manifest rebuilds"


@pytest.mark.parametrize(
    ("change", "levels", "words"),
    [
        (lambda s: s + np.where(np.arange(len(s)) % 1700 == 5, np.float32(1 / 32768), 0), {"equivalent"}, "decoder"),
        (lambda s: noise(18.0, RATE), {"changed"}, "its audio differs"),
        (lambda s: spoken(7), {"changed"}, "its audio differs"),
        (lambda s: s[:60_000], {"exact", "gone"}, "the recording ends before it"),
        (lambda s: s * np.float32(0.7), {"changed"}, "its audio differs"),
    ],
)
def test_another_edition_is_distinguished_from_another_decoder(
    shared: Path, tmp_path: Path, change: Callable[[audio.Audio], audio.Audio], levels: set[str], words: str
) -> None:
    encoded(tmp_path / "new/A.wav", change(spoken(0)).astype(np.float32))
    done = verify_sources(open_manifest(shared), [tmp_path / "new"], tmp_path / "s", jobs=1)
    assert {one.level for one in of(done, "a")} == levels
    assert any(words in one.reason for one in of(done, "a"))
    assert {one.level for one in of(done, "b")} == {"gone"} and "is not here" in of(done, "b")[0].reason


def test_the_same_file_in_another_decoder_is_searched_for_shifts(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = verify.decode_blocks

    def later(path: Path, track: int = 0) -> Iterator[audio.Audio]:
        yield np.zeros((1, 312), np.float32)
        yield from real(path, track)

    monkeypatch.setattr(verify, "decode_blocks", later)
    done = verify_sources(open_manifest(shared), [tmp_path / "media"], tmp_path / "s", jobs=1)
    assert {(one.level, one.offset_samples) for one in done.findings} == {("shifted", 312)} and not done.editions


def test_another_rate_a_damaged_file_and_a_withdrawn_source(shared: Path, tmp_path: Path) -> None:
    audio.encode(tmp_path / "A.wav", audio.resample(spoken(0), RATE, 22050), 22050, "pcm16")
    shutil.move(tmp_path / "A.wav", tmp_path / "media/A.wav")
    (tmp_path / "media/B.m4a").write_bytes(b"<html>not found</html>")
    done = verify_sources(open_manifest(shared), [tmp_path / "media"], tmp_path / "s", jobs=1)
    assert "is at 22050 Hz now" in of(done, "a")[0].reason and of(done, "a")[0].level == "changed"
    assert "is not a recording" in of(done, "b")[0].reason and of(done, "b")[0].level == "gone"
    encoded(tmp_path / "media/A.wav", spoken(0))
    text = (shared / "sources.csv").read_text()
    (shared / "sources.csv").write_text(text.replace(",ok,", ",taken_down,"))
    done = again(shared, tmp_path / "out", tmp_path / "media")
    assert done.counts["gone"] == 10 and "was taken down" in done.findings[0].reason and done.decoded == 0


def test_files_on_disk_get_their_levels(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    again(shared, out, tmp_path / "media")
    whole = audio.to_pcm16(spoken(0))
    names = [clip_id("a", start, RATE) for start in STARTS]
    pcm, _ = rebuild.read_pcm16(out / f"{names[0]}.wav")
    nudged = pcm.copy()
    nudged[100] += 1
    audio.write_pcm16(out / f"{names[0]}.wav", nudged, RATE)
    late = whole[STARTS[1] + 48 : STARTS[1] + 48 + 3 * RATE]
    audio.write_pcm16(out / f"{names[1]}.wav", late, RATE)  # cut 48 samples late, as seeking in Opus does
    (out / f"{names[2]}.wav").unlink()
    audio.write_pcm16(out / f"{names[3]}.wav", audio.to_pcm16(noise(3.0, RATE)), RATE)
    audio.write_pcm16(out / f"{names[4]}.wav", pcm[:-1], RATE)
    done = verify_files(open_manifest(shared), lambda name: out / f"{name}.wav")
    told = [(one.level, one.offset_samples) for one in of(done, "a")]
    assert told == [("equivalent", None), ("shifted", -48), ("gone", None), ("changed", None), ("changed", None)]
    assert done.exit_code == 3 and done.counts["exact"] == 5
    assert "has 47999 samples at 16000 Hz, expected 48000" in of(done, "a")[4].reason
    (shared / "clips_check.parquet").unlink()
    blind = verify_files(open_manifest(shared), lambda name: out / f"{name}.wav")
    assert [one.level for one in of(blind, "a")] == ["changed", "changed", "gone", "changed", "changed"]
    assert "there is no sketch of it" in of(blind, "a")[0].reason


def test_urls_are_downloaded_once(shared: Path, tmp_path: Path) -> None:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "media"))
    handler.log_message = lambda *_: None  # type: ignore[attr-defined]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        text = (shared / "sources.csv").read_text().replace("A.wav", f"http://127.0.0.1:{server.server_port}/A.wav")
        (shared / "sources.csv").write_text(text.replace("B.m4a", f"http://127.0.0.1:{server.server_port}/none.m4a"))
        private = source_fetcher(tmp_path / "got", StudySettings(name="x", allow_private_hosts=True))
        done = again(shared, tmp_path / "out", fetch=private)
        assert {one.level for one in of(done, "a")} == {"exact"} and (tmp_path / "got/a.wav").is_file()
        assert {one.level for one in of(done, "b")} == {"gone"} and "is not there" in of(done, "b")[0].reason
        refused = again(shared, tmp_path / "other", fetch=source_fetcher(tmp_path / "none", StudySettings(name="x")))
        assert refused.counts["gone"] == 10 and "private" in refused.findings[0].reason
        server.shutdown()
    shutil.rmtree(tmp_path / "out")
    assert {one.level for one in of(again(shared, tmp_path / "out", tmp_path / "got"), "a")} == {"exact"}


def test_cancelling_leaves_no_half_written_file(shared: Path, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        again(shared, tmp_path / "out", tmp_path / "media", report=stop)
    assert not list((tmp_path / "out").rglob(".*.wav"))
    assert again(shared, tmp_path / "out", tmp_path / "media").exit_code == 0


def test_an_invalid_manifest_is_rejected(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no clips"):
        open_manifest(tmp_path)
    with pytest.raises(ConfigError, match="there is no such folder"):
        again(shared, tmp_path / "out", tmp_path / "nowhere")
    (shared / "clips_check.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match="is damaged"):
        again(shared, tmp_path / "out")
    (shared / "sources.csv").unlink()
    with pytest.raises(ConfigError, match="beside it, so the recordings are unknown"):
        open_manifest(shared)


@given(st.lists(st.integers(1, 7000), min_size=1, max_size=40), st.integers(0, 1000))
def test_cutting_does_not_depend_on_blocks(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    sound = rng.uniform(-1, 1, sum(sizes)).astype(np.float32)
    starts = rng.integers(0, len(sound) + 500, 6)
    clips = [Clip(f"c{i}", "c", int(start), int(rng.integers(1, 9000)), RATE, "c") for i, start in enumerate(starts)]
    got = {clip.clip_id: pcm for clip, pcm in slice_blocks(np.split(sound, np.cumsum(sizes)[:-1]), clips)}
    assert len(got) == len(clips)
    for clip in clips:
        np.testing.assert_array_equal(got[clip.clip_id], audio.to_pcm16(sound)[clip.start_sample :][: clip.n_samples])


@settings(max_examples=15)
@given(st.integers(0, 90_000), st.integers(0, 200_000), st.floats(0.5, 1.0))
def test_any_position_is_found_to_the_sample(start: int, before: int, level: float) -> None:
    sound = spoken(2)
    pcm = audio.to_pcm16(sound)
    check = make_check("c", pcm[start : start + 3 * RATE], RATE)
    new = np.concatenate([noise(before / RATE, RATE, 0.1)[:before], sound])
    there = DecodedRecording(audio.to_pcm16(new), RATE, fingerprint_blocks([new], RATE, "c").items)
    place = locate_clip(check, 3 * RATE, there, ())
    assert place is not None and place.start_sample == start + len(new) - len(sound) and place.snr_db >= 60
    other = DecodedRecording(audio.to_pcm16(spoken(4)), RATE, fingerprint_blocks([spoken(4)], RATE, "d").items)
    assert locate_clip(check, 3 * RATE, other, (start,)) is None


def test_processes_give_the_same_as_a_thread(shared: Path, tmp_path: Path) -> None:
    encoded(tmp_path / "new/A.wav", inserted(spoken(0), 0, 5_000))
    shutil.copy(tmp_path / "media/B.m4a", tmp_path / "new")
    manifest = open_manifest(shared)
    one, two = (verify_sources(manifest, [tmp_path / "new"], tmp_path / "s", jobs=jobs) for jobs in (1, 2))
    assert one == two and one.counts == {"exact": 5, "equivalent": 0, "shifted": 5, "changed": 0, "gone": 0}


def test_real_drama_is_found_again_through_another_codec(real_recordings: Path, tmp_path: Path) -> None:
    path = next(iter(sorted((real_recordings / "NOTLD_1968").glob("30s_*.wav"))))
    whole, rate_hz = audio.read_mono(path)
    clips, checks = [], []
    for start in range(0, len(whole) - 3 * rate_hz, 4 * rate_hz):
        pcm = audio.to_pcm16(whole)[start : start + 3 * rate_hz]
        clips.append(Clip(clip_id("d", start, rate_hz), "d", start, len(pcm), rate_hz, "d", audio.pcm_sha256(pcm)))
        checks.append(make_check(clips[-1].clip_id, pcm, rate_hz))
    folder = tmp_path / "shared"
    write_clips(folder / "clips.csv", clips)
    write_checks(folder / "clips_check.parquet", checks)
    facts = {"sha256": sha256_file(path), "status": "ok"}
    write_text(folder / "sources.csv", sources_to_csv([Source("d", "d.m4a", "public domain", measured=facts)]))
    audio.encode(tmp_path / "d.m4a", np.concatenate([noise(0.7, rate_hz, 0.01), whole]), rate_hz, "aac")
    done = verify_sources(open_manifest(folder), [tmp_path], tmp_path / "s", jobs=1)
    assert done.counts["shifted"] == len(clips) >= 6
    assert all(abs((one.offset_samples or 0) - round(0.7 * rate_hz)) <= 2 for one in done.findings)
