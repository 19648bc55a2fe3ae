"""The pages of the app, by the role that they are for.

A new page is one line in PAGES and one function `show(study, session)` in workbench/app/views/.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from workbench.people.access_control import Role, may

Group: TypeAlias = Literal["Annotator", "Curator", "Researcher"]


class Page(NamedTuple):
    """One page. `title` is the text `pages.<url>` where the catalogue has it; `view` is 'module:function'."""

    title: str
    url: str
    icon: str
    group: Group
    view: str


GROUPS: Mapping[Group, Role] = {"Annotator": "annotator", "Curator": "curator", "Researcher": "researcher"}

#: Where `/` is for Streamlit; it leads to the first page of the role.
HOME = "home"

PAGES: tuple[Page, ...] = (
    Page("Label", "label", ":material/graphic_eq:", "Annotator", "workbench.app.views.label:show"),
    Page("Overview", "overview", ":material/timeline:", "Curator", "workbench.app.views.overview:show"),
    Page("Ingest", "ingest", ":material/download:", "Curator", "workbench.app.views.ingest:show"),
    Page("Clipper", "clipper", ":material/content_cut:", "Curator", "workbench.app.views.clipper:show"),
    Page("Agreement", "agreement", ":material/handshake:", "Curator", "workbench.app.views.agreement:show"),
    Page("Clips", "clips", ":material/library_music:", "Curator", "workbench.app.views.clips:show"),
    Page("Train", "train", ":material/model_training:", "Researcher", "workbench.app.views.train:show"),
    Page("Runs", "runs", ":material/leaderboard:", "Researcher", "workbench.app.views.runs:show"),
    Page("Compare", "compare", ":material/compare:", "Researcher", "workbench.app.views.compare:show"),
)


def pages_for(role: Role) -> dict[Group, list[Page]]:
    """The pages that `role` may open, by group, in order."""
    allowed = {
        group: [page for page in PAGES if page.group == group] for group, needed in GROUPS.items() if may(role, needed)
    }
    return {group: pages for group, pages in allowed.items() if pages}


def first_for(role: Role) -> Page:
    """The page that `role` begins with: whoever sees more than labelling begins with where the study stands."""
    pages = [page for group in pages_for(role).values() for page in group]
    return next((page for page in pages if page.url == "overview"), pages[0])


def needed_for(url: str) -> Role:
    """The least role that may open the page."""
    return next(GROUPS[page.group] for page in PAGES if page.url == url)
