"""A page's component drawn the way that Streamlit sometimes does it: anew, before the drawing before has ended."""

from playwright.sync_api import Page

_DRAWN_TWICE = """async ({ script, html, name }) => {
    const file = new Blob([script], { type: "text/javascript" });
    const { default: draw } = await import(URL.createObjectURL(file));
    const parentElement = document.body.appendChild(document.createElement("div"));
    parentElement.innerHTML = html;
    const one = window[name];
    const endOld = draw({ parentElement, data: one.data });
    const endNew = draw({ parentElement, data: one.data });
    const later = () => new Promise((done) => setTimeout(() => done(one.dom !== null), 150));
    endOld();
    const afterOld = await later();
    endNew();
    return [afterOld, await later()];
}"""


def alive_after_each_end(page: Page, name: str, *, script: str, html: str) -> list[bool]:
    """Whether the object `name` on the window listens to keys after the older of two drawings ended, and after both."""
    found: list[bool] = page.evaluate(_DRAWN_TWICE, {"script": script, "html": html, "name": name})
    return found
