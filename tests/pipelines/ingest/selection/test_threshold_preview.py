"""pipelines.ingest.selection.threshold_preview: what another bound would keep is what ingest would keep."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import ConfigError, DataError, UnknownName
from pipelines.ingest.selection.decision import ScoredWindow, decide
from pipelines.ingest.selection.screens import SCREENS, effective_thresholds
from pipelines.ingest.selection.threshold_preview import (
    histogram,
    move_limit,
    nearest_windows,
    preview_thresholds,
    read_candidates,
    score_range,
)
from pipelines.schema import clip_id
from pipelines.study import ScreenThresholds, SelectionSettings, StudySettings

RATE_HZ = 16000
#: Screens with limits of their own here, so that new ones and other limits change nothing.
BOUNDS = {
    "speech_ratio": ScreenThresholds(min=0.6, review_min=0.4),
    "longest_pause_s": ScreenThresholds(max=1.0),
    "clip_ratio": ScreenThresholds(max=0.01),
    "dropout_ratio": ScreenThresholds(max=0.05),
}
STUDY = StudySettings(
    name="night",
    select=SelectionSettings(random_share=0.2),
    screen={name: BOUNDS.get(name, ScreenThresholds()) for name in SCREENS},
)


def windows(count: int, seed: int) -> list[ScoredWindow]:
    """Windows of 3 s that begin every 1.5 s, with scores of every screen, some of them not known."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        scores: dict[str, float | None] = {name: float(rng.normal()) for name in SCREENS}
        scores |= {
            "speech_ratio": round(float(rng.uniform(0.2, 1)), 2),
            "longest_pause_s": round(float(rng.uniform(0, 2)), 1),
            "clip_ratio": float(rng.choice([0.0, 0.01, 0.05])),
            "dropout_ratio": None if rng.random() < 0.2 else float(rng.choice([0.0, 0.05, 0.2])),
            "loudness_lufs": float(rng.uniform(-45, -10)),
        }
        start = number * RATE_HZ * 3 // 2
        kept = {name: None if score is None else float(np.float32(score)) for name, score in scores.items()}
        found.append(ScoredWindow(start, 3 * RATE_HZ, start / RATE_HZ + 0.1, kept, f"{number:064x}"))
    return found


def written(path: Path, by_source: dict[str, list[ScoredWindow]], repeated: frozenset[str] = frozenset()) -> Path:
    """candidates.parquet as ingest writes it."""
    rows = []
    for source_id, found in by_source.items():
        names = [clip_id(source_id, window.start_sample, RATE_HZ) for window in found]
        free = [window for name, window in zip(names, found, strict=True) if name not in repeated]
        decided = dict(zip(map(id, free), decide(free, RATE_HZ, STUDY, source_id=source_id), strict=True))
        for name, window in zip(names, found, strict=True):
            decision = decided.get(id(window))
            rows.append(
                {
                    "clip_id": name,
                    "source_id": source_id,
                    "start_sample": window.start_sample,
                    "n_samples": window.n_samples,
                    "rate_hz": RATE_HZ,
                    "start_s": window.start_sample / RATE_HZ,
                    "onset_s": window.onset_s,
                    **window.scores,
                    "status": decision.status if decision else "reject",
                    "reasons": ";".join(decision.reasons) if decision else "repeated",
                    "arm": decision.arm if decision else "",
                    "pcm_sha256": window.pcm_sha256,
                }
            )
    schema = pa.schema(
        [(name, pa.float32() if name in SCREENS else pa.infer_type([rows[0][name]])) for name in rows[0]]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = {"ep1": windows(80, 1), "ep2": windows(60, 2)}
    return written(tmp_path_factory.mktemp("table") / "candidates.parquet", made, frozenset({"ep1-000003000"}))


def test_the_bounds_in_force_keep_what_was_kept(table: Path) -> None:
    candidates = read_candidates(table)
    now = preview_thresholds(candidates, STUDY, {})
    assert (now.gained, now.lost) == ((), ())
    assert now.n_kept == now.n_kept_before == int(candidates.kept.sum()) > 0
    assert [one.arm for one in now.decisions] == list(candidates.arms)
    assert sum(now.statuses.values()) == len(candidates) == 140
    assert now.reasons["repeated"] == 1 and sum(now.reasons.values()) == 140 - now.n_kept
    assert now.decisions[candidates.clip_ids.index("ep1-000003000")].status == "reject"


@settings(max_examples=20)
@given(low=st.floats(0.0, 1.0), high=st.floats(0.0, 2.0), seed=st.integers(0, 5))
def test_any_bounds_keep_what_ingest_would_keep(
    tmp_path_factory: pytest.TempPathFactory, low: float, high: float, seed: int
) -> None:
    made = {"a": windows(25, seed), "b": windows(10, seed + 100)}
    candidates = read_candidates(written(tmp_path_factory.mktemp("any") / "candidates.parquet", made))
    bounds = {"speech_ratio": ScreenThresholds(min=low), "longest_pause_s": ScreenThresholds(max=high)}
    found = preview_thresholds(candidates, STUDY, bounds)
    there = STUDY.model_copy(update={"screen": {**STUDY.screen, **bounds}})
    direct = [one for name, of in made.items() for one in decide(of, RATE_HZ, there, source_id=name)]
    assert list(found.decisions) == direct
    before = {name for name, kept in zip(candidates.clip_ids, candidates.kept, strict=True) if kept}
    after = {name for name, kept in zip(candidates.clip_ids, found.kept, strict=True) if kept}
    assert (set(found.gained), set(found.lost)) == (after - before, before - after)
    assert found.n_kept == found.n_kept_before + len(found.gained) - len(found.lost)


def test_what_stands_beside_a_limit_is_nearest_first_and_first_what_this_screen_alone_decides(table: Path) -> None:
    candidates = read_candidates(table)
    passes, fails = nearest_windows(candidates, STUDY, "speech_ratio", "min", 0.6, most=8)
    assert len(passes) == len(fails) == 8
    scores = candidates.scores["speech_ratio"]
    assert list(scores[list(passes)]) == sorted(scores[list(passes)]) and scores[list(passes)].min() >= 0.6
    assert list(-scores[list(fails)]) == sorted(-scores[list(fails)]) and scores[list(fails)].max() < 0.6
    others = {name: limit for name, limit in effective_thresholds(STUDY).items() if name != "speech_ratio"}
    for row in (*passes, *fails):
        for name, limit in others.items():
            score = candidates.scores[name][row]
            assert not (limit.max is not None and score > limit.max), (name, score)
    everything = nearest_windows(candidates, STUDY, "speech_ratio", "min", 0.6, most=1000)
    assert sum(map(len, everything)) == len(candidates), "where there are too few such windows, others fill up"
    above, below = nearest_windows(candidates, STUDY, "loudness_lufs", "max", -20.0, most=3)
    loudness = candidates.scores["loudness_lufs"]
    assert loudness[list(above)].max() <= -20 < loudness[list(below)].min() and len(above) == len(below) == 3


def test_a_histogram_counts_every_window_once(table: Path) -> None:
    candidates = read_candidates(table)
    for name in SCREENS:
        made = histogram(candidates, name, candidates.kept, bins=12)
        assert int(made.kept.sum() + made.others.sum()) + made.unknown == len(candidates)
        assert len(made.edges) == 13 and made.edges[0] < made.edges[-1]
    assert histogram(candidates, "dropout_ratio", candidates.kept).unknown == int(
        np.isnan(candidates.scores["dropout_ratio"]).sum()
    )
    low, high = score_range(candidates, "speech_ratio")
    assert 0.2 <= low < high <= 1


def test_a_limit_that_moves_past_the_zone_of_review_takes_it_along() -> None:
    bounds = ScreenThresholds(min=0.6, review_min=0.4)
    assert move_limit(bounds, "min", 0.5) == ScreenThresholds(min=0.5, review_min=0.4)
    assert move_limit(bounds, "min", 0.4) == ScreenThresholds(min=0.4)
    assert move_limit(bounds, "min", None) == ScreenThresholds()
    assert move_limit(ScreenThresholds(max=1.0, review_max=2.0), "max", 3.0) == ScreenThresholds(max=3.0)


def test_what_cannot_be_asked_is_refused(table: Path, tmp_path: Path) -> None:
    candidates = read_candidates(table)
    with pytest.raises(UnknownName, match="unknown screen 'speech'"):
        preview_thresholds(candidates, STUDY, {"speech": ScreenThresholds(min=0.5)})
    with pytest.raises(ConfigError, match="keeps nothing"):
        preview_thresholds(candidates, STUDY, {"speech_ratio": ScreenThresholds(min=0.9, max=0.1)})
    with pytest.raises(DataError, match="no candidates on this machine yet"):
        read_candidates(tmp_path / "candidates.parquet")
    older = tmp_path / "older.parquet"
    pq.write_table(pq.read_table(table).drop_columns(["arm"]), older)
    with pytest.raises(DataError, match="written by an earlier version and has no column 'arm'"):
        read_candidates(older)
