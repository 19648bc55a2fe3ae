"""Every page has an address of its own, and on every page one finds one's language and the way out."""

import pytest
from playwright.sync_api import Page

from tests.browser.app_server import App
from tests.browser.label_page import Console
from tests.browser.wait_conditions import wait_until_drawn
from workbench.app.page_registry import PAGES

pytestmark = pytest.mark.browser

#: Notes whether Streamlit's dialog "Page not found" was ever there, however short.
WATCH = """
window.dialogs = [];
new MutationObserver(() => {
    for (const dialog of document.querySelectorAll("[data-testid=stDialog]")) window.dialogs.push(dialog.innerText);
}).observe(document, { childList: true, subtree: true });
"""


def test_every_page_is_a_direct_link(app: App, page: Page) -> None:
    page.add_init_script(WATCH)
    page.goto(app.add("Direct", "researcher"))
    page.wait_for_url("**/overview")
    for known in PAGES:
        page.goto(f"{app.address}/{known.url}?some=thing")
        what = page.locator(".console") if known.url == "label" else page.get_by_role("heading").first
        what.wait_for()
        wait_until_drawn(page)
        assert page.url.startswith(f"{app.address}/{known.url}")
        assert page.evaluate("window.dialogs") == [], known.url


def test_the_root_is_the_first_page_of_the_role(app: App, page: Page) -> None:
    page.add_init_script(WATCH)
    Console(app, page, "Root").open(app.add("Root"))
    page.goto(f"{app.address}/sign-in")
    page.get_by_role("link", name="Go on").click()
    page.locator(".console").wait_for()
    assert page.url == f"{app.address}/label"
    page.go_back()
    page.wait_for_url("**/sign-in")


def test_language_and_sign_out_are_on_every_page(app: App, page: Page) -> None:
    page.goto(app.add("Sidebar", "researcher"))
    page.goto(f"{app.address}/overview")
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_role("button", name="繁體中文").click()
    sidebar.get_by_role("button", name="登出").wait_for()
    assert page.url.startswith(f"{app.address}/overview")
    sidebar.get_by_role("button", name="English").click()
    sidebar.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")


def test_the_sidebar_too_holds_the_way_out_while_answers_wait(app: App, page: Page) -> None:
    console = Console(app, page, "Held").open(app.add("Held", "curator"))
    page.context.set_offline(True)
    console.press("1")
    console.wait("save", "waiting")
    page.context.route("**/api/labels", lambda route: route.fulfill(status=503, json={}))
    page.context.set_offline(False)
    page.goto(f"{app.address}/overview")
    sidebar = page.get_by_test_id("stSidebar")
    sidebar.get_by_role("button", name="Sign out").click()
    sidebar.get_by_text("Answers waiting to be sent: 1").wait_for()
    assert page.url.startswith(f"{app.address}/overview")
