"""Servers and browsers are killed at the worst moment; every answer is in the store once, in order."""

import pytest
from playwright.sync_api import expect

from tests.browser.app_server import App
from tests.browser.component_remount import alive_after_each_end
from tests.browser.label_page import Console, answered
from workbench.app.components.console import html, script

pytestmark = pytest.mark.browser

BY_KEY = {"1": "happy", "2": "sad", "3": "angry", "4": "fearful", "5": "neutral"}
TWENTY = "12345543211352413254"

#: The answer that waits is given a hundred times more.
AGAIN = """() => {
    const [name, text] = Object.entries(localStorage).find(([name]) => name.startsWith("workbench.pending."));
    for (let i = 100; i < 200; i++) localStorage.setItem(`${name}.${i}`, text.replace(/"id":"[^"]*/, `$&${i}`));
}"""


def meant(keys: str) -> list[str]:
    return [BY_KEY[key] for key in keys]


def test_twenty_keys_30_ms_apart_survive_sigkill_in_order(mortal_app: App, mortal_console: Console) -> None:
    console = mortal_console
    console.wait_ahead()
    console.press(TWENTY[:12], every_ms=30)  # these lie ready
    console.answer(TWENTY[12:], every_ms=30)  # these are fetched meanwhile, at the pace of the machine
    console.wait_saved()
    mortal_app.kill()
    assert console.labels == meant(TWENTY)
    mortal_app.start()
    assert console.labels == meant(TWENTY)
    assert len({event.clip_id for event in console.events}) == 20
    with mortal_app.store() as store:
        assert len(store.standing(rater=console.rater)) == 20


def test_no_answer_is_lost_when_the_server_dies_in_the_midst(mortal_app: App, mortal_console: Console) -> None:
    console = mortal_console
    console.wait_ahead()  # a dead server gives no more
    console.press(TWENTY[:6], every_ms=30)
    mortal_app.kill()  # some are acknowledged, some are on their way
    console.press(TWENTY[6:12], every_ms=30)
    console.wait("save", "waiting")
    said = console.text(".save")
    assert said.startswith("waiting to be sent (")
    assert len(console.labels) + int(said.rpartition("(")[2].rstrip(")")) >= 12, "neither stored nor waiting"
    mortal_app.start()
    console.wait_saved()
    assert console.labels == meant(TWENTY[:12])
    console.page.locator("[data-test-connection-state=CONNECTED]").wait_for()  # Streamlit too comes back,
    console.settle()  # and may draw the page anew
    assert console.page.locator(".console").count() == 1
    console.answer("h")
    console.wait_saved()
    assert console.labels == [*meant(TWENTY[:12]), "happy"], "one key is one answer"


def test_waiting_answers_survive_the_browser_too(mortal_app: App, mortal_console: Console) -> None:
    console = mortal_console
    console.answer("12")
    console.wait_saved()
    console.wait_ahead(3)
    mortal_app.kill()
    console.press("345")
    console.wait("save", "waiting")
    context = console.page.context
    console.page.close(run_before_unload=False)
    mortal_app.start()
    again = Console(mortal_app, context.new_page(), console.rater)
    again.open(f"{mortal_app.address}/")  # the cookie outlives server and tab
    again.wait_saved()
    assert again.labels == meant("12345")
    assert again.text(".count") == "5 of 40"
    again.page.close()


def test_what_waits_is_counted_once_whoever_is_slow(app: App, console: Console) -> None:
    """The server's count and the browser's own of what waits once came in any order: an answer was counted twice."""
    page, order = console.page, list[str]()
    console.answer("1")
    console.wait_saved()
    with answered(page, "**/api/labels", 503):
        console.answer("2")
        console.wait("save", "waiting")
        page.evaluate(AGAIN)
        page.goto("about:blank")
    page.on("request", lambda request: order.append(f"ask {request.url}"))
    page.on("requestfinished", lambda request: order.append(f"got {request.url}"))
    console.open(f"{app.address}/label")
    console.wait_saved()
    before = order[: order.index(f"ask {app.address}/api/next")]
    assert before.count(f"got {app.address}/api/labels") == 2, "all that waits is sent first, a hundred at once"
    assert console.text(".count") == "2 of 40"


def test_a_long_time_without_a_connection_disturbs_nobody(mortal_app: App, mortal_console: Console) -> None:
    console = mortal_console
    console.wait_ahead(2)
    mortal_app.kill()
    page = console.page
    page.evaluate(
        "window.dialogs = 0; new MutationObserver(() => { window.dialogs += "
        "document.querySelectorAll('[data-testid=stDialog]').length; }).observe(document.body, { childList: true })"
    )
    page.wait_for_function("window.dialogs > 0")  # Streamlit gives up and says so over the page
    expect(page.locator("[data-testid=stDialog]")).to_have_count(0)
    page.get_by_role("button", name="Angry").click()  # the page takes clicks
    console.answer("e")
    page.keyboard.type("a note")
    console.press(["Enter", "s"])
    console.wait("save", "waiting")
    mortal_app.start()
    console.wait_saved()
    assert [(event.label, event.note) for event in console.events] == [("angry", ""), ("sad", "a note")]


def test_ctrl_c_ends_the_server_in_good_order(mortal_app: App) -> None:
    assert mortal_app.stop() == 0
    said = mortal_app.log.read_text(encoding="utf-8")
    assert mortal_app.address in said
    assert "Traceback" not in said


def test_an_end_that_comes_after_the_next_drawing_leaves_the_keys_alive(console: Console) -> None:
    """Streamlit may mount the component anew before it ends the mount before; the keyboard once went with that."""
    alive = alive_after_each_end(console.page, "__workbenchConsole", script=script(), html=html())
    assert alive == [True, False]
