"""Make the README's pictures from the demo's own material: python -m docs.screenshots

Makes the demo study if it is not there, serves it, and photographs the labelling page, the clipper, the limits on the
Ingest page and the Compare page in Chromium.
"""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from pipelines.study import project_root
from workbench.demo import run_demo
from workbench.demo.run import ANNOTATOR

IMAGES = Path(__file__).parent / "images"
SIZE = {"width": 1280, "height": 720}


@contextmanager
def served() -> Iterator[str]:
    """The demo's app; yields the link that signs in."""
    command = [sys.executable, "-m", "workbench", "serve", "--study", "demo", "--no-open", "--sign-in", ANNOTATOR]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            yield next(word for line in server.stdout for word in line.split() if word.startswith("http"))
        finally:
            server.terminate()


def photograph(page: Page, name: str) -> None:
    """Write the page as it stands to docs/images."""
    IMAGES.mkdir(exist_ok=True)
    page.screenshot(path=IMAGES / f"{name}.png")


def main() -> None:
    """Make all of them."""
    run_demo(project_root())
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with served() as link, sync_playwright() as playwright:
        origin = link.split("/sign-in")[0]
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--mute-audio"])
        page = browser.new_page(viewport=SIZE)
        page.goto(link)
        page.goto(f"{origin}/label")
        page.get_by_text("Fearful").first.wait_for()
        page.wait_for_timeout(2000)
        page.keyboard.press("Space")
        page.wait_for_timeout(1200)
        photograph(page, "label")
        page.goto(f"{origin}/clipper")
        page.get_by_text("Cut here").or_(page.get_by_text("Keep it")).first.wait_for()
        page.wait_for_timeout(8000)
        page.keyboard.press("n")
        page.wait_for_timeout(1500)
        photograph(page, "clipper")
        page.goto(f"{origin}/ingest?part=Screens&screen=music_p")
        page.locator(".js-plotly-plot").first.wait_for()
        page.wait_for_timeout(4000)
        photograph(page, "ingest")
        page.set_viewport_size({"width": 1280, "height": 860})
        page.goto(f"{origin}/compare?emotion=fearful")
        page.locator(".js-plotly-plot").nth(1).wait_for()
        page.wait_for_timeout(4000)
        photograph(page, "compare")
        browser.close()


if __name__ == "__main__":
    main()
