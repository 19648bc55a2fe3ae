"""The real app, as `workbench serve` starts it, and a real Chromium on it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from pipelines.study import ROOT_VARIABLE, Study
from tests.studies import study_with_sound
from workbench import accounts, people
from workbench.accounts import Role
from workbench.store import Store, StoredEvent, open_store

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


class App:
    """One server that can be killed and started again on the same port."""

    def __init__(self, study: Study) -> None:
        self.study = study
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = study.private / "serve.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "workbench", "serve", "--study", self.study.name, "--no-open"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                env={**os.environ, ROOT_VARIABLE: str(self.study.root)},
                stdout=log,
                stderr=log,
            )
        end = time.monotonic() + 60
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the app did not start: {self.log.read_text(encoding='utf-8')}")
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL: no time for anything."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGINT, as Ctrl-C does; returns the exit code."""
        return self._end(signal.SIGINT)

    def add(self, name: str, role: Role = "annotator") -> str:
        """Make a person known; returns the link that signs them in."""
        with self.store() as store:
            rater = people.add(store, name, role, exist_ok=True)
        token = people.invitation(accounts.secret(self.study), rater.rater, time.time())
        return f"{self.address}/sign-in?invitation={quote(token)}"

    def store(self) -> Store:
        """The label store, opened beside the server."""
        return open_store(self.study)

    def events(self, rater: str) -> list[StoredEvent]:
        """Everything stored of this person, in the order stored."""
        with self.store() as store:
            return [event for event in store.events() if event.rater == rater]

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(how)
        code = self._process.wait(30)
        self._process = None
        return code

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.address}/_stcore/health", timeout=1) as response:
                return bool(response.status == 200)
        except OSError:
            return False


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A real Chromium; where there is none, a skip with its reason, and a failure in CI."""
    executable = chromium()
    if executable is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no Chromium here, and CI must have one")
        pytest.skip("no Chromium here: install the package 'chromium' to run the browser tests")
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
    running = App(Study(root, made.name))
    running.start()
    yield running
    running.kill()


@pytest.fixture(scope="session")
def app(_made: Study, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on a study of 40 made clips, for tests that let it live; each has a person of its own."""
    with _served(_made, tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest.fixture
def mortal_app(_made: Study, tmp_path: Path) -> Iterator[App]:
    """The app on a study of 40 made clips, for a test that kills it."""
    with _served(_made, tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def _profile(browser: Browser) -> Iterator[BrowserContext]:
    """One profile for all tests, as a laptop shows it: Streamlit's own files are fetched and compiled once."""
    context = browser.new_context(viewport={"width": 1280, "height": 720}, locale="en-GB")
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
def console(app: App, page: Page, request: pytest.FixtureRequest) -> "Console":
    """The labelling console of a new annotator, its first clip sounding."""
    rater = request.node.name
    return Console(app, page, rater).open(app.add(rater))


@pytest.fixture
def mortal_console(mortal_app: App, page: Page) -> "Console":
    """The same on an app that may be killed."""
    return Console(mortal_app, page, "Ann").open(mortal_app.add("Ann"))


class Console:
    """The labelling console as a person meets it."""

    def __init__(self, app: App, page: Page, rater: str) -> None:
        self.app = app
        self.page = page
        self.rater = rater

    @property
    def events(self) -> list[StoredEvent]:
        """Everything stored of the person at this console, in the order stored."""
        return self.app.events(self.rater)

    @property
    def answers(self) -> list[tuple[str, str | None]]:
        """The same: kind and label."""
        return [(event.kind, event.label) for event in self.events]

    @property
    def labels(self) -> list[str | None]:
        """The same: labels alone."""
        return [event.label for event in self.events]

    def open(self, link: str) -> "Console":
        """Follow the link and press space, which begins and is never a label."""
        self.page.goto(link)
        if not self.page.url.endswith("/label"):  # a curator begins elsewhere
            self.page.goto(f"{self.app.address}/label")
        for _ in range(5):
            self.wait("mode", lambda mode: mode in ("blocked", "playing"))
            self.settle()
            if self.state("mode") == "playing":
                break
            self.page.keyboard.press(" ")
        self.wait("mode", lambda mode: mode == "playing")
        self.wait("ahead", lambda ahead: int(ahead or 0) >= 3)
        return self

    def settle(self) -> None:
        """Wait until the console has stayed the same element: Streamlit may put a fresh page away and draw it anew."""
        for _ in range(20):
            drawn = self.page.locator(".console").element_handle()
            self.page.wait_for_timeout(400)
            if drawn is not None and drawn.evaluate("element => element.isConnected"):
                return
        raise AssertionError("the console is drawn again and again")

    def state(self, name: str) -> str | None:
        """What the console says of itself: mode, save or ahead."""
        return self.page.locator(".console").get_attribute(f"data-{name}")

    def wait(self, name: str, is_so: Callable[[str | None], bool], seconds: float = 30) -> None:
        """Wait until the console says so."""
        end = time.monotonic() + seconds
        found: str | None = None
        while time.monotonic() < end:
            if self.page.locator(".console").count():
                found = self.state(name)
                if is_so(found):
                    return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"data-{name} stayed {found!r}")

    def wait_saved(self) -> None:
        """Wait until the page says "saved"."""
        self.wait("save", lambda save: save == "saved")

    def press(self, keys: str | list[str], every_ms: int = 30) -> None:
        """Press keys one after another."""
        for key in keys:
            self.page.keyboard.press(key)
            self.page.wait_for_timeout(every_ms)

    def text(self, selector: str) -> str:
        """The words that stand there."""
        return self.page.locator(selector).inner_text().strip()
