"""The Ingest page in a real browser: recordings are checked and made into clips; a limit is moved and applied."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipelines.ingest.selection.threshold_preview import preview_thresholds, read_candidates
from pipelines.manifest import read_clips
from pipelines.study import ScreenThresholds, Study
from tests.browser.app_server import App, serving
from tests.browser.wait_conditions import LONGEST_S, wait_still
from tests.small_study import lenient_study, recordings

pytestmark = pytest.mark.browser

SHOWN_IN = "scheme => getComputedStyle(document.querySelector('[data-testid=stApp]')).colorScheme === scheme"


@pytest.fixture(scope="module")
def bare_app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The app on a study to which nothing was ever added; two recordings lie beside it."""
    root = tmp_path_factory.mktemp("ingest")
    study = lenient_study(root)
    recordings(root / "media")
    (study.private / "private.toml").write_text(f'source_folders = ["{root / "media"}"]\n')  # for who is invited
    with serving(study) as running:
        yield running


@pytest.fixture
def link(bare_app: App) -> str:
    return bare_app.add("Cy", "curator")


def read(study: Study) -> set[str]:
    return {clip.clip_id for clip in read_clips(study.clips_csv)}


def test_recordings_are_checked_started_and_become_clips_and_a_limit_moves_them_without_decoding(
    bare_app: App, page: Page, link: str
) -> None:
    study = bare_app.study
    page.goto(link)
    page.goto(f"{bare_app.address}/label")
    expect(page.get_by_text("There is no clip to label yet.")).to_be_visible()
    page.goto(f"{bare_app.address}/ingest")
    expect(page.get_by_text("No recordings yet.")).to_be_visible()
    page.get_by_role("radio", name="Files on the server").click()
    lines = page.get_by_placeholder("/srv/recordings/episode-1.wav")
    lines.fill("media\nmedia/missing.wav")
    lines.press("Control+Enter")
    expect(page.get_by_text("Line 2: there is no file or folder")).to_be_visible()
    lines.fill("media")
    lines.press("Control+Enter")
    page.get_by_role("button", name="Check first").click()
    expect(page.get_by_text("2 recordings of 2 can be taken:")).to_be_visible()
    assert not study.clips_csv.exists(), "a look ahead does nothing"
    page.get_by_role("button", name="Start 2 recordings").click()
    expect(page.get_by_text("Recordings are being made into clips now.")).to_be_visible()
    expect(page.get_by_text(re.compile(r"2 recordings, .* of sound, gave \d+ clips"))).to_be_visible(
        timeout=2 * LONGEST_S * 1000
    )
    before = read(study)
    assert f"gave {len(before)} clips" in page.inner_text("body")

    page.goto(f"{bare_app.address}/ingest?screen=speech_ratio")
    expect(page.get_by_text(f"Keeps {len(before)} clips (was {len(before)}), loses 0, gains 0.")).to_be_visible()
    with page.expect_response(re.compile(r"/api/window/")) as heard:
        page.locator(".listening button").first.click()
    assert heard.value.status in (200, 206) and heard.value.headers["content-type"] == "audio/wav"
    limit, keeps = losing_only(Study(study.root, study.name))
    for file in (study.root / "media").iterdir():  # what is not there cannot be decoded
        file.unlink()
    exact = page.get_by_role("spinbutton", name="exactly")
    exact.fill(f"{limit}")
    exact.press("Enter")
    loses = len(before) - keeps
    expect(page.get_by_text(f"Keeps {keeps} clips (was {len(before)}), loses {loses}, gains 0.")).to_be_visible()
    page.get_by_role("button", name=f"Apply: at least {limit}").click()
    page.get_by_role("button", name="Undo: at least 0.6").wait_for()
    expect(page.get_by_text(f"gave {keeps} clip")).to_be_visible()
    assert len(read(study)) == keeps and f"min = {limit}" in study.settings_file.read_text()


def test_a_table_is_given_as_a_file(bare_app: App, page: Page, link: str) -> None:
    page.goto(link)
    page.goto(f"{bare_app.address}/ingest")
    table, opener = page.get_by_role("radio", name="A table (CSV)"), page.get_by_text("Add recordings").first
    expect(table.or_(opener).first).to_be_visible()
    if not table.is_visible():  # there are recordings already
        opener.click()
    table.click()
    rows = b"uri,season\nhttps://example.org/a,two\n"
    page.locator("input[type=file]").set_input_files({"name": "list.csv", "mimeType": "text/csv", "buffer": rows})
    expect(page.get_by_text("expected a whole number or nothing, found 'two'")).to_be_visible()


def losing_only(study: Study) -> tuple[float, int]:
    """A least share of speech that turns clips away and lets no other in, which would have to be cut first."""
    candidates = read_candidates(study.candidates)
    for hundredths in range(61, 100):
        told = preview_thresholds(candidates, study.settings, {"speech_ratio": ScreenThresholds(min=hundredths / 100)})
        if told.lost and not told.gained:
            return hundredths / 100, told.n_kept
    raise AssertionError("no such limit")


def test_nothing_is_cut_off_on_a_small_laptop(bare_app: App, page: Page, link: str, tmp_path: Path) -> None:
    page.goto(link)
    for part, shown in (
        ("Recordings", "Start all"),
        ("Funnel", "From hours to clips"),
        ("Screens", "Just let through"),
    ):
        page.goto(f"{bare_app.address}/ingest?part={part}")
        what = page.get_by_text(shown).first
        what.wait_for()
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide == 0, f"{part} is {wide} pixels too wide"
        assert what.bounding_box()["y"] < 720, f"the main act of {part} needs scrolling"  # type: ignore[index]
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.wait_for_function(SHOWN_IN, arg=scheme)
            wait_still(what)
            picture = page.screenshot(path=tmp_path / f"{part}-{scheme}.png")
            assert len(picture) > 20_000, f"{part} is nearly blank"
    apply = page.get_by_role("button", name=re.compile("^Apply"))
    assert apply.bounding_box()["y"] + 30 < 720  # type: ignore[index]
