"""Every page of the curator and the researcher, on an empty study and on one with sound and labels."""

import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pipelines.study import Study, create_study
from tests.small_study import answer, study_with_sound
from tests.workbench.app.page_harness import Viewed, words
from workbench.app.page import cached_reads
from workbench.app.page_registry import PAGES
from workbench.jobs import jobs
from workbench.jobs.jobs import Job
from workbench.people.access_control import Role
from workbench.releases.training_data import Choice, command

pytestmark = pytest.mark.timeout(1200)  # some wait for a process that trains

VIEWS = [page for page in PAGES if page.url != "label"]


@pytest.fixture
def opened(viewed: Viewed) -> Callable[..., AppTest]:
    def run(study: Study, url: str, *, role: Role = "researcher", **query: str) -> AppTest:
        app = viewed(study, next(page.view for page in PAGES if page.url == url), role, **query)
        assert not {"tensorflow", "keras"} & set(sys.modules), "training belongs into processes of its own; tests too"
        return app

    return run


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = study_with_sound(tmp_path_factory.mktemp("labelled"), episodes=4, per_episode=5)
    answer(study, {"simulated-1": 0.9, "simulated-2": 0.8, "simulated-3": 0.7})
    return study


@pytest.fixture(scope="module", autouse=True)
def training(labelled: Study, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Study, Job]]:
    """A copy of the labelled study with a training started as the Train page does; it runs beside the first tests."""
    root = tmp_path_factory.mktemp("training")
    shutil.copytree(labelled.root, root, dirs_exist_ok=True)
    study = Study(root, labelled.name)
    argv = command(study, Choice("now"), "soap_five_as_published", overrides=("training.epochs=2",))
    job = jobs.start(study, argv, "Train for a test")
    yield study, job
    jobs.cancel(job)


@pytest.fixture(scope="module")
def trained(training: tuple[Study, Job]) -> tuple[Study, Job]:
    """The same when the training has ended."""
    study, job = training
    deadline = time.monotonic() + 900
    while not job.is_over and time.monotonic() < deadline:
        time.sleep(0.2)
        job = jobs.open_job(study, job.job_id)
    assert job.state == "done", job.message
    return study, job


@pytest.fixture
def empty(tmp_path: Path) -> Study:
    return create_study("bare", rights_basis="made up", root=tmp_path)


@pytest.mark.parametrize("url", [page.url for page in VIEWS])
def test_an_empty_page_teaches(opened: Callable[..., AppTest], empty: Study, url: str) -> None:
    app = opened(empty, url)
    said = words(app)
    assert "None" not in said
    assert "workbench " in said or "Label some clips" in said, f"{url} says neither command nor button: {said}"


@pytest.mark.parametrize("url", [page.url for page in VIEWS])
def test_a_page_on_a_labelled_study_says_no_none_and_no_long_digits(
    opened: Callable[..., AppTest], labelled: Study, url: str
) -> None:
    app = opened(labelled, url)
    said = words(app)
    assert "None" not in said and "nan" not in said
    for table in app.dataframe:
        assert not table.value.isna().to_numpy().any(), f"an empty cell reads None:\n{table.value}"
    assert not re.search(r"\d\.\d{7,}", said)


def test_overview_names_what_holds_the_study_back(opened: Callable[..., AppTest], labelled: Study) -> None:
    app = opened(labelled, "overview")
    assert [metric.value for metric in app.metric][:3] == ["1.3 min", "20", "100 %"]
    assert any("simulated" in info.value.lower() for info in app.info)
    assert any(one.value.startswith("**Next:**") for one in app.markdown)


def test_agreement_answers_in_words_with_interval_and_n(opened: Callable[..., AppTest], labelled: Study) -> None:
    app = opened(labelled, "agreement")
    said = words(app)
    assert "Krippendorff's alpha" in said and "95 % interval" in said and "n = 20 clips" in said
    assert any("simulated" in info.value.lower() for info in app.info)


def test_agreement_switches_to_binary_by_url(opened: Callable[..., AppTest], labelled: Study) -> None:
    five, binary = opened(labelled, "agreement"), opened(labelled, "agreement", scheme="binary")
    assert words(five) != words(binary)


def test_a_clip_in_the_url_is_shown_with_its_answers(opened: Callable[..., AppTest], labelled: Study) -> None:
    said = words(opened(labelled, "clips", clip="ep2-000004000"))
    assert "ep2-000004000" in said and "3 answers" in said


def test_clips_are_filtered(opened: Callable[..., AppTest], labelled: Study) -> None:
    app = opened(labelled, "clips")
    app.text_input(key="find").set_value("ep3").run()
    assert any(caption.value.startswith("5 clips of 20") for caption in app.caption)


def test_train_says_what_would_happen_before_the_button(opened: Callable[..., AppTest], labelled: Study) -> None:
    app = opened(labelled, "train")
    (button,) = app.button
    assert re.fullmatch(r"Train soap_five on the (\d+) labelled clips", button.label), "a tied clip has no label"
    assert any("No leak found" in one.value for one in app.success)
    leaky = opened(labelled, "train", recipe="soap_five_as_published")
    assert any(one.value.startswith("LEAK") for one in leaky.error)


def test_an_annotator_gets_no_button_to_what_is_closed(opened: Callable[..., AppTest], labelled: Study) -> None:
    app = opened(labelled, "runs", role="curator")
    assert not app.button


def test_a_wrong_run_in_the_url_is_one_sentence(opened: Callable[..., AppTest], empty: Study) -> None:
    app = opened(empty, "runs", run="no-such-run")
    assert not app.exception


def test_a_wrong_job_in_the_url_is_one_sentence(opened: Callable[..., AppTest], labelled: Study) -> None:
    (error,) = opened(labelled, "train", job="no-such-job").error
    assert "unknown job 'no-such-job'" in error.value


def test_a_finished_training_shows_its_curves_and_leads_to_its_run(
    opened: Callable[..., AppTest], trained: tuple[Study, Job]
) -> None:
    study, job = trained
    history = cached_reads.curves(job)
    assert history["epoch"][-1] == 2 and all(len(values) == len(history["epoch"]) for values in history.values())
    app = opened(study, "train", job=job.job_id)
    assert "Open the run" in [button.label for button in app.button]


def test_a_run_says_its_leak_loudly_beside_its_number_and_what_raters_reach(
    opened: Callable[..., AppTest], trained: tuple[Study, Job]
) -> None:
    study, job = trained
    (run,) = cached_reads.runs_of(study, job)
    app = opened(study, "runs", run=run.run_id)
    assert [one.value for one in app.error] == [run.leak["sentence"]]
    said = words(app)
    assert "95 % interval" in said and "test rows with copies" in said
    assert "One simulated rater agrees with the others" in said
    assert "None" not in said and not re.search(r"\d\.\d{7,}", said)
    classes = next(one.value for one in app.dataframe if "Precision" in one.value.columns)
    assert list(classes["label"]) == ["▲ Happy", "▼ Sad", "◆ Angry", "■ Fearful", "● Neutral"]


def test_overview_shows_the_model_next_to_a_rater(opened: Callable[..., AppTest], trained: tuple[Study, Job]) -> None:
    said = words(opened(trained[0], "overview"))
    assert "LEAKS" in said and "Newest model (soap_five_as_published): " in said
