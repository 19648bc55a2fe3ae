"""The whole loop, once, for real: what `workbench demo --check` promises."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipelines.atomic_write import sha256_file
from pipelines.compare import STYLES, compare
from pipelines.manifest import read_clips
from pipelines.release import integrity_problems, open_release
from pipelines.study import Study
from workbench.releases.datasets import labelled_clips
from workbench.store import open_store

pytest.importorskip("espeakng_loader", reason="the extra 'demo' is not installed")
pytestmark = pytest.mark.timeout(900)


def check(root):
    told = subprocess.run(
        [sys.executable, "-m", "workbench", "demo", "--check"],
        capture_output=True,
        text=True,
        env=os.environ | {"WORKBENCH_ROOT": str(root)},
        check=False,
    )
    return told.returncode, json.loads(told.stdout), told.stderr


@pytest.fixture(scope="module")
def demo(demo_ended):
    assert demo_ended.code == 0, demo_ended.err
    return demo_ended.folder / "root", json.loads(demo_ended.out)


def is_estimate(value):
    """A value with its interval; or without one, as where every test answer is right, and then it says why."""
    if value["low"] is None:
        return set(value) == {"value", "low", "high", "n", "reason"} and value["high"] is None and value["reason"]
    return set(value) == {"value", "low", "high", "n"} and value["low"] <= value["value"] <= value["high"]


def test_it_says_what_each_step_gave(demo):
    _, document = demo
    steps = document["steps"]
    assert document["ok"] is True
    assert list(steps) == ["ingest", "annotations", "agreement", "release", "train", "compare"]
    assert steps["ingest"]["sources"] == 8
    assert steps["ingest"]["clips"] > 100
    assert steps["ingest"]["rejected"] > 0
    assert steps["annotations"]["raters"] == 3
    assert steps["annotations"]["count"] == 3 * steps["ingest"]["clips"]
    for view in ("five", "binary"):
        assert is_estimate(steps["agreement"][view]["alpha"])
        assert is_estimate(steps["train"][view]["accuracy"])
        assert is_estimate(steps["train"][view]["human_ceiling"])
        assert steps["train"][view]["test_clips"] == steps["train"][view]["accuracy"]["n"]
    assert steps["compare"]["corpora"] == ["demo", "demo_acted"]
    assert document["versions"]["tensorflow"]


def test_raters_are_machines_and_called_simulated(demo):
    root, _ = demo
    with open_store(Study(root, "demo")) as store:
        assert [rater.rater.split("-")[0] for rater in store.raters(kind="machine")] == ["simulated"] * 3
        assert store.raters(kind="person") == []


def test_the_release_is_as_it_was_made(demo):
    root, document = demo
    release = open_release(Study(root, "demo"), "r1")
    assert integrity_problems(release) == ()
    assert release.digest == document["steps"]["release"]["digest"]


def test_every_figure_is_a_picture_on_disk(demo):
    _, document = demo
    figures = [Path(name) for name in document["steps"]["compare"]["figures"]]
    assert len(figures) == 16
    for path in figures:
        head = path.read_bytes()[:200]
        assert head.startswith(b"\x89PNG") if path.suffix == ".png" else b"<?xml" in head


def test_each_panel_is_the_spectrum_of_its_clip(demo):
    root, document = demo
    record = json.loads((Path(document["steps"]["compare"]["figures"][0]).parent / "comparison.json").read_text())
    sets = [labelled_clips(root, name) for name in record["corpora"]]
    made = compare(sets, record["emotions"], styles=tuple(STYLES), seed=record["seed"])
    assert [[p.clip.clip.clip_id for p in grid.panels] for grid in made.grids] == [g["clips"] for g in record["grids"]]
    for grid in made.grids:
        if grid.style.name != "as_published":
            continue
        for panel in grid.panels:
            np.testing.assert_allclose(panel.values, published_spectrum(panel.clip.path), atol=2e-3)


def published_spectrum(path):
    """The published formula, written out: the whole file, framed by 255 every 240, symmetric Hann, FFT of 256."""
    import wave

    with wave.open(str(path)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), "<i2") / 32768.0
    filled = np.zeros(198 * 240 + 255)
    filled[: min(len(samples), len(filled))] = samples[: len(filled)]
    frames = np.stack([filled[240 * k : 240 * k + 255] for k in range(199)]) * np.hanning(255)
    return np.log(np.abs(np.fft.rfft(frames, 256)).T + 2.220446049250313e-16)


def test_a_second_time_nothing_is_made_again(demo):
    root, document = demo
    study = Study(root, "demo")
    kept = [
        study.clips_csv,
        study.sources_csv,
        *(study.clip_path(clip.clip_id) for clip in read_clips(study.clips_csv)),
    ]
    before = {path: sha256_file(path) for path in kept}
    runs = sorted(path.name for path in study.runs.iterdir())
    code, again, _ = check(root)
    assert code == 0
    assert {path: sha256_file(path) for path in kept} == before
    assert sorted(path.name for path in study.runs.iterdir()) == runs
    for step in ("annotations", "agreement", "release", "train", "compare"):
        assert again["steps"][step] == document["steps"][step]
