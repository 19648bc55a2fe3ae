"""The whole comparison on made data sets: every panel is its clip's spectrogram, figures and numbers follow."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.compare import STYLES, Comparison, compare, style
from pipelines.compare.figures import draw
from pipelines.compare.statistics import correlations, similarity
from pipelines.errors import Cancelled, ConfigError, DataError, MediaError, UnknownName
from pipelines.media.audio import read_mono, to_pcm16, write_pcm16
from pipelines.progress import Progress
from pipelines.schema import Clip, LabelledClip, LabelledClips
from tests.synthetic_audio import noise, voice

LABELS = ("happy", "sad", "angry", "fearful", "neutral")


def made_set(folder: Path, name: str, groups: int, *, fixed: bool, rate_hz: int, per_group: int = 3) -> LabelledClips:
    """Clips of two emotions. `fixed`: all say the same thing, as acted corpora do; else each says its own."""
    clips = []
    for number in range(groups * per_group * 2):
        label = ("neutral", "fearful")[number % 2]
        group = f"{name}-{number // 2 % groups}"
        sound = voice(1.5, rate_hz, pitch_hz=120 + 60 * (number % 2), seed=3 if fixed else 100 + number)
        sound = 0.5 * sound + noise(1.5, rate_hz, level=0.001, seed=number)
        path = folder / f"{name}-{number}.wav"
        write_pcm16(path, to_pcm16(sound), rate_hz)
        clip = Clip(path.stem, f"{name}-s{number}", 0, len(sound), rate_hz, group, speaker=group if fixed else "")
        clips.append(LabelledClip(clip, path, label))
    origin = {"title": name.upper(), "citation": f"{name} (2026)."} if fixed else {}
    return LabelledClips(name, LABELS, tuple(clips), origin=origin, group_word="speaker" if fixed else "episode")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelledClips, LabelledClips]:
    folder = tmp_path_factory.mktemp("clips")
    return (
        made_set(folder, "drama", 5, fixed=False, rate_hz=44_100),
        made_set(folder, "acted", 2, fixed=True, rate_hz=24_414, per_group=4),
    )


@pytest.fixture(scope="module")
def comparison(sets: tuple[LabelledClips, LabelledClips], tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(sets, seed=7, out=tmp_path_factory.mktemp("figures"))


def test_every_grid_is_there_once_with_the_same_clips_in_each_style(comparison: Comparison) -> None:
    assert len(comparison.grids) == len(STYLES) * 2 * 2
    for corpus, n in (("drama", 9), ("acted", 8)):
        for emotion in ("neutral", "fearful"):
            chosen = [
                [panel.clip.clip.clip_id for panel in comparison.grid(name, corpus, emotion).panels] for name in STYLES
            ]
            assert chosen[0] == chosen[1] and len(chosen[0]) == n
    with pytest.raises(KeyError):
        comparison.grid("fair", "drama", "happy")


@pytest.mark.parametrize("name", sorted(STYLES))
def test_each_panel_is_the_spectrogram_of_its_clip(comparison: Comparison, name: str) -> None:
    for grid in (grid for grid in comparison.grids if grid.style.name == name):
        for panel in grid.panels:
            assert panel.clip.label == grid.emotion
            values, x, y = style(name).spectrogram(*read_mono(panel.clip.path, style(name).rate_hz))
            np.testing.assert_array_equal(panel.values, values)
            np.testing.assert_array_equal(panel.x, x)
            np.testing.assert_array_equal(panel.y, y)


def test_what_is_drawn_is_what_the_panels_hold(comparison: Comparison) -> None:
    for grid in comparison.grids:
        figure = draw(grid)
        assert any(f"n = {grid.counts}" in text.get_text() for text in figure.texts)
        pictures = [axis for axis in figure.axes if axis.images or axis.collections]
        drawn = [axis for axis in pictures if axis.get_title()]
        assert [axis.get_title() for axis in drawn] == [panel.title for panel in grid.panels]
        for axis, panel, limits in zip(drawn, grid.panels, grid.limits, strict=True):
            picture = (axis.images or axis.collections)[0]
            shown = np.ma.filled(picture.get_array().astype(np.float32), np.nan).reshape(panel.values.shape)
            np.testing.assert_array_equal(shown, panel.values)
            assert picture.get_clim() == limits
            assert picture.get_cmap().name == grid.style.colour_map


def test_fair_grids_share_one_scale_and_published_ones_do_not(comparison: Comparison) -> None:
    fair = {limits for grid in comparison.grids if grid.style.name == "fair" for limits in grid.limits}
    assert len(fair) == 1
    for grid in comparison.grids:
        if grid.style.name == "as_published":
            assert list(grid.limits) == [(p.values.min(), p.values.max()) for p in grid.panels]


def test_files_captions_and_document(comparison: Comparison) -> None:
    assert len(comparison.figures) == 2 * len(comparison.grids)
    for path in comparison.figures:
        head = path.read_bytes()[:500]
        assert head.startswith(b"\x89PNG") if path.suffix == ".png" else b"<svg" in path.read_bytes()
    assert comparison.out
    document = json.loads((comparison.out / "comparison.json").read_text())
    assert document == json.loads(json.dumps(comparison.document(relative_to=comparison.out)))
    assert document["figures"][0] == "as_published-drama-neutral.png"  # the folder may move, as a run's does
    assert comparison.document()["figures"][0] == str(comparison.out / "as_published-drama-neutral.png")
    assert document["corpora"] == ["drama", "acted"] and document["citations"] == ["acted (2026)."]
    caption = comparison.grid("fair", "acted", "neutral").caption
    assert caption.startswith(
        "ACTED, neutral: spectrograms of 8 of 8 clips, 2 speakers, chosen at random (seed 7), spread over speakers. "
        "Level in dB"
    )


def test_same_seed_same_bytes(
    sets: tuple[LabelledClips, LabelledClips], comparison: Comparison, tmp_path: Path
) -> None:
    again = compare(sets, ["fearful"], styles=["fair", "as_published"], seed=7, out=tmp_path)
    for path in again.figures:
        assert comparison.out
        assert path.read_bytes() == (comparison.out / path.name).read_bytes(), path.name


def test_an_acted_set_that_says_one_thing_is_more_alike(comparison: Comparison) -> None:
    by = {(row.corpus, row.emotion): row for row in comparison.rows}
    for emotion in ("neutral", "fearful"):
        acted, drama = by["acted", emotion], by["drama", emotion]
        assert acted.similarity["value"] is not None and drama.similarity["value"] is not None
        assert acted.similarity["low"] > drama.similarity["high"]
        assert (drama.clips, drama.groups, drama.unit) == (15, 5, "episode")
        assert (acted.pairs, acted.unit) == ("clips of different speakers", "clip, for want of speakers")
        assert acted.median_s == pytest.approx(1.5, abs=0.001)


def test_correlations_take_away_what_stays_the_same(comparison: Comparison) -> None:
    panels = comparison.grid("fair", "drama", "neutral").panels
    table = correlations(panels)
    np.testing.assert_array_equal(table, table.T)
    tilt = np.linspace(0, -40, 257, dtype=np.float32)[:, None]
    tilted = [replace(panel, values=panel.values + tilt) for panel in panels]
    np.testing.assert_allclose(correlations(tilted), table, atol=1e-5)
    a, b = (panel.values[:, np.isfinite(panel.values[0])].astype(float) for panel in panels[:2])
    width = min(a.shape[1], b.shape[1])
    a, b = (x[:, :width] - x[:, :width].mean(axis=1, keepdims=True) for x in (a, b))
    assert table[0, 1] == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def test_similarity_interval_holds_its_value_and_never_pairs_a_clip_with_itself() -> None:
    rng = np.random.default_rng(0)
    table = np.full((6, 6), 0.25) + 0.75 * np.eye(6)
    found = similarity(table, ~np.eye(6, dtype=bool), list(range(6)), rng)
    assert found == {"value": 0.25, "low": 0.25, "high": 0.25, "n": 6}
    noisy = 0.4 + 0.1 * rng.standard_normal((9, 9))
    noisy = (noisy + noisy.T) / 2
    found = similarity(noisy, ~np.eye(9, dtype=bool), list("aaabbbccc"), rng)
    assert found["value"] is not None and found["low"] <= found["value"] <= found["high"]
    one = similarity(np.eye(1), np.zeros((1, 1), bool), [0], rng)
    assert one == {"value": None, "reason": "similarity needs two clips", "n": 1}


def test_fewer_than_nine_clips_and_one_clip_still_make_a_grid(
    sets: tuple[LabelledClips, LabelledClips], tmp_path: Path
) -> None:
    drama = sets[0]
    single = replace(drama, clips=drama.clips[:1])
    made = compare([single], ["neutral"], out=tmp_path)
    assert made.grids[0].counts == "1 of 1 clip, 1 episode"
    assert made.rows[0].similarity["value"] is None
    assert len(made.figures) == 4


def test_refusals_are_one_sentence_and_write_nothing(sets: tuple[LabelledClips, LabelledClips], tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(DataError, match="no clip of 'drama' is labelled 'happy'; it has fearful, neutral"):
        compare(sets, ["happy"], out=out)
    with pytest.raises(UnknownName, match="did you mean 'fearful'"):
        compare(sets, ["fear"], out=out)
    with pytest.raises(ConfigError, match="'drama' is named twice"):
        compare([sets[0], sets[0]], out=out)
    with pytest.raises(ConfigError, match="at least one data set"):
        compare([], out=out)
    gone = replace(sets[0], clips=tuple(replace(clip, path=tmp_path / "gone.wav") for clip in sets[0].clips))
    with pytest.raises(MediaError):
        compare([gone], out=out)

    def stop(progress: Progress) -> None:
        if progress.done == 1:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        compare(sets, out=out, report=stop)
    assert not out.exists()


def test_progress_ends_full(sets: tuple[LabelledClips, LabelledClips]) -> None:
    heard: list[Progress] = []
    compare(sets, ["neutral"], styles=["fair"], report=heard.append)
    assert [progress.fraction for progress in heard] == [0, 0.5, 1]
