"""Planted repeats are found, what does not repeat is left alone, and each kind is masked by its own rule."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import Cancelled
from pipelines.ingest.analysis.fingerprint import Fingerprint, fingerprint, fingerprint_blocks
from pipelines.ingest.repeats import (
    Interval,
    ReadIntervals,
    Repeat,
    find_repeats,
    interval_reader,
    masked_intervals,
    refine,
)
from pipelines.ingest.repeats.edge_refinement import EDGE_HZ
from pipelines.ingest.repeats.model import Kind
from pipelines.media.audio import encode, resample
from pipelines.progress import Progress
from pipelines.units import Audio, Seconds, SourceId
from tests.synthetic_audio import noise, silence, tone
from tests.synthetic_series import RATE_HZ, Plan, Series, make, talk, tune


def joined(*sounds: Audio) -> Audio:
    return np.concatenate(sounds)


def marks(*sounds: Audio) -> list[Fingerprint]:
    return [fingerprint_blocks([sound], RATE_HZ, f"e{number}") for number, sound in enumerate(sounds, start=1)]


def heard(*sounds: Audio) -> ReadIntervals:
    """Listening to sounds in memory, called e1, e2, ..."""
    known = {f"e{number}": resample(sound, RATE_HZ, EDGE_HZ) for number, sound in enumerate(sounds, start=1)}

    def listen(source: SourceId, spans: Sequence[Interval]) -> Sequence[Audio]:
        return [known[source][round(s.start_s * EDGE_HZ) : round(s.end_s * EDGE_HZ)] for s in spans]

    return listen


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    plan = Plan(episodes=3, body_s=50, opening_s=20, ending_s=20, cuts=2)
    return make(tmp_path_factory.mktemp("series"), plan, talk)


@pytest.fixture(scope="module")
def found(series: Series) -> tuple[Repeat, ...]:
    return find_repeats([fingerprint(path, source) for source, path in series.files.items()])


def hundredths(spans: Sequence[tuple[Seconds, Seconds]]) -> np.ndarray:
    """Which hundredths of the first 400 s lie in any of the spans."""
    lane = np.zeros(40_000, bool)
    for start_s, end_s in spans:
        lane[max(0, round(start_s * 100)) : min(40_000, round(min(end_s, 400.0) * 100))] = True
    return lane


def lanes(series: Series, repeats: Sequence[Repeat], margin_s: Seconds) -> tuple[float, float, float]:
    """Seconds planted, seconds of those masked, and seconds masked further than `margin_s` from any planted one."""
    planted = covered = wrong = 0.0
    for source in series.files:
        spans = [(p.start_s, p.end_s) for p in series.planted if p.source == source]
        if any(p.kind == "reupload" for p in series.planted if p.source == source):
            continue
        masked = hundredths([(i.start_s, i.end_s) for i in masked_intervals(repeats, source)])
        planted += hundredths(spans).sum() / 100
        covered += (hundredths(spans) & masked).sum() / 100
        wide = hundredths([(start - margin_s, end + margin_s) for start, end in spans])
        wrong += (masked & ~wide).sum() / 100
    return planted, covered, wrong


def test_a_series_through_three_codecs_is_masked_where_it_repeats(series: Series, found: tuple[Repeat, ...]) -> None:
    planted, covered, wrong = lanes(series, found, margin_s=1.0)
    assert planted > 120
    assert covered / planted >= 0.88  # without the sound, speech over a tune hides a part of it
    assert wrong == 0
    assert masked_intervals(found, "again") == (Interval(0.0, math.inf),)


def test_kinds_are_told_from_place_and_company(found: tuple[Repeat, ...]) -> None:
    firsts = {kind: [r for r in found if r.kind == kind and r.source_b != "again"] for kind in ("opening", "ending")}
    assert {(r.source_a, r.source_b) for r in firsts["opening"]} == {("e01", "e02"), ("e01", "e03"), ("e02", "e03")}
    assert {(r.source_a, r.source_b) for r in firsts["ending"]} == {("e01", "e02"), ("e01", "e03"), ("e02", "e03")}
    assert {r.source_a for r in found if r.kind == "reupload" and r.source_b == "again"} == {"e02"}
    assert all(0.3 < r.score <= 1 for r in found)


def test_the_sound_gives_edges_to_fifty_milliseconds(series: Series, found: tuple[Repeat, ...]) -> None:
    better = refine(found, interval_reader(series.files))
    planted, covered, wrong = lanes(series, better, margin_s=0.06)
    assert covered / planted >= 0.97
    assert wrong == 0
    openings = {p.source: p for p in series.planted if p.kind == "opening"}
    for repeat in better:
        if repeat.kind == "opening" and repeat.source_b in openings:
            assert repeat.refined
            assert repeat.start_a_s == pytest.approx(openings[repeat.source_a].start_s, abs=0.05)
            assert repeat.start_b_s == pytest.approx(openings[repeat.source_b].start_s, abs=0.05)


def test_speech_that_does_not_repeat_is_left_alone() -> None:
    assert find_repeats(marks(*(talk(60, 50 + seed) for seed in range(4)))) == ()


def test_silence_hum_and_noise_in_common_are_no_repeat() -> None:
    shared = (silence(20), tone(20, hz=120.0), noise(20, level=1e-4, seed=9))
    one = joined(*(part for seed, sound in enumerate(shared) for part in (talk(10, 60 + seed), sound)))
    two = joined(*(part for seed, sound in enumerate(shared[:2]) for part in (talk(12, 70 + seed), sound)))
    assert find_repeats(marks(one, two)) == ()


def test_an_alarm_that_rings_in_two_scenes_is_no_repeat() -> None:
    ringing = tone(20, hz=900.0) * (np.arange(20 * RATE_HZ) % (0.8 * RATE_HZ) < 0.4 * RATE_HZ)
    rooms = [(ringing + noise(20, level=1e-3, seed=seed)).astype(np.float32) for seed in range(2)]
    assert find_repeats(marks(joined(talk(20, 80), rooms[0]), joined(talk(13, 81), rooms[1]))) == ()


def test_a_scene_quoted_later_is_masked_in_the_later_one_only() -> None:
    scene = talk(6, 90)
    one = joined(talk(30, 91), scene, talk(20, 92))
    two = joined(talk(9.3, 93), scene * np.float32(0.4), talk(20, 94))
    repeats = refine(find_repeats(marks(one, two)), heard(one, two))
    assert [r.kind for r in repeats] == ["recap"]
    assert masked_intervals(repeats, "e1") == ()
    (later,) = masked_intervals(repeats, "e2")
    assert (later.start_s, later.end_s) == pytest.approx((9.3, 15.3), abs=0.05)


def test_the_same_scene_twice_in_one_recording_keeps_the_first() -> None:
    scene = talk(8, 95)
    only = joined(talk(10, 96), scene, talk(10, 97), scene, talk(5, 98))
    repeats = find_repeats(marks(only))
    assert [(r.source_a, r.source_b) for r in repeats] == [("e1", "e1")]
    (masked,) = masked_intervals(repeats, "e1")
    assert (masked.start_s, masked.end_s) == pytest.approx((28, 36), abs=0.5)


def test_a_copy_that_runs_a_little_faster_is_followed() -> None:
    whole = joined(talk(60, 50), talk(60, 51), talk(30, 101))
    fast = resample(whole, 1000, 995)
    repeats = find_repeats(marks(whole, joined(talk(7, 102), fast)))
    assert {r.kind for r in repeats} == {"reupload"}
    assert sum(r.length_s for r in repeats) > 0.9 * 150
    longest = max(repeats, key=lambda r: r.length_s)
    assert longest.speed == pytest.approx(0.995, abs=0.002)


def test_a_song_that_only_two_of_many_share_stays_in_the_first() -> None:
    song = tune(16, 7)
    sounds = [joined(song, talk(60, 50)), joined(song, talk(60, 51)), talk(60, 52), talk(60, 53)]
    assert {r.kind for r in find_repeats(marks(*sounds))} == {"recap"}
    assert {r.kind for r in find_repeats(marks(*sounds[:2]))} == {"opening"}


def test_nothing_and_next_to_nothing_have_no_repeats() -> None:
    assert find_repeats([]) == ()
    assert find_repeats(marks(np.zeros(0, np.float32), talk(1, 120), talk(1, 120))) == ()


def test_a_match_by_chance_is_left_out_once_it_is_heard() -> None:
    one, two = talk(20, 130), talk(20, 131)
    chance = Repeat("e1", 5.0, "e2", 8.0, 3.0, "recap", 0.55)
    listen = heard(one, two)
    assert refine([chance], listen) == ()
    assert refine([replace(chance, length_s=9.0)], listen) == (replace(chance, length_s=9.0),)


def test_edges_at_the_ends_of_recordings_stay_inside_them() -> None:
    song = tune(20, 8)
    one, two = joined(song, talk(40, 140)), joined(song * np.float32(0.5), talk(40, 141))
    for repeat in refine(find_repeats(marks(one, two)), heard(one, two)):
        assert repeat.start_a_s == pytest.approx(0, abs=0.05) and repeat.start_a_s >= 0
        assert repeat.end_b_s == pytest.approx(20, abs=0.06)


def test_a_file_is_decoded_once_for_all_its_stretches(tmp_path: Path) -> None:
    sound = talk(10, 150)
    encode(tmp_path / "e1.flac", sound, RATE_HZ, "flac")
    listen = interval_reader({"e1": tmp_path / "e1.flac"})
    first, beyond = listen("e1", [Interval(1.0, 3.0), Interval(9.5, 12.0)])
    assert np.abs(first - resample(sound, RATE_HZ, EDGE_HZ)[EDGE_HZ : 3 * EDGE_HZ]).max() < 1e-3
    assert len(beyond) == pytest.approx(EDGE_HZ / 2, abs=2)


def test_the_search_can_be_stopped() -> None:
    def stop(_: Progress) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        find_repeats(marks(talk(5, 1), talk(5, 2)), stop)


@pytest.mark.parametrize(("kind", "in_a"), [("opening", True), ("ending", True), ("recap", False)])
def test_the_earliest_airing_keeps_its_stretch_unless_it_is_a_song(kind: Kind, in_a: bool) -> None:
    repeats = [
        Repeat("e1", 10.0, "e2", 20.0, 5.0, kind, 0.9),
        Repeat("e1", 12.0, "e3", 1.0, 5.0, kind, 0.9),
        Repeat("e2", 22.0, "e3", 1.0, 3.0, kind, 0.9),
    ]
    assert masked_intervals(repeats, "e1") == ((Interval(10.0, 17.0),) if in_a else ())
    assert masked_intervals(repeats, "e2") == (Interval(20.0, 25.0),)
    assert masked_intervals(repeats, "e3") == (Interval(1.0, 6.0),)
    assert masked_intervals(repeats, "e4") == ()


def test_a_reupload_is_masked_whole_and_its_original_not_at_all() -> None:
    repeats = [Repeat("e1", 3.0, "e2", 0.0, 50.0, "reupload", 0.9)]
    assert masked_intervals(repeats, "e1") == ()
    assert masked_intervals(repeats, "e2") == (Interval(0.0, math.inf),)


def test_takes_of_one_sentence_are_not_repeats_but_the_same_file_twice_is(real_recordings: Path) -> None:
    paths = sorted((real_recordings / "RAVDESS").glob("Actor_0[17]/03-01-0[13]-*.wav"))
    marks = [fingerprint(path, path.stem) for path in paths]
    repeats = find_repeats(marks)
    twice = ("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")
    assert {(r.source_a, r.source_b, r.kind) for r in repeats} == {(*twice, "reupload")}


def test_the_one_line_that_two_scenes_of_a_film_share_is_found(real_recordings: Path) -> None:
    folders = [real_recordings / name for name in ("NOTLD_1968", "AMI_excerpts")]
    paths = {path.stem: path for folder in folders for path in sorted(folder.glob("*.wav"))}
    (shared,) = refine(find_repeats([fingerprint(path, name) for name, path in paths.items()]), interval_reader(paths))
    # Their transcripts end and begin with the same sentence: "If anything should try to break in here, ..."
    assert shared.source_a.startswith("12s_if_anything") and shared.source_b.startswith("21s_hey_thats_us")
    assert shared.start_a_s < 0.2 and shared.length_s == pytest.approx(4.0, abs=0.3) and shared.refined
