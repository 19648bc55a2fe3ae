"""What the server will not take, or not now: nothing is lost, each case has its own words, and nobody is stranded."""

import json

import pytest
from playwright.sync_api import Page, Route

from tests.browser.app_server import App
from tests.browser.label_page import Console, answered

pytestmark = pytest.mark.browser

STORED = "Object.keys(localStorage).filter(key => key.startsWith('workbench.{}.'))"


def refuse_each(route: Route) -> None:
    events = route.request.post_data_json["events"]
    route.fulfill(
        json={"acked": [], "refused": [{"id": event["id"], "reason": "the lease is over"} for event in events]}
    )


def stored(console: Console, kind: str) -> list[str]:
    return list(console.page.evaluate(STORED.format(kind)))


def wait_sent(console: Console) -> None:
    console.page.wait_for_function(f"{STORED.format('pending')}.length === 0")


def send_now(console: Console) -> None:
    """The connection is back, as far as the browser knows: what waits need not wait for its turn."""
    console.page.evaluate("dispatchEvent(new Event('online'))")


def wait_for_words(console: Console, words: str) -> None:
    console.page.locator(".message", has_text=words).wait_for()


def test_refused_answers_stay_until_they_are_dismissed(app: App, console: Console) -> None:
    page = console.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    with answered(page, "**/api/labels", refuse_each):
        console.answer("mh")
        console.wait("save", "refused")
    assert (len(stored(console, "refused")), stored(console, "pending")) == (1, [])
    console.answer("2")  # what comes after is taken, and does not hide what was not
    wait_sent(console)
    assert [event.label for event in console.events] == ["sad"]
    console.open(f"{app.address}/label")
    assert console.text(".save") == "not saved (1)"
    page.get_by_role("button", name="not saved (1)").click()
    panel = page.locator(".refused")
    assert "Happy, Music" in panel.inner_text() and "the lease is over" in panel.inner_text()
    console.press("3")
    assert stored(console, "pending") == [] and len(console.events) == 1, "no key labels while the panel is open"
    panel.get_by_role("button", name="Copy").click()
    panel.get_by_role("button", name="Copied").wait_for()
    assert "Happy, Music\tthe lease is over" in page.evaluate("navigator.clipboard.readText()")
    console.press(["Escape"])
    assert not panel.is_visible() and len(stored(console, "refused")) == 1
    page.get_by_role("button", name="not saved (1)").click()
    panel.get_by_role("button", name="Dismiss").click()
    console.wait_saved()
    assert stored(console, "refused") == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "You are signed out"),
        (403, "You are signed out"),
        (409, "opened by somebody else: reload"),
        (429, "The server cannot answer just now"),
        (503, "The server cannot answer just now"),
    ],
)
def test_answers_wait_and_the_reason_is_said(console: Console, status: int, words: str) -> None:
    with answered(console.page, "**/api/labels", status):
        console.press("1")
        console.wait("save", "waiting")
        wait_for_words(console, words)
        assert len(stored(console, "pending")) == 1
    console.wait_saved()
    assert console.labels == ["happy"]


def test_without_a_connection_it_says_so(console: Console) -> None:
    console.page.context.set_offline(True)
    console.press("1")
    wait_for_words(console, "No connection")
    console.page.context.set_offline(False)
    console.wait_saved()
    assert console.labels == ["happy"]


def test_a_page_that_somebody_else_opened_takes_no_more_answers(console: Console) -> None:
    with answered(console.page, "**/api/labels", 409):
        console.press("1")
        wait_for_words(console, "opened by somebody else")
        console.press("2345")
        assert len(stored(console, "pending")) == 1


def test_too_much_at_once_is_sent_in_parts(console: Console) -> None:
    sizes: list[int] = []

    def few(route: Route) -> None:
        sizes.append(len(route.request.post_data_json["events"]))
        if sizes[-1] > 2:
            route.fulfill(status=413, json={"error": "send less"})
        else:
            route.continue_()

    with answered(console.page, "**/api/labels", 503):
        console.answer("12345")
        console.wait("save", "waiting")
        with answered(console.page, "**/api/labels", few):
            send_now(console)
            console.wait_saved()
    assert max(sizes) == 5
    assert console.labels == ["happy", "sad", "angry", "fearful", "neutral"]


def test_what_the_server_cannot_read_is_kept_and_does_not_hold_up_the_rest(console: Console) -> None:
    def picky(route: Route) -> None:
        if any(event["label"] == "sad" for event in route.request.post_data_json["events"]):
            route.fulfill(status=422, json={"error": "'events': what is that"})
        else:
            route.continue_()

    with answered(console.page, "**/api/labels", 503):
        console.answer("123")
        console.wait("save", "waiting")
        with answered(console.page, "**/api/labels", picky):
            send_now(console)
            console.wait("save", "refused")
            wait_sent(console)
    (kept,) = stored(console, "refused")
    entry = json.loads(console.page.evaluate("key => localStorage.getItem(key)", kept))
    assert (entry["label"], entry["reason"]) == ("sad", "'events': what is that")
    assert console.labels == ["happy", "angry"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "You are signed out"), (403, "You are signed out"), (429, "The server cannot answer"), (500, "The server")],
)
def test_sound_that_is_refused_for_now_is_waited_for(app: App, console: Console, status: int, words: str) -> None:
    with answered(console.page, "**/api/audio/**", status):
        console.page.goto(f"{app.address}/label")
        console.settle()
        wait_for_words(console, words)
        console.press("x")
        assert "cannot be played" not in console.text(".message")
    console.wait("mode", "playing")
    console.wait_saved()
    assert console.events == []


def test_sound_that_is_refused_is_asked_for_again_now_and_then(app: App, console: Console) -> None:
    asked: list[str] = []

    def count(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=503)

    with answered(console.page, "**/api/audio/**", count):
        console.page.goto(f"{app.address}/label")
        for _ in range(2):
            with console.page.expect_request(lambda request: request.url in asked):
                pass
        console.page.wait_for_timeout(500)
        assert len(asked) < 60, "it waits between one try and the next"


def test_only_a_clip_that_is_not_there_is_a_bad_clip(app: App, console: Console) -> None:
    with answered(console.page, "**/api/audio/**", 404):
        console.page.goto(f"{app.address}/label")
        console.settle()
        wait_for_words(console, "cannot be played. Press x")
        console.press("1")
        assert console.events == []
        console.press("x")
        console.wait_saved()
    assert [(event.label, event.flags) for event in console.events] == [(None, ("bad_clip",))]


def test_a_scheme_without_a_word_for_it_lets_one_skip(own_app: App, page: Page) -> None:
    study = own_app.study
    scheme = study.manifests / "plain.toml"
    label = '[[labels]]\nname = "calm"\nkeys = ["x"]\ncolour = "#777777"\ntext = { en = "Calm" }\n'
    scheme.write_text(f'schema = 1\nname = "plain"\nversion = "1"\n{label}', encoding="utf-8")
    settings = study.settings_file.read_text(encoding="utf-8")
    study.settings_file.write_text(settings.replace('scheme = "five"', 'scheme = "plain"'), encoding="utf-8")
    console = Console(own_app, page, "Ann")
    lost: list[str] = []

    def lose_first(route: Route) -> None:
        if not lost:
            lost.append(route.request.url)
        if route.request.url in lost:
            route.fulfill(status=404)
        else:
            route.continue_()

    with answered(page, "**/api/audio/**", lose_first):
        page.goto(own_app.add("Ann"))
        console.settle()
        wait_for_words(console, "This clip cannot be played.")
        console.press("x")  # a label like any other
        assert console.events == []
        page.get_by_role("button", name="Skip this clip").wait_for()
        console.press(["Enter"])
        console.answer("x")
        console.wait_saved()
    assert console.labels == ["calm"]


def test_signing_out_waits_for_answers(app: App, console: Console) -> None:
    page = console.page
    with answered(page, "**/api/labels", 503):
        console.answer("12")
        console.wait("save", "waiting")
        page.locator(".menu summary").click()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_text("Answers waiting to be sent: 2").wait_for()
        assert page.url == f"{app.address}/label"
    send_now(console)
    console.wait_saved()
    assert not page.get_by_text("Answers waiting to be sent").is_visible()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    assert console.labels == ["happy", "sad"]


def test_unsent_answers_of_somebody_else_are_told_of(app: App, console: Console) -> None:
    line = console.page.locator(".elsewhere")
    assert not line.is_visible()
    console.page.evaluate("localStorage.setItem('workbench.pending.somebody-else.1', '{}')")
    console.open(f"{app.address}/label")
    assert "another person" in line.inner_text()
    console.press("1")
    console.wait_saved()
    assert console.page.evaluate("localStorage.getItem('workbench.pending.somebody-else.1')") == "{}"


def test_undo_keeps_what_was_said_of_the_clip_now_playing(console: Console) -> None:
    console.answer("1ve")
    console.page.keyboard.type("two at once")
    console.press(["Enter", "Backspace"])
    console.answer("23")
    console.wait_saved()
    assert [(event.kind, event.label, event.note, event.flags) for event in console.events] == [
        ("answer", "happy", "", ()),
        ("undo", None, "", ()),
        ("answer", "sad", "", ()),
        ("answer", "angry", "two at once", ("several_voices",)),
    ]
