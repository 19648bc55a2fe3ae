"""Picking clips by hand in a real browser, on a recording that was really ingested: the frame is what is cut."""

import re
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Response

from pipelines.manifest import read_clips
from pipelines.media import audio
from tests.browser.app_server import App, serving
from tests.browser.clipper_page import LENGTH, RATE, Clipper, made_recording, mined_study
from tests.browser.component_remount import alive_after_each_end
from tests.browser.label_page import Console
from tests.browser.wait_conditions import LONGEST_S
from workbench.app.components.clipper import html, script

pytestmark = pytest.mark.browser

#: A pixel of an 18-s picture, in samples.
PIXEL = RATE // 50
EVENTS = "**/api/clipper/events"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half a minute of made voices, with pauses of 0.9 s."""
    return made_recording(tmp_path_factory.mktemp("media") / "ep1.wav", turns=8)


@pytest.fixture(scope="module")
def app(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on a study of that recording."""
    with serving(mined_study(tmp_path_factory.mktemp("mined"), recording)) as running:
        yield running


@pytest.fixture
def clipper(app: App, page: Page, request: pytest.FixtureRequest) -> Clipper:
    """The clipper of a new curator, signed in."""
    return Clipper(app, page, request.node.name).sign_in()


def test_the_frame_is_cut_to_the_sample(clipper: Clipper, recording: Path) -> None:
    clipper.open(12.345)
    start = round(12.345 * RATE)
    assert clipper.anchor == start
    clipper.press("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft")
    start += 2 * RATE // 100
    assert clipper.anchor == start
    clipper.press("x", "3")
    clipper.wait("save", "saved")
    assert clipper.done == [("pick", start, None), ("nominate", start, "angry")]
    whole, _ = audio.read_mono(recording)
    expected = audio.to_pcm16(whole)[start : start + LENGTH]
    study = clipper.app.study
    clip_id = f"ep1-{start * 1000 // RATE:09d}"
    with wave.open(str(study.clip_path(clip_id))) as written:
        assert (written.getnframes(), written.getframerate()) == (LENGTH, RATE)
        assert np.array_equal(np.frombuffer(written.readframes(LENGTH), "<i2"), expected)
    clipper.press("Backspace", "Backspace")
    clipper.wait("save", "saved")
    assert [kind for kind, _, _ in clipper.done] == ["pick", "nominate", "undo", "undo"]
    assert start not in clipper.clips and not study.clip_path(clip_id).exists()


def test_a_cut_while_it_plays_is_the_sample_under_the_playhead(clipper: Clipper) -> None:
    clipper.open(0.5)
    clipper.press(" ")
    clipper.wait("play", "free")
    clipper.page.wait_for_function("window.__workbenchClipper.playhead() > 20000")
    told = clipper.in_page(
        "(one) => { const at = one.playhead(); one.press({ name: 'cut' }); return [at, one.playhead(), one.play]; }"
    )
    clipper.wait("save", "saved")
    ((kind, start, _),) = clipper.done
    assert kind == "pick" and start is not None
    assert told[0] - 1 <= start <= told[1] + 1
    assert told[2] == "free", "the sound goes on"
    clipper.press(" ", "Backspace")
    clipper.wait("save", "saved")
    clipper.page.wait_for_url(re.compile(rf"at={start / RATE:.3f}\b"))  # written a moment after the last key
    clipper.page.reload()
    clipper.open()
    assert abs(clipper.anchor - start) < RATE, "the address keeps the place"


def test_one_key_from_hearing_a_proposal_to_the_next(clipper: Clipper) -> None:
    clipper.open(0)
    before = clipper.clips
    left = int(clipper.state("left"))
    clipper.in_page(PLAYS)
    clipper.press("n")
    seen = [clipper.anchor]
    for key in ("2", "s", "x", "5"):
        clipper.press(key)
        seen.append(clipper.anchor)
    clipper.wait("save", "saved")
    plays = clipper.page.evaluate("window.plays")
    assert all([str(start), "listen"] in plays for start in seen), "each is heard without a key"
    assert seen == sorted(set(seen)), "each key went on to a later one"
    named = ["nominate" if start in before else "pick" for start in seen]
    assert [kind for kind, _, _ in clipper.done] == [named[0], "skip", "pick", named[3]]
    assert [start for _, start, _ in clipper.done] == seen[:4]
    assert int(clipper.state("left")) == left - 4
    assert clipper.text("[data-emotion=sad] b") == clipper.text("[data-emotion=neutral] b") == "1"
    assert clipper.ask("standing", {"source": "ep1"})["counts"]["sad"] == 1
    clipper.press("Backspace", "Backspace", "Backspace", "Backspace")
    clipper.wait("save", "saved")
    assert clipper.anchor == seen[0]
    assert clipper.clips == before
    assert int(clipper.state("left")) == left


#: From now on window.plays is told where the frame stands and how it is heard, at each change.
PLAYS = """({ dom }) => {
    window.plays = [];
    const told = () => window.plays.push([dom.clipper.dataset.anchor, dom.clipper.dataset.play]);
    new MutationObserver(told).observe(dom.clipper, { attributeFilter: ["data-anchor", "data-play"] });
}"""


def test_the_mouse_does_it_too(clipper: Clipper) -> None:
    clipper.open(15)
    mouse = clipper.page.mouse
    x, y = clipper.in_page(PLACE, 16 * RATE)
    under = "(clipper, x) => clipper.source.view.sampleAt(x - clipper.dom.sight.getBoundingClientRect().left - 78)"
    before = clipper.in_page("(clipper) => clipper.source.view.seconds")
    mouse.move(x, y)
    mouse.wheel(0, -500)
    clipper.page.wait_for_function(f"window.__workbenchClipper.source.view.seconds < {before} / 2")
    assert clipper.in_page(under, x) == pytest.approx(16 * RATE, abs=PIXEL), "what is under the pointer stays there"
    mouse.down()
    mouse.move(x + 60, y, steps=4)
    mouse.up()
    assert clipper.in_page(under, x + 60) == pytest.approx(16 * RATE, abs=PIXEL)
    assert clipper.anchor == 15 * RATE, "a drag moves the picture alone"
    mouse.click(x + 60, y)
    assert clipper.anchor == pytest.approx(16 * RATE, abs=PIXEL)
    start = clipper.anchor
    clipper.page.get_by_role("button", name="Cut here").click()
    clipper.page.get_by_role("button", name="Happy").click()
    clipper.wait("save", "saved")
    assert clipper.done == [("pick", start, None), ("nominate", start, "happy")]
    clipper.page.get_by_role("button", name="Undo").click(click_count=2)
    clipper.wait("save", "saved")
    assert [kind for kind, _, _ in clipper.done] == ["pick", "nominate", "undo", "undo"]


#: Where on the page a sample stands in the spectrum.
PLACE = """(clipper, sample) => {
    const box = clipper.dom.sight.getBoundingClientRect();
    return [box.left + 78 + clipper.source.view.xOf(sample), box.top + 100];
}"""


def test_what_is_chosen_waits_for_the_connection_and_for_a_reload(clipper: Clipper) -> None:
    clipper.open(3.2)
    clipper.page.context.route(EVENTS, lambda route: route.abort())
    clipper.press("x", "1")
    clipper.page.locator(".save", has_text="waiting to be sent (2)").wait_for()
    clipper.page.reload()
    clipper.open()
    clipper.page.locator(".save", has_text="waiting to be sent (2)").wait_for()
    assert clipper.in_page("(clipper) => clipper.source.picks.clips.get(51200)?.emotion") == "happy"
    assert clipper.done == []
    clipper.page.context.unroute(EVENTS)
    clipper.page.evaluate("dispatchEvent(new Event('online'))")
    clipper.wait("save", "saved")
    assert clipper.done == [("pick", 51200, None), ("nominate", 51200, "happy")]
    clipper.press("Backspace", "Backspace")
    clipper.wait("save", "saved")


def test_what_the_server_refuses_is_said_and_does_not_stand(clipper: Clipper) -> None:
    clipper.open(7)
    others = {"id": "somebody-else", "kind": "pick", "source": "ep1", "start": 7 * RATE + 99}
    person = clipper.in_page("(clipper) => clipper.data.person")
    clipper.ask("events", {"person": person, "events": [others]})
    clipper.press("x")
    clipper.wait("save", "refused")
    assert clipper.text(".save") == "not saved (1)"
    clipper.page.locator(".save button").click()
    assert "overlaps" in clipper.text(".refused")
    clipper.page.locator(".refused .dismiss").click()
    clipper.wait("save", "saved")
    assert not clipper.in_page("(clipper) => clipper.source.picks.clips.has(112000)")
    clipper.ask("events", {"person": person, "events": [{"id": "taken-back", "kind": "undo", "of": others["id"]}]})


def test_pieces_meet_to_the_sample_and_faster_keeps_the_pitch(clipper: Clipper, recording: Path) -> None:
    clipper.open(10)
    start, n = 10 * RATE + 123, 3 * RATE + 17
    played = clipper.in_page(PLAYED, [start, n])
    whole, _ = audio.read_mono(recording)
    expected = audio.to_pcm16(whole)[start : start + n] / 32768
    assert np.abs(np.array(played["1"]) - expected).max() < 1e-6
    faster = np.array(played["2"])
    assert len(faster) == pytest.approx(n / 2, rel=0.02)

    def crossings(sound: np.ndarray) -> float:
        return float(np.mean(np.diff(np.signbit(sound)) != 0))

    assert crossings(faster) == pytest.approx(crossings(expected), rel=0.1)


#: The frames that playing [start, start + n) gives, at 1x and 2x, from a sound card that is none.
PLAYED = """async (clipper, [start, n]) => {
    const { sound, playback } = clipper.source;
    sound.want([[start - 1000, start + n + 16000]]);
    while (!sound.read(start - 1000, n + 16000)) await new Promise((done) => setTimeout(done, 20));
    const played = {};
    for (const speed of [1, 2]) {
        const card = new OfflineAudioContext(1, 5 * sound.rate, sound.rate);
        const player = new playback.constructor(sound, { ended() {}, waits() {} }, card);
        player.start(start, start + n, speed);
        player.schedule(player.run, 20);
        clearTimeout(player.run.timer);
        const { pieces } = player.run;
        const frames = pieces.reduce((sum, piece) => sum + piece.frames, 0);
        const first = Math.round(pieces[0].time * sound.rate);
        played[speed] = Array.from((await card.startRendering()).getChannelData(0).slice(first, first + frames));
    }
    return played;
}"""


def test_the_picture_shows_the_sound(clipper: Clipper, tmp_path: Path) -> None:
    clipper.open(5)
    for size in ((1280, 720), (1920, 1080)):
        clipper.page.set_viewport_size({"width": size[0], "height": size[1]})
        clipper.page.wait_for_function("window.__workbenchClipper.source.tiles.tiles.size > 3")
        clipper.press("n")
        clipper.wait_until_painted()
        shown = clipper.in_page(SEEN)
        assert shown["colours"] > 60, "a spectrum, not a blank"
        assert shown["loud"] > 1.15 * shown["pause"] or shown["pause"] > 1.15 * shown["loud"], (
            "speech differs from a pause"
        )
        overflow = "document.scrollingElement.scrollHeight - innerHeight"
        assert clipper.page.evaluate(overflow) <= 0, "the main act needs no scrolling"
        clipper.page.screenshot(path=tmp_path / f"clipper-{size[1]}.png")
        assert (tmp_path / f"clipper-{size[1]}.png").stat().st_size > 30_000


#: How many colours the spectrum has, and how bright it is within the frame (a voice) and in the pause before it.
SEEN = """(clipper) => {
    const { base } = clipper.dom, { scale } = clipper.drawing.size, { view, rate } = clipper.source;
    const [top, bottom] = clipper.drawing.rows().spectrum;
    const part = (from, to) => {
        const x = 78 + view.xOf(from), width = Math.max(1, view.xOf(to) - view.xOf(from));
        return base.getContext("2d").getImageData(x * scale, top * scale, width * scale, (bottom - top) * scale).data;
    };
    const mean = (data) => data.reduce((sum, one, i) => sum + (i % 4 < 3 ? one : 0), 0) / (0.75 * data.length);
    const frame = part(clipper.anchor + 0.2 * rate, clipper.anchor + 2.8 * rate);
    const colours = new Set();
    for (let i = 0; i < frame.length; i += 4) colours.add((frame[i] << 16) | (frame[i + 1] << 8) | frame[i + 2]);
    const pause = part(clipper.anchor - 0.5 * rate, clipper.anchor - 0.1 * rate);
    return { colours: colours.size, loud: mean(frame), pause: mean(pause) };
}"""


def test_an_end_that_comes_after_the_next_drawing_leaves_the_keys_alive(clipper: Clipper) -> None:
    clipper.open(1)
    alive = alive_after_each_end(clipper.page, "__workbenchClipper", script=script(), html=html())
    assert alive == [True, False]


def test_nothing_of_it_reaches_an_annotator(clipper: Clipper, app: App, browser: Browser) -> None:
    clipper.open(20)
    clipper.press("x", "4")
    clipper.page.locator(".speaker input").fill("Barbra")
    clipper.press("Enter")
    clipper.page.locator("[data-gender=female]").click()
    clipper.wait("save", "saved")
    start = 20 * RATE
    end = time.monotonic() + LONGEST_S
    while "Barbra" not in (table := app.study.clips_csv.read_text(encoding="utf-8")) and time.monotonic() < end:
        clipper.page.wait_for_timeout(50)
    assert any(clip.start_sample == start for clip in read_clips(app.study.clips_csv))
    assert "picked" in table and "Barbra" in table and "fearful" not in table
    page = browser.new_context().new_page()
    page.set_default_timeout(LONGEST_S * 1000)
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    Console(app, page, "Ann").open(app.add("Ann", "annotator"))
    assert page.request.post(f"{app.address}/api/clipper/standing", data={"source": "ep1"}).status == 403
    assert any("/api/next" in answer.url for answer in answers)
    said = b"".join(answer.url.encode() + answer.body() for answer in answers if "/api/" in answer.url)
    assert not [word for word in (b"fearful", b"nominat", b"picked", b"Barbra", b"ep1") if word in said]
    page.context.close()
    clipper.press("Backspace", "Backspace", "Backspace", "Backspace")
    clipper.wait("save", "refused")
    assert clipper.clips[start] == "picked", "a clip that somebody is hearing is not taken away"
