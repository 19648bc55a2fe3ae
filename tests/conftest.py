"""What all tests share: real recordings where the machine has them, and hypothesis without clocks."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pipelines.study import Study
from tests.beside import ERRANDS, Ended, Errand
from tests.postgres import Postgres, programs, server

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


@pytest.fixture(scope="session", autouse=True)
def _beside(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Errand]]:
    """The long commands that some of the chosen tests wait for: begun before the first test, beside the others."""
    asked = {name for item in request.session.items for name in getattr(item, "fixturenames", ())}
    begun = {name: begin(tmp_path_factory.mktemp(name)) for name, begin in ERRANDS.items() if name in asked}
    yield begun
    for errand in begun.values():
        errand.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL; where there is none, a skip with its reason, and a failure in CI."""
    where = programs()
    if where is None:
        if os.environ.get("CI") == "true":
            pytest.fail("no PostgreSQL here, and CI must have one")
        pytest.skip("no PostgreSQL here: install the package 'postgresql' to run these tests")
    with server(where) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def _each_store(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The study of this test keeps its labels in its own file, and once more in a database of a real PostgreSQL."""
    if request.param == "sqlite":
        yield
        return
    running: Postgres = request.getfixturevalue("postgres")
    url = running.new_database()
    monkeypatch.setenv("WORKBENCH_STORE_URL", url)
    yield
    running.drop(url)


@pytest.fixture(scope="session")
def training_ended(_beside: dict[str, Errand]) -> Ended:
    """What training in a process of its own left; a failure of it fails the tests that look."""
    return _beside["training_ended"].wait()


@pytest.fixture(scope="session")
def demo_ended(_beside: dict[str, Errand]) -> Ended:
    """What `workbench demo --check` left."""
    return _beside["demo_ended"].wait()


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
