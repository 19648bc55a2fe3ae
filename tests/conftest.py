"""What all tests share: real recordings where the machine has them, and hypothesis without clocks."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pipelines.study import Study

# Machines differ in speed, and tests never assert wall-clock times.
settings.register_profile("steady", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright keeps an event loop running in this thread until the session ends."""
    items.sort(key=lambda item: "browser" in item.path.parts)


@pytest.fixture(autouse=True)
def _same_main() -> Iterator[None]:
    """Streamlit's AppTest puts its page in place of `__main__`, which spawned processes would then run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    """The folder of real recordings, or a skip with its reason."""
    named = os.environ.get("WORKBENCH_TEST_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("no real recordings here: WORKBENCH_TEST_DATA names no folder")
    return Path(named)


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study made by a real ingest of made recordings, once for all: copy it to change it."""
    from tests.studies import ingested_study

    return ingested_study(tmp_path_factory.mktemp("ingested"))
