"""Fixtures that all tests share: databases, shared runs, real recordings where available."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from pipelines.study import Study
from tests.postgres_server import Postgres, programs, server
from tests.shared_runs import FinishedRun, run_demo, run_training

# Machines differ in speed, and tests never assert wall-clock times.
settings.register_profile("steady", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")


#: Folders whose tests share a run of a minute: they start first, in one process.
_SLOW_FOLDERS = ("tests/pipelines/training", "tests/workbench/demo")


class _ByFile(LoadScopeScheduling):
    """Send each file to one process, for its fixtures, and each slow folder too."""

    def _split_scope(self, nodeid: str) -> str:
        return next((folder for folder in _SLOW_FOLDERS if nodeid.startswith(f"{folder}/")), nodeid.partition("::")[0])


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process per core for the whole suite; only this one for a part of it, which then starts at once."""
    return min(os.cpu_count() or 1, 4) if config.args_source is pytest.Config.ArgsSource.TESTPATHS else 0


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright keeps an event loop running in this thread until the session ends."""

    def rank(item: pytest.Item) -> int:
        is_slow = item.nodeid.startswith(tuple(f"{folder}/" for folder in _SLOW_FOLDERS))
        return -1 if is_slow else int("browser" in item.path.parts)

    items.sort(key=rank)


@pytest.fixture(autouse=True)
def _same_main() -> Iterator[None]:
    """Streamlit's AppTest replaces `__main__` with its page, which spawned processes would then run."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


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
    """Run the test with its labels in SQLite, and again in a PostgreSQL database."""
    if request.param == "sqlite":
        yield
        return
    running: Postgres = request.getfixturevalue("postgres")
    url = running.new_database()
    monkeypatch.setenv("WORKBENCH_STORE_URL", url)
    yield
    running.drop(url)


@pytest.fixture(scope="session")
def training_ended(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The finished training runs; a failure fails the tests that check them."""
    return run_training(tmp_path_factory.mktemp("training"))


@pytest.fixture(scope="session")
def demo_ended(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """The finished `workbench demo --check`."""
    return run_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def real_recordings() -> Path:
    """The folder of real recordings, or a skip with its reason."""
    named = os.environ.get("WORKBENCH_TEST_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("no real recordings here: WORKBENCH_TEST_DATA names no folder")
    return Path(named)


@pytest.fixture(scope="session")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study made once by a real ingest of synthetic recordings: copy it to change it."""
    from tests.small_study import ingested_study

    return ingested_study(tmp_path_factory.mktemp("ingested"))
