"""Nothing is cut off: pages of the curator on a laptop of 1280 pixels and on a phone, with a name in another script."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.app_server import App, serving
from tests.browser.clipper_page import made_recording, mined_study
from tests.browser.wait_conditions import wait_until_drawn

pytestmark = pytest.mark.browser

NAME = "夜之生人第一集：他們來找妳了"
PHONE = {"width": 390, "height": 844}

#: What lies within the clipper and reaches beyond the right edge of the window.
BEYOND = """element => [...element.querySelectorAll("button, input, canvas, p")]
    .filter(one => one.getClientRects().length && one.getBoundingClientRect().right > innerWidth + 0.5)
    .map(one => one.outerHTML.slice(0, 60))"""


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on a study of half a minute of made voices."""
    recording = made_recording(tmp_path_factory.mktemp("media") / f"{NAME}.wav", turns=8)
    with serving(mined_study(tmp_path_factory.mktemp("layout"), recording)) as running:
        yield running


@pytest.fixture
def signed(curated: App, page: Page) -> Page:
    page.request.get(curated.add("Cy", "curator"))
    return page


def test_no_figure_of_the_overview_is_cut_off(curated: App, signed: Page) -> None:
    signed.set_viewport_size({"width": 1280, "height": 800})
    signed.goto(curated.address)
    signed.wait_for_url("**/overview")
    values = signed.get_by_test_id("stMetricValue")
    expect(values.first).to_be_visible()
    wait_until_drawn(signed)
    for value in values.all():
        cut = value.evaluate("one => [one, ...one.querySelectorAll('*')].some(e => e.scrollWidth > e.clientWidth + 1)")
        assert not cut, value.inner_text()


@pytest.mark.parametrize("url", ["overview", "ingest", "ingest?part=Screens", "clips"])
def test_a_page_fits_a_phone_and_its_name_is_not_hidden(curated: App, signed: Page, url: str) -> None:
    signed.set_viewport_size(PHONE)
    signed.goto(f"{curated.address}/{url}")
    title = signed.get_by_role("heading", level=2).first
    expect(title).to_be_visible()
    wait_until_drawn(signed)
    header, box = signed.get_by_test_id("stHeader").bounding_box(), title.bounding_box()
    assert header is not None and box is not None
    assert box["y"] >= header["y"] + header["height"] - 8, "the bar above lies over the page's name"
    assert signed.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth") <= 0


def test_the_clipper_fits_a_phone_and_calls_a_recording_by_its_name(curated: App, signed: Page) -> None:
    signed.set_viewport_size(PHONE)
    signed.goto(f"{curated.address}/clipper?source=withdrawn")
    clipper = signed.locator('.clipper[data-mode="ready"]')
    clipper.wait_for()
    wait_until_drawn(signed)
    assert clipper.evaluate(BEYOND) == []
    assert clipper.locator("select option").inner_text().startswith(NAME)
    expect(clipper.locator(".message")).to_have_text("No recording here is called withdrawn; this is another one.")


def test_the_names_of_a_score_and_of_its_colours_do_not_lie_on_each_other(curated: App, signed: Page) -> None:
    signed.set_viewport_size({"width": 1280, "height": 800})
    signed.goto(f"{curated.address}/ingest?part=Screens&screen=longest_pause_s")
    legend, axis = signed.locator(".js-plotly-plot .legend"), signed.locator(".js-plotly-plot .xtitle")
    expect(axis).to_be_visible()
    one, other = legend.bounding_box(), axis.bounding_box()
    assert one is not None and other is not None
    assert one["y"] + one["height"] <= other["y"], "the colours are named above the bars"
    expect(signed.locator(".listening").first).to_contain_text(NAME)


def test_a_clip_that_left_is_said_to_be_gone(curated: App, signed: Page) -> None:
    signed.goto(f"{curated.address}/clips?clip=ep9-000000000")
    expect(signed.get_by_text(re.compile("No clip is called ep9-000000000"))).to_be_visible()
