from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from multiprocessing import get_context

import numpy as np
import pytest

from pipelines.atomic_write import sha256_file
from pipelines.schema import Clip
from workbench.demo import script, sound
from workbench.demo.material import Spoken, episode_file, make_actress, make_episode, true_label, truth_of

pytest.importorskip("espeakng_loader", reason="the extra 'demo' is not installed")


def made_afresh(make, folder, which):
    """Made in a process of its own, as the demo does it."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(make, folder, which).result()


@pytest.fixture(scope="module")
def episode(tmp_path_factory):
    folder = tmp_path_factory.mktemp("episode")
    made_afresh(make_episode, folder, 3)
    return folder


def test_an_episode_is_the_same_every_time(episode, tmp_path):
    made_afresh(make_episode, tmp_path, 3)
    assert sha256_file(episode_file(tmp_path, 3)) == sha256_file(episode_file(episode, 3))


def test_an_episode_holds_five_deliveries_and_several_voices(episode):
    spoken = truth_of(episode, 3)
    assert {line.label for line in spoken} == set(script.DELIVERIES)
    assert len({line.speaker for line in spoken}) == 3
    assert all(before.end_s < after.start_s for before, after in pairwise(spoken))


def test_the_truth_is_where_the_sound_is(episode):
    from pipelines.media.audio import read_mono

    samples, rate_hz = read_mono(episode_file(episode, 3))
    loud = [np.abs(samples[int(s.start_s * rate_hz) : int(s.end_s * rate_hz)]).mean() for s in truth_of(episode, 3)]
    assert min(loud) > 0.004  # room tone has 0.001


def test_the_acted_corpus_has_the_layout_of_tess(tmp_path):
    made_afresh(make_actress, tmp_path, "OAF")
    files = sorted(path.relative_to(tmp_path / "acted").as_posix() for path in tmp_path.rglob("*.wav"))
    assert len(files) == len(script.WORDS) * len(script.DELIVERIES)
    assert "OAF_fear/OAF_back_fear.wav" in files


def clip(start_s, end_s):
    return Clip("e-0", "e", int(start_s * 1000), int((end_s - start_s) * 1000), 1000, "e")


@pytest.mark.parametrize(
    ("start_s", "end_s", "label"), [(0, 3, "sad"), (2, 5, "happy"), (2.4, 3.2, "sad"), (9, 12, None)]
)
def test_a_clip_has_the_label_of_the_line_that_fills_most_of_it(start_s, end_s, label):
    spoken = (Spoken(0.0, 2.9, "sad", "a"), Spoken(3.0, 6.0, "happy", "b"))
    assert true_label(clip(start_s, end_s), spoken) == label


def test_every_delivery_changes_the_sound_but_never_clips_it():
    rng = np.random.default_rng(0)
    voice = (0.5 * np.sin(np.arange(22_050) / 20)).astype(np.float32)
    heard = {name: sound.deliver(voice, 22_050, how, rng) for name, how in script.DELIVERIES.items()}
    assert all(np.abs(line).max() < 0.99 for line in heard.values())
    levels = {name: float(np.sqrt((line**2).mean())) for name, line in heard.items()}
    assert levels["angry"] > levels["neutral"] > levels["sad"]


def test_the_opening_is_the_same_tune_in_every_episode():
    assert np.array_equal(sound.opening_tune(22_050), sound.opening_tune(22_050))
