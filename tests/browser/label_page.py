"""The labelling console as a person meets it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, Route, expect

from tests.browser.app_server import App
from tests.browser.wait_conditions import wait_until_drawn, wait_until_it_says
from workbench.store import StoredEvent

#: Clips that lie ready behind the one that sounds, once a page is opened and left alone.
ALL_AHEAD = 11


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
            self.settle()
            self.wait("mode", "blocked", "playing")
            if self.state("mode") == "playing":
                break
            self.page.keyboard.press(" ")
        self.wait("mode", "playing")
        return self

    def settle(self) -> None:
        """Wait until Streamlit has drawn the page to its end, and the console on it is there."""
        wait_until_drawn(self.page)
        wait_until_it_says(self.page, "console", "mode", None, "true")

    def state(self, name: str) -> str | None:
        """What the console says of itself: mode, save or ahead."""
        return self.page.locator(".console").get_attribute(f"data-{name}")

    def wait(self, name: str, *wanted: str) -> None:
        """Wait until the console says one of these of itself."""
        wait_until_it_says(self.page, "console", name, wanted, "wanted.includes(said)")

    def wait_ahead(self, clips: int = ALL_AHEAD) -> None:
        """Wait until so many clips lie ready, so that so many keys more need no server."""
        wait_until_it_says(self.page, "console", "ahead", clips, "Number(said) >= wanted")

    def wait_saved(self) -> None:
        """Wait until the page says "saved": all that was pressed before is in the store."""
        self.wait("save", "saved")

    def wait_text(self, selector: str, words: str) -> None:
        """Wait until just these words stand there."""
        expect(self.page.locator(selector)).to_have_text(words)

    def press(self, keys: Iterable[str], every_ms: int = 0) -> None:
        """Press keys one after another, whatever the console is doing."""
        for key in keys:
            self.page.keyboard.press(key)
            if every_ms:
                self.page.wait_for_timeout(every_ms)

    def answer(self, keys: Iterable[str], every_ms: int = 0) -> None:
        """Press keys as somebody who listens does: each once a clip sounds. A key before that is no answer."""
        for key in keys:
            self.wait("mode", "playing")
            self.press([key], every_ms)

    def text(self, selector: str) -> str:
        """The words that stand there."""
        return self.page.locator(selector).inner_text().strip()


@contextmanager
def answered(page: Page, pattern: str, answer: Callable[[Route], None] | int) -> Iterator[None]:
    """Requests to `pattern` are answered by `answer`, or with that status."""

    def refuse(route: Route) -> None:
        if callable(answer):
            answer(route)
        else:
            route.fulfill(status=answer, json={"error": f"made up: {answer}"})

    page.route(pattern, refuse)
    yield
    page.unroute(pattern, refuse)
