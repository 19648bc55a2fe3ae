"""Labelling in a real browser: a key means the clip that sounds, and only what is meant as an answer is one."""

import pytest
from playwright.sync_api import Route

from tests.browser.app_server import App
from tests.browser.label_page import Console
from tests.browser.wait_conditions import wait_still

pytestmark = pytest.mark.browser

#: The mark of the clip that sounds, or will.
TOKEN = "window.__workbenchConsole.current.token"


def test_undo_goes_back_and_takes_the_answer_with_it(app: App, console: Console) -> None:
    console.answer("12")
    console.press(["Backspace"])
    assert console.text(".count") == "1 of 40"
    console.answer("5")
    console.wait_saved()
    assert console.answers == [("answer", "happy"), ("answer", "sad"), ("undo", None), ("answer", "neutral")]
    assert len({event.clip_id for event in console.events[1:]}) == 1, "the same clip all along"
    with app.store() as store:
        assert [one.label for one in store.standing(rater=console.rater)] == ["happy", "neutral"]


def test_undo_reaches_what_was_answered_before_a_reload(app: App, console: Console) -> None:
    console.answer("3")
    console.wait_saved()
    console.open(f"{app.address}/label")
    console.press(["Backspace"])
    console.wait_text(".count", "0 of 40")  # the server is asked for the clip: until then the next one sounds
    console.answer("1")
    console.wait_saved()
    assert console.answers == [("answer", "angry"), ("undo", None), ("answer", "happy")]
    assert len({event.clip_id for event in console.events}) == 1


def test_keys_in_a_note_never_label(console: Console) -> None:
    console.press("e")
    console.page.keyboard.type("h1 x0 she laughs ?")
    console.wait_saved()
    assert console.events == []
    console.press(["Enter"])
    console.answer("vh")
    console.wait_saved()
    (event,) = console.events
    assert (event.label, event.note, event.flags) == ("happy", "h1 x0 she laughs ?", ("several_voices",))


def test_flags_that_answer_move_on_and_others_toggle(console: Console) -> None:
    console.answer("mvv0x")
    console.wait_saved()
    assert [(event.label, event.flags) for event in console.events] == [
        (None, ("music", "cannot_tell")),
        (None, ("bad_clip",)),
    ]


def test_modifiers_repeats_and_unknown_keys_do_nothing(console: Console) -> None:
    console.press(["Control+1", "Alt+h", "Meta+s", "q", "7", "ArrowLeft", "Shift"])
    console.page.keyboard.down("1")
    console.page.keyboard.down("1")  # a second "down" without "up" is a repeat
    console.page.keyboard.down("1")
    console.page.keyboard.up("1")
    console.wait_saved()
    assert console.labels == ["happy"]


def test_the_key_that_begins_is_never_a_label(app: App, console: Console) -> None:
    blocked = """
        const play = HTMLMediaElement.prototype.play;
        let unlocked = false;
        addEventListener("keydown", () => { unlocked = true; }, { capture: true });
        HTMLMediaElement.prototype.play = function () {
            return unlocked ? play.call(this) : Promise.reject(new DOMException("no gesture yet", "NotAllowedError"));
        };
    """
    console.page.add_init_script(blocked)
    console.page.goto(f"{app.address}/label")
    console.settle()
    console.wait("mode", "blocked")
    assert console.text(".begin") == "Press any key to begin"
    console.press("1")
    console.answer("2")
    console.wait_saved()
    assert console.labels == ["sad"]


def test_a_key_before_any_sound_does_nothing_and_says_so(app: App, console: Console) -> None:
    held: list[Route] = []
    console.page.route("**/api/audio/**", lambda route: held.append(route))  # sound that does not come yet
    console.page.goto(f"{app.address}/label")
    console.settle()
    console.wait("mode", "loading")
    first = console.page.evaluate(TOKEN)
    console.press("1")
    assert "No clip is playing yet" in console.text(".message")
    assert console.text(".count") == "0 of 40"
    console.page.route("**/api/audio/**", lambda route: route.continue_())
    for route in held:
        route.continue_()
    console.wait("mode", "playing")
    assert console.page.evaluate(TOKEN) == first, "the clip is still to be answered"
    console.answer("2")
    console.wait_saved()
    assert console.labels == ["sad"]


def test_buttons_do_what_keys_do(console: Console) -> None:
    console.page.get_by_role("button", name="Angry").click()
    console.answer(" ")  # replays: the button that was clicked does not hold the focus
    console.wait("mode", "playing")
    console.page.get_by_role("button", name="More than one voice").click()
    console.page.get_by_role("button", name="Sad").click()
    console.wait_saved()
    assert [(event.label, event.flags) for event in console.events] == [("angry", ()), ("sad", ("several_voices",))]


def test_all_keys_are_shown_and_labels_wait_meanwhile(console: Console) -> None:
    console.press("?")
    assert console.page.get_by_text("pleased, amused, relieved, affectionate").is_visible()
    console.press("1")  # closes it, and labels nothing
    assert not console.page.get_by_text("pleased, amused, relieved, affectionate").is_visible()
    assert console.events == []


def test_the_end_thanks_and_tells_the_pace(console: Console) -> None:
    console.answer("1" * 40)
    console.wait("mode", "done")
    console.wait_saved()
    assert len(console.labels) == 40
    assert "thank you" in console.text(".end")
    assert "40 clips in this sitting" in console.text(".end")
    console.press(["Backspace"])
    console.answer("2")
    console.wait_saved()
    assert console.answers[-2:] == [("undo", None), ("answer", "sad")]


def test_the_page_speaks_chinese_too(console: Console) -> None:
    console.page.locator(".menu summary").click()
    console.page.get_by_role("button", name="繁體中文").click()
    console.page.get_by_role("button", name="害怕").wait_for()
    assert "平靜" in console.text(".labels")
    assert console.text(".save") == "已儲存"


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_labelling_needs_no_scrolling(console: Console, width: int, height: int) -> None:
    console.page.set_viewport_size({"width": width, "height": height})
    tools = console.page.locator(".tools")
    wait_still(tools)
    assert tools.evaluate("tools => tools.getBoundingClientRect().bottom") <= height
    assert not console.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    for button in console.page.locator(".labels button, .flags button").all():
        box = button.bounding_box()
        assert box is not None
        assert box["height"] >= 44 and box["width"] >= 44
