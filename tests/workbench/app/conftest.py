"""Pages, opened for one test."""

from collections.abc import Iterator

import pytest

from tests.workbench.app.page_harness import Viewed, viewing


@pytest.fixture
def viewed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Viewed]:
    with viewing(monkeypatch) as opened:
        yield opened
