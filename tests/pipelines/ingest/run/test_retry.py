"""What a later run does with what failed: by class, with --retry-failed, with an edited list, with a full disk."""

import errno
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipelines.errors import MediaError
from pipelines.execution.process_pool import OnProgress
from pipelines.ingest.fetch import disk_space
from pipelines.ingest.fetch.fetch_policy import Manners, Rest
from pipelines.ingest.report import IngestReport
from pipelines.ingest.run import run, stages
from pipelines.ingest.source_analysis import Analysed, Task, analyse
from pipelines.ingest.state.operator_requests import read_requests, request_action
from pipelines.ingest.state.queue import open_queue
from pipelines.manifest import read_clips, read_table
from pipelines.media import audio
from pipelines.progress import Progress
from pipelines.study import Study
from tests.pipelines.ingest.fetch.test_misbehaving import bodies, make_study, site
from tests.pipelines.ingest.misbehaving_server import Misbehaving
from tests.synthetic_audio import noise, voice

__all__ = ["bodies", "site"]

QUICK = Manners(allow_private=True, pause_s=0, reserve_bytes=0)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path / "root")


def ingest(study: Study, *inputs: str, manners: Manners = QUICK, retry_failed: bool = False) -> IngestReport:
    return run.ingest(Study(study.root, study.name), inputs, jobs=1, manners=manners, retry_failed=retry_failed)


def codes(report: IngestReport) -> list[tuple[str, str]]:
    return [(row.status, row.reason_code) for row in report.sources]


def test_each_class_in_its_own_way(study: Study, site: Misbehaving) -> None:
    now = [1_000_000.0]
    manners = replace(QUICK, clock=lambda: now[0], fetch_s=0.5)
    urls = [site.url(name) for name in ("error404", "error500", "drip")]
    first = ingest(study, *urls, manners=manners)
    assert [row.failure for row in first.sources] == ["gone", "retry", "defer"]

    def asked(*, retry_failed: bool = False) -> set[str]:
        site.asked.clear()
        again = ingest(study, *urls, manners=manners, retry_failed=retry_failed)
        assert [row.reason_code for row in again.sources] == [row.reason_code for row in first.sources]
        assert again.sources[0].reason == first.sources[0].reason
        return {path.strip("/").removesuffix(".mp4") for path, *_ in site.asked}

    assert asked() == {"error500"}
    now[0] += 7 * 3600
    assert asked() == {"error500", "drip"}
    assert asked(retry_failed=True) == {"error404", "error500", "drip"}


def test_a_deferred_recording_says_until_when(study: Study, site: Misbehaving) -> None:
    manners = replace(QUICK, clock=lambda: 0.0, fetch_s=0.5)
    ingest(study, site.url("drip"), manners=manners)
    (row,) = ingest(study, site.url("drip"), manners=manners).sources
    assert row.reason.endswith("(asked again after 1970-01-01 06:00 UTC)") and row.failure == "defer"


def test_a_host_that_was_given_up_is_asked_again_on_demand(study: Study, site: Misbehaving) -> None:
    manners = replace(QUICK, clock=lambda: 1000.0)
    with open_queue(study.ingest_db) as queue:
        queue.rest("127.0.0.1", Rest(900.0, 3))
    (row,) = ingest(study, site.url("good"), manners=manners).sources
    assert row.reason_code == "too_many_requests" and "only with --retry-failed" in row.reason and site.asked == []
    assert codes(ingest(study, site.url("good"), manners=manners, retry_failed=True)) == [("ingested", "")]


def test_an_edited_list_is_merged_and_nothing_has_to_be_deleted(study: Study, site: Misbehaving) -> None:
    study.sources_csv.write_text(f"source_id,uri,series\npilot,{site.url('error404')},Show\n")
    assert codes(ingest(study)) == [("failed", "not_found")]
    text = study.sources_csv.read_text()
    assert read_table(study.sources_csv)[0]["reason_code"] == "not_found"
    study.sources_csv.write_text(text.replace("error404", "good"))
    assert codes(ingest(study)) == [("ingested", "")]
    (row,) = read_table(study.sources_csv)
    assert (row["source_id"], row["uri"], row["series"], row["status"]) == ("pilot", site.url("good"), "Show", "ok")
    tables = study.sources_csv.read_text(), study.clips_csv.read_text()
    study.sources_csv.write_text(tables[0].replace("good", "error410"))
    assert codes(ingest(study)) == [("failed", "not_found")]  # a bad edit takes no clip away
    assert study.clips_csv.read_text() == tables[1]
    study.sources_csv.write_text(tables[0])
    site.asked.clear()
    assert codes(ingest(study)) == [("unchanged", "")] and site.asked == []
    assert (study.sources_csv.read_text(), study.clips_csv.read_text()) == tables


def test_no_room_pauses_the_queue_before_anything_is_asked(
    study: Study, site: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _path: SimpleNamespace(free=10))
    urls = [site.url("one"), site.url("two")]
    manners = replace(QUICK, reserve_bytes=11)
    report = ingest(study, *urls, manners=manners)
    assert codes(report) == [("failed", "disk_full")] * 2 and report.exit_code == 1 and site.asked == []
    assert "there is no room left on the disk; make room" in report.sources[0].reason
    assert report.sources[1].reason.startswith(f"{urls[1]}: was not begun, since the disk is full")
    monkeypatch.undo()
    assert [status for status, _ in codes(ingest(study, *urls))] == ["ingested", "duplicate"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_disk_that_fills_up_in_mid_body_pauses_the_queue_and_registers_nothing(
    study: Study, site: Misbehaving
) -> None:
    partial = study.media / "partial"
    partial.mkdir(parents=True)
    (partial / "one.mp4.part").symlink_to("/dev/full")
    (partial / "one.mark").write_text(json.dumps({"etag": '"one"', "format_id": "mp4"}))
    urls = [site.url("one"), site.url("two")]
    report = ingest(study, *urls)
    assert codes(report) == [("failed", "disk_full")] * 2, report.sources[0].reason
    assert not [path for path, *_ in site.asked if "two" in path]
    assert not study.sources_csv.exists() and not [file for file in study.media.glob("*") if file.is_file()]
    shutil.rmtree(partial)
    assert [status for status, _ in codes(ingest(study, *urls))] == ["ingested", "duplicate"]


def test_a_disk_that_fills_up_while_clips_are_cut_loses_no_download(
    study: Study, site: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(task: Task, tell: OnProgress) -> Analysed:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(stages, "analyse", full)
    assert codes(ingest(study, site.url("one"))) == [("failed", "disk_full")]
    assert not study.clips_csv.exists()
    monkeypatch.setattr(stages, "analyse", analyse)
    site.asked.clear()
    assert codes(ingest(study, site.url("one"))) == [("ingested", "")]
    assert site.asked == [] and read_clips(study.clips_csv)


def failing(code: str, failure: str) -> Callable[[Task, OnProgress], Analysed]:
    def fail(task: Task, tell: OnProgress) -> Analysed:
        raise MediaError(code, f"{task.path.name}: could not be read", failure)  # type: ignore[arg-type]

    return fail


def test_a_failed_analysis_neither_asks_the_site_again_nor_touches_the_download(
    study: Study, site: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(stages, "analyse", failing("strange", "fix"))
        assert codes(ingest(study, site.url("one"))) == [("failed", "strange")]
    (file,) = (file for file in study.media.iterdir() if file.is_file())
    before = file.stat().st_ino, file.read_bytes()
    site.asked.clear()
    assert codes(ingest(study, site.url("one"))) == [("ingested", "")]
    assert site.asked == [] and (file.stat().st_ino, file.read_bytes()) == before


def test_on_demand_a_spoilt_download_is_fetched_again_and_compared(
    study: Study, site: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(stages, "analyse", failing("strange", "gone"))
        ingest(study, site.url("one"))
        (file,) = (file for file in study.media.iterdir() if file.is_file())
        before = file.stat().st_ino
        site.asked.clear()
        assert codes(ingest(study, site.url("one"))) == [("failed", "strange")] and site.asked == []
        assert codes(ingest(study, site.url("one"), retry_failed=True)) == [("failed", "strange")] and site.asked
    assert file.stat().st_ino == before, "the same bytes came again"
    file.write_bytes(b"spoilt on this disk")
    assert codes(ingest(study, site.url("one"), retry_failed=True)) == [("ingested", "")]


def test_an_address_that_is_gone_is_not_asked_again_when_settings_change_or_its_file_was_lost(
    study: Study, site: Misbehaving
) -> None:
    url = site.url("leaving")
    assert codes(ingest(study, url)) == [("ingested", "")]
    text = study.settings_file.read_text()
    study.settings_file.write_text(text.replace("length_s = 3.0", "length_s = 2.5"))
    for file in study.media.iterdir():
        if file.is_file():
            file.unlink()
    assert codes(ingest(study, url)) == [("failed", "not_found")]
    study.settings_file.write_text(text)
    site.asked.clear()
    assert codes(ingest(study, url)) == [("failed", "not_found")] and site.asked == []


def test_a_paused_source_is_not_begun_and_goes_on_when_it_may(study: Study, site: Misbehaving, tmp_path: Path) -> None:
    study.sources_csv.write_text(f"source_id,uri\none,{site.url('one')}\ntwo,{site.url('error404')}\n")
    request_action(study, "one", "pause")
    report = ingest(study)
    assert codes(report) == [("paused", "paused"), ("failed", "not_found")]
    assert report.sources[0].failure == "defer" and "until you let it go on" in report.sources[0].reason
    assert not [path for path, *_ in site.asked if "one" in path]
    request_action(study, "two", "resume")
    assert ingest(study).exit_code == 1 and read_table(study.sources_csv)[0]["status"] == ""
    request_action(study, "one", "resume")
    assert codes(ingest(study))[0] == ("ingested", "")


def test_a_wish_to_retry_counts_for_one_source_and_once(study: Study, site: Misbehaving) -> None:
    study.sources_csv.write_text(f"source_id,uri\none,{site.url('error404')}\ntwo,{site.url('error410')}\n")
    ingest(study)
    for asked in (["error404"], []):
        if asked:
            request_action(study, "one", "retry")
        site.asked.clear()
        ingest(study)
        assert sorted({path.strip("/").removesuffix(".mp4") for path, *_ in site.asked}) == asked
    assert read_requests(study) == {}


def test_a_running_ingest_looks_again_before_it_begins_with_each(study: Study, tmp_path: Path) -> None:
    for number in range(3):
        audio.encode(
            tmp_path / f"s{number}.wav", voice(8.0 - number, seed=number, pitch_hz=100 + 40 * number), 16000, "pcm16"
        )

    def pause_the_last(progress: Progress) -> None:
        if progress.stage == "analyse" and progress.item == "s0":
            request_action(study, "s2", "pause")

    files = [str(tmp_path / f"s{number}.wav") for number in range(3)]
    report = run.ingest(study, files, jobs=1, report=pause_the_last)
    assert [row.status for row in report.sources] == ["ingested", "ingested", "paused"] and report.exit_code == 0
    again = run.ingest(Study(study.root, study.name), files, jobs=1, dry_run=True)
    assert [row.verdict for row in again.sources] == ["accept", "accept", "defer"]


def test_a_crash_of_one_worker_keeps_nobody_waiting(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        sound = np.concatenate(
            [noise(0.5, seed=number), voice(7.0 - number / 2, seed=number, pitch_hz=100 + 30 * number)]
        )
        audio.encode(tmp_path / f"s{number}.wav", sound, 16000, "pcm16")
    monkeypatch.setattr(stages, "analyse", dies_of_the_first)
    files = [str(tmp_path / f"s{number}.wav") for number in range(4)]
    report = run.ingest(study, files, jobs=2)
    assert [row.status for row in report.sources] == ["failed", *["ingested"] * 3]
    assert report.sources[0].reason_code == "crashed"


def dies_of_the_first(task: Task, tell: OnProgress) -> Analysed:
    if task.source_id == "s0":
        os._exit(3)
    return analyse(task, tell)
