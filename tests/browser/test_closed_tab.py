"""A tab that was left open, in a real browser: at the next click it says that it is closed, and does nothing else."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.app_server import App

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("why", ["role", "signed_out"])
def test_the_next_click_in_an_open_page_is_its_last(app: App, page: Page, why: str) -> None:
    name = f"Cy {why}"
    page.goto(app.add(name, "curator"))
    page.goto(f"{app.address}/agreement")
    switch = page.get_by_role("link", name="Overview")
    expect(switch).to_be_visible()
    if why == "role":
        with app.store() as store:
            store.change_rater(name, role="annotator")
    else:
        other = page.context.new_page()
        other.goto(f"{app.address}/sign-in")
        other.get_by_role("button", name="Sign out").click()
        expect(other).to_have_url(f"{app.address}/sign-in")
        other.close()
    switch.click()
    said = "Your role in this study has changed" if why == "role" else "You are signed out, so this page is closed"
    expect(page.get_by_text(said)).to_be_visible()
    expect(page.get_by_role("link", name="Overview")).to_have_count(0)
    page.get_by_role("link", name="Go on" if why == "role" else "Sign in").click()
    address = "/label" if why == "role" else "/sign-in"
    expect(page).to_have_url(f"{app.address}{address}")
