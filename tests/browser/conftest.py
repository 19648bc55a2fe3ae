"""The real app, as `workbench serve` starts it, and a real Chromium on it."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from pipelines.study import Study
from tests.browser.app_server import App, serving
from tests.browser.label_page import Console
from tests.browser.wait_conditions import LONGEST_S
from tests.small_study import study_with_sound

ARGUMENTS = (
    "--no-sandbox",
    "--mute-audio",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
)


def chromium() -> str | None:
    """Where a Chromium is, if there is one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium; where there is none, a skip with its reason, and a failure in CI."""
    executable = chromium()
    if executable is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium here, and CI must have one")
        pytest.skip("no Chromium here: install the package 'chromium' to run the browser tests")
    expect.set_options(timeout=LONGEST_S * 1000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = study_with_sound(tmp_path_factory.mktemp("made"), episodes=4, per_episode=10)
    settings = study.settings_file.read_text(encoding="utf-8")
    study.settings_file.write_text(settings.replace("raters_per_clip = 3", "raters_per_clip = 50"), encoding="utf-8")
    return study


@contextmanager
def _served(made: Study, root: Path) -> Iterator[App]:
    shutil.copytree(made.root, root, dirs_exist_ok=True)
    with serving(Study(root, made.name)) as running:
        yield running


@pytest.fixture(scope="session")
def app(_made: Study, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on a study of 40 made clips, for tests that let it live; each has a person of its own."""
    with _served(_made, tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest.fixture(scope="module")
def _mortal(_made: Study, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with _served(_made, tmp_path_factory.mktemp("mortal")) as running:
        yield running


@pytest.fixture
def mortal_app(_mortal: App) -> App:
    """The same for tests that kill it; each finds it alive."""
    if not _mortal.runs:
        _mortal.start()
    return _mortal


@pytest.fixture
def own_app(_made: Study, tmp_path: Path) -> Iterator[App]:
    """The same for one test that changes the study."""
    with _served(_made, tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def _profile(browser: Browser) -> Iterator[BrowserContext]:
    """One profile for all tests, as a laptop shows it: Streamlit's own files are fetched and compiled once."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB")
    context.set_default_timeout(LONGEST_S * 1000)
    yield context
    context.close()


@pytest.fixture
def page(_profile: BrowserContext) -> Iterator[Page]:
    """A tab in which nobody is signed in and nothing is kept. A script error in the page fails the test."""
    opened = _profile.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    for left in _profile.pages:
        left.goto("about:blank")
        left.close()
    _profile.unroute_all()
    _profile.set_offline(False)
    _profile.clear_permissions()
    _profile.set_storage_state({"cookies": [], "origins": []})
    assert errors == []


@pytest.fixture
def console(app: App, page: Page, request: pytest.FixtureRequest) -> Console:
    """The labelling console of a new annotator, its first clip sounding."""
    rater = request.node.name
    return Console(app, page, rater).open(app.add(rater))


@pytest.fixture
def mortal_console(mortal_app: App, page: Page, request: pytest.FixtureRequest) -> Console:
    """The same on an app that may be killed."""
    rater = request.node.name
    return Console(mortal_app, page, rater).open(mortal_app.add(rater))
