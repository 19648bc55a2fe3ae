"""Waiting for what a page says of itself, never for a time: a slow machine is no failure."""

from playwright.sync_api import Locator, Page
from playwright.sync_api import TimeoutError as TooLate

#: How long anything may take before a test gives up: a net under a slow, busy machine, never a pace to keep up with.
LONGEST_S = 60
POLL_MS = 20


def wait_until_drawn(page: Page) -> None:
    """Wait until Streamlit has run a page's script to its end: what it draws and where it leads is decided then."""
    done = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning'"
    page.wait_for_function(done, polling=POLL_MS)


def wait_still(what: Locator) -> None:
    """Wait until it has stood in one place for ten frames: a page of another width is laid out anew bit by bit."""
    what.evaluate(
        """async element => {
            const place = () => JSON.stringify([innerWidth, element.getBoundingClientRect()]);
            for (let [last, frames] = [place(), 0]; frames < 10; frames++) {
                await new Promise(requestAnimationFrame);
                if (place() !== last) [last, frames] = [place(), 0];
            }
        }"""
    )


def wait_until_it_says(page: Page, component: str, name: str, wanted: object, condition: str) -> None:
    """Wait until `condition` of `said` and `wanted` holds, where `said` is the component's `data-name`.

    `component` is the class of the component's outermost element: "console" or "clipper".
    """
    try:
        page.wait_for_function(_SAYS % condition, arg=[component, name, wanted], polling=POLL_MS)
    except TooLate:
        said = page.locator(f".{component}").get_attribute(f"data-{name}")
        raise AssertionError(f"data-{name} stayed {said!r}, not {wanted}") from None


_SAYS = """([component, name, wanted]) => {
    const owner = window[{ console: "__workbenchConsole", clipper: "__workbenchClipper" }[component]];
    const drawn = owner?.dom?.[component];
    const said = drawn?.isConnected ? drawn.dataset[name] : undefined;
    return said !== undefined && (%s);
}"""
