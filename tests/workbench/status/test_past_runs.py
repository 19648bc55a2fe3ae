"""workbench.status.past_runs and `workbench sources history`: the last runs, in rows that people read."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.ingest.state.run_log import PastRun, append, runs_file
from pipelines.study import Study, create_study
from tests.workbench.command_line import call
from workbench.status.past_runs import past_rows


def told(minute: int, **more: object) -> PastRun:
    facts = {"started": f"2026-11-21T12:{minute:02d}:00Z", "seconds": 2.0, "what": "ingest", "ended": "done"}
    return PastRun.model_validate(facts | more)


def test_what_followed_picks_of_one_day_is_one_row_with_how_it_ended() -> None:
    runs = [
        told(9, what="tables", clips=13, left={"picked_over": 2}),
        told(8, what="tables", clips=12),
        told(7, what="tables", clips=11, left={"picked_over": 1}),
        told(6, clips=11, hours_in=2.0, hours_heard=0.5),
        told(5, what="tables", clips=9),
    ]
    newest, ingest, oldest = past_rows(runs)
    assert (newest.what, newest.times, newest.clips, newest.left) == ("limits, caps, picks (3 times)", 3, 13, 3)
    assert newest.took_s == 6.0 and newest.started == past_rows(runs[2:3])[0].started
    assert (ingest.what, ingest.heard_s, ingest.sound_s, ingest.problem) == ("recordings", 1800.0, 7200.0, "")
    assert (oldest.times, oldest.clips) == (1, 9)
    assert past_rows(runs, 1) == (newest,), "the last row wanted is whole"
    assert past_rows(runs, 2) == (newest, ingest) and past_rows([]) == ()


def test_a_run_of_another_day_or_with_a_problem_stands_alone() -> None:
    runs = [
        told(9, what="tables"),
        told(8, what="tables", ended="failed", error="picks.csv, row 3: what"),
        told(7, what="tables"),
        told(0, what="tables", started="2026-11-19T12:00:00Z"),
    ]
    assert [row.problem for row in past_rows(runs)] == ["", "broke off: picks.csv, row 3: what", "", ""]


@pytest.mark.parametrize(
    ("facts", "problem"),
    [
        ({"sources": {"failed": 1}, "failed": {"a": "gone"}}, "a failed"),
        ({"sources": {"failed": 1}}, "1 recording failed"),
        ({"sources": {"failed": 2}}, "2 recordings failed"),
        ({"sources": {"failed": 6}, "failed": dict.fromkeys("abcd", "gone")}, "a, b, c, 3 more failed"),
        ({"ended": "stopped", "sources": {"failed": 2}, "failed": {"a": "x", "b": "y"}}, "was stopped; a, b failed"),
    ],
)
def test_what_failed_is_named_as_far_as_it_fits(facts: dict[str, object], problem: str) -> None:
    (row,) = past_rows([told(1, **facts)])
    assert row.problem == problem
    (row,) = past_rows([told(1, **facts)], called={"a": "Act one", "b": ""})
    assert row.problem == problem.replace("a,", "Act one,").replace("a f", "Act one f")


def test_the_command_tells_of_runs_in_words_and_as_json(
    ingested: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ingested.root, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path))
    study = Study(tmp_path, ingested.name)
    append(study, told(1, what="tables", clips=5, left={"unlisted": 2}))
    append(study, told(2, ended="failed", error="the disk is full"))
    code, out, _ = call(capsys, "sources", "history", "--json")
    newest, _, first = json.loads(out)["runs"]
    assert code == 0 and newest["error"] == "the disk is full" and first["sources"] == {"ingested": 2}
    _, out, _ = call(capsys, "sources", "history", "--json", "--most", "1")
    assert json.loads(out)["runs"] == [newest]
    _, out, _ = call(capsys, "sources", "history")
    lines = out.splitlines()
    assert lines[0].endswith("; broke off: the disk is full")
    assert lines[1].endswith("2 s, limits, caps, picks: 5 clips, 2 clips left")
    assert " heard of " in lines[2] and str(tmp_path) not in out


def test_before_the_first_run_the_command_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = create_study("night", root=tmp_path)
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path))
    assert call(capsys, "sources", "history")[1] == "No run is told of on this machine yet.\n"
    assert not runs_file(study).exists()
