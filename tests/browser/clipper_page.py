"""The clipper as a curator meets it, and a study with a recording to mine: made voices, really ingested."""

from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page

from pipelines.ingest.run import run
from pipelines.ingest.selection.screens import SCREENS
from pipelines.media import audio
from pipelines.study import Study, create_study
from tests.browser.app_server import App
from tests.browser.wait_conditions import POLL_MS, wait_until_drawn, wait_until_it_says
from tests.synthetic_audio import noise, voice
from workbench.store.curation import curation_events

RATE = 16000
LENGTH = 3 * RATE


def made_recording(path: Path, turns: int) -> Path:
    """Voices of 3.3 s with pauses of 0.9 s."""
    parts = []
    for turn in range(turns):
        parts += [noise(0.9, RATE, 0.001, seed=turn), voice(3.3, RATE, 110 + 15 * (turn % 9), seed=turn)]
    audio.encode(path, np.concatenate(parts), RATE, "pcm16")
    return path


def mined_study(root: Path, recording: Path) -> Study:
    """A study that has ingested the recording, with screens so wide that every window passes."""
    study = create_study("night", rights_basis="made for a test", root=root)
    wide = "".join(f"\n[screen.{name}]\nmin = -1e9\nmax = 1e9\n" for name in SCREENS)
    study.settings_file.write_text(study.settings_file.read_text(encoding="utf-8") + wide, encoding="utf-8")
    run.ingest(Study(study.root, study.name), [str(recording)], jobs=1)
    return study


class Clipper:
    """The clipper as a curator meets it."""

    def __init__(self, app: App, page: Page, rater: str) -> None:
        self.app = app
        self.page = page
        self.rater = rater

    def sign_in(self) -> "Clipper":
        """Follow the invitation without drawing the page that it leads to."""
        self.page.request.get(self.app.add(self.rater, "curator"))
        return self

    def open(self, seconds: float | None = None) -> "Clipper":
        """Open it, at a place or where it was left, and wait until it can play and the picture rests."""
        if seconds is not None:
            self.page.goto(f"{self.app.address}/clipper?source=ep1&at={seconds}")
        wait_until_drawn(self.page)
        self.wait("mode", "ready")
        self.wait_until_painted()
        return self

    def wait_until_painted(self) -> None:
        """Wait until all that can be seen is here, the picture has come to rest, and that was painted."""
        self.page.wait_for_function(_RESTS, polling=POLL_MS)
        self.page.evaluate(_TWO_FRAMES)

    def state(self, name: str) -> str:
        """What the clipper says of itself: mode, save, focus, play, anchor, left."""
        return self.page.locator(".clipper").get_attribute(f"data-{name}") or ""

    def wait(self, name: str, wanted: str) -> None:
        """Wait until the clipper says so."""
        wait_until_it_says(self.page, "clipper", name, wanted, "said === wanted")

    def press(self, *keys: str) -> None:
        """Press keys one after another."""
        for key in keys:
            self.page.keyboard.press(key)

    def text(self, selector: str) -> str:
        """The words that stand there."""
        return self.page.locator(selector).inner_text().strip()

    def ask(self, path: str, body: object) -> Any:
        """A question to the server, as the page would put it."""
        answer = self.page.request.post(f"{self.app.address}/api/clipper/{path}", data=body)
        assert answer.ok, answer.text()
        return answer.json()

    @property
    def anchor(self) -> int:
        """The first sample of the frame."""
        return int(self.state("anchor"))

    @property
    def done(self) -> list[tuple[str, int | None, str | None]]:
        """Everything stored of this person, in order: kind, place, emotion. How far they heard is left out."""
        with self.app.store() as store, store.reading() as connection:
            events = curation_events(connection)
        found = [event for event in events if event.rater == self.rater and event.kind != "mined"]
        return [(event.kind, event.start_sample, event.label) for event in found]

    @property
    def clips(self) -> dict[int, str]:
        """Where clips stand, on the server, and how they came to be."""
        return {clip["start"]: clip["arm"] for clip in self.ask("standing", {"source": "ep1"})["clips"]}

    def in_page(self, script: str, given: object = None) -> Any:
        """What `script`, a function of the clipper and `given`, answers."""
        return self.page.evaluate(f"given => ({script})(window.__workbenchClipper, given)", given)


_RESTS = """() => {
    const { source, drawing } = window.__workbenchClipper;
    const { tiles, view } = source;
    const isHere = tiles.names.length > 0 && tiles.names.every((name) => tiles.tiles.has(name));
    return isHere && view.goal === null && view.width < drawing.size.width;
}"""
_TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
