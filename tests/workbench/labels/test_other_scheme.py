"""A study whose scheme has three labels goes all the way: answers, agreement, release, plan, figures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.compare import compare, shared_emotions
from pipelines.errors import ConfigError
from pipelines.manifest import read_clips
from pipelines.study import Study, open_study
from tests.small_study import study_with_sound
from workbench.agreement.study_agreement import study_agreement
from workbench.releases.create import create_release
from workbench.releases.datasets import labelled_sets
from workbench.releases.training_data import Choice, expected, make_plan
from workbench.status.study_status import look
from workbench.store import Event, open_store

LABELS = ("calm", "tense", "bright")
SCHEME = """
schema = 1
name = "mood"
version = "1"
""" + "".join(
    f'[[labels]]\nname = "{name}"\nkeys = ["{number}"]\ncolour = "#00000{number}"\nsign = "{number}"\n'
    f'text = {{ en = "{name.title()}" }}\n'
    for number, name in enumerate(LABELS, start=1)
)
OVERRIDES = ("data.scheme=mood", "data.view=mood")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = study_with_sound(tmp_path_factory.mktemp("mood"), episodes=4, per_episode=6)
    (made.manifests / "mood.toml").write_text(SCHEME, encoding="utf-8")
    text = made.settings_file.read_text(encoding="utf-8")
    made.settings_file.write_text(text.replace('scheme = "five"', 'scheme = "mood"'), encoding="utf-8")
    study = open_study(made.name, made.root)
    with open_store(study) as store:
        for shift, rater in enumerate(("ann", "ben", "cai")):
            store.ensure_rater(rater)
            for number, clip in enumerate(read_clips(study.clips_csv)):
                label = LABELS[(number + (shift == 2 and number % 4 == 0)) % 3]
                event = Event(f"{rater}{number}", rater, clip_id=clip.clip_id, label=label)
                assert not store.record([event]).refused
    return study


def test_answers_agreement_and_standing(study: Study) -> None:
    with open_store(study) as store:
        found = study_agreement(study, store)
        standing = look(study, store, found["mood"].coefficients["alpha"])
    assert set(found) == {"mood"} and found["mood"].labels == LABELS
    assert found["mood"].coefficients["alpha"]["value"] > 0.5
    assert (standing.clips, standing.complete) == (24, 24)


def test_release_plan_and_figures(study: Study, tmp_path: Path) -> None:
    release = create_release(study, "r1")
    assert json.loads((release.folder / "release.json").read_text())["labels"] == list(LABELS)
    choice = Choice("release", ("r1",))
    with pytest.raises(ConfigError, match="reads the scheme 'five', but these labels are of 'mood'"):
        make_plan(study, choice, "soap_five")
    plan = make_plan(study, choice, "soap_five", OVERRIDES)
    assert plan.labels == LABELS and expected(plan).rater is not None
    (data,) = labelled_sets(study.root, [study.name])
    assert shared_emotions([data]) == LABELS[:2]
    made = compare([data, replace(data, name="again")], styles=["fair"], out=tmp_path)
    assert made.emotions == LABELS[:2]
    assert made.grid("fair", study.name, "tense").mark == ("#000002", "2")
    assert all(path.is_file() for path in made.figures)
