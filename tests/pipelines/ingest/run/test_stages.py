"""pipelines.ingest.run.stages: what is done when a run is stopped stays done."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from pipelines.atomic_write import sha256_file
from pipelines.errors import Cancelled
from pipelines.ingest.failures import TooManyRequests
from pipelines.ingest.fetch.fetch_policy import Manners
from pipelines.ingest.run import run
from pipelines.ingest.run import stages as working
from pipelines.ingest.run.acquire import Taken
from pipelines.ingest.state.queue import open_queue
from pipelines.media.audio import probe
from pipelines.progress import Progress
from pipelines.study import Study
from tests.pipelines.ingest.fetch.test_misbehaving import bodies, make_study

__all__ = ["bodies"]

QUICK = Manners(allow_private=True, pause_s=0, reserve_bytes=0)


def status(study: Study) -> Mapping[str, str]:
    with open_queue(study.ingest_db) as queue:
        return {name: item.status for name, item in queue.items().items()}


def test_all_that_was_heard_at_one_moment_is_kept_though_the_first_of_it_is_told_to_stop(
    bodies: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(tmp_path / "root")
    for name, body in zip(("one", "two"), bodies, strict=True):
        (tmp_path / f"{name}.mp4").write_bytes(body)

    def at_one_moment(
        work: Callable[[Any, Any], Any], tasks: object, *, next_tasks: Callable[..., Any], **_: object
    ) -> Iterator[Any]:
        given: dict[str, Any] = {}
        while (new := next_tasks(0.0, 0)) is not None:
            given |= new
        yield from [(name, work(task, lambda *_: None)) for name, task in given.items()]

    def stop(progress: Progress) -> None:
        if progress.stage == "sources" and progress.done == 1:
            raise Cancelled("enough")

    monkeypatch.setattr(working, "run_each", at_one_moment)
    files = [str(tmp_path / f"{name}.mp4") for name in ("one", "two")]
    with pytest.raises(Cancelled):
        run.ingest(study, files, jobs=1, report=stop, manners=QUICK)
    assert status(study) == {"one": "done", "two": "done"}


def test_what_comes_whole_while_a_run_is_stopped_is_not_fetched_again(
    bodies: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(tmp_path / "root")
    (tmp_path / "body.mp4").write_bytes(bodies[0])
    asked = threading.Event()

    def take(_url: str, _source_id: str, media: Path, *_: object, stop: threading.Event, **__: object) -> Taken:
        asked.set()
        assert stop.wait(60), "it is stopped while the checksum of what came is made"
        media.mkdir(parents=True, exist_ok=True)
        path = Path(shutil.copy(tmp_path / "body.mp4", media / "came.mp4"))
        return Taken(path, sha256_file(path), probe(path).duration_s, {})

    def stop(_: Progress) -> None:
        if asked.is_set():
            raise Cancelled("enough")

    monkeypatch.setattr(working, "take", take)
    with pytest.raises(Cancelled):
        run.ingest(study, ["http://127.0.0.1/one.mp4"], jobs=1, report=stop, manners=QUICK)
    assert status(study) == {"one": "fetched"}
    monkeypatch.setattr(working, "take", None)
    (row,) = run.ingest(study, ["http://127.0.0.1/one.mp4"], jobs=1, manners=QUICK).sources
    assert row.status == "ingested"


def test_a_rest_asked_for_while_a_run_is_stopped_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study(tmp_path / "root")
    asked = threading.Event()

    def take(*_: object, stop: threading.Event, **__: object) -> Taken:
        asked.set()
        assert stop.wait(60), "the host answers while the run is stopped"
        raise TooManyRequests("too_many_requests", "429", 7200.0)

    def stop(_: Progress) -> None:
        if asked.is_set():
            raise Cancelled("enough")

    monkeypatch.setattr(working, "take", take)
    with pytest.raises(Cancelled):
        run.ingest(study, ["http://127.0.0.1/one.mp4"], jobs=1, report=stop, manners=QUICK)
    monkeypatch.setattr(working, "take", None)
    (row,) = run.ingest(study, ["http://127.0.0.1/one.mp4"], jobs=1, manners=QUICK).sources
    assert row.reason_code == "too_many_requests" and "is left alone until" in row.reason


def test_a_stop_is_heard_once_all_is_handed_out_and_whoever_does_it_says_nothing(
    bodies: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(tmp_path / "root")
    (tmp_path / "one.mp4").write_bytes(bodies[0])
    handed_out = threading.Event()
    stopped = threading.Event()

    def mute(_work: object, _tasks: object, *, next_tasks: Callable[..., Any], **_: object) -> Iterator[Any]:
        under_way = len(next_tasks(0.0, 0))
        handed_out.set()
        patience = time.monotonic() + 60
        while next_tasks(0.0, under_way) is not None and time.monotonic() < patience:
            time.sleep(0.02)
        assert stopped.is_set(), "it is asked as long as something is under way, and hears of the stop"
        yield from ()

    def stop(_: Progress) -> None:
        if handed_out.is_set():
            stopped.set()
            raise Cancelled("enough")

    monkeypatch.setattr(working, "run_each", mute)
    with pytest.raises(Cancelled):
        run.ingest(study, [str(tmp_path / "one.mp4")], jobs=1, report=stop, manners=QUICK)
