"""workbench.takedown.scrub: nothing that pages and jobs wrote down says a withdrawn title, and nothing else is lost."""

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.study import Study, create_study
from workbench.status.source_requests import asked_table
from workbench.takedown.scrub import WITHDRAWN, Traces, traces

TITLE = 'The "Night" bus: 夜'
URL = "https://example.org/watch?v=1"


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_study("night", rights_basis="made", root=tmp_path)


@pytest.fixture
def gone() -> Traces:
    return traces("bus", [URL, ""], [TITLE, ""])


def job(study: Study, name: str, out: Any, log: str = "") -> Path:
    folder = study.jobs / name
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"argv": ["ingest", URL], "title": f"Ingest {TITLE}"}))
    (folder / "out.json").write_text(json.dumps(out))
    (folder / "history.jsonl").write_text(json.dumps({"item": "bus"}) + "\n" + json.dumps({"item": TITLE}) + "\n{to")
    (folder / "log.txt").write_text(log)
    (folder / "lock").touch()
    return folder


def test_a_pasted_table_loses_the_rows_of_the_recording_alone(study: Study, gone: Traces) -> None:
    head = "uri,rights_basis,notes\n"
    rest = 'https://example.org/other,mine,"two\nlines, 夜"\n'
    both = asked_table(f"{head}{URL},mine,good\n{rest}https://example.org/again,mine,{TITLE!r} once more\n", study)
    alone = asked_table(f"{head}{URL},mine,\n", study)
    other = asked_table(f"{head}{rest}", study)
    before = Path(other.inputs[0]).read_bytes()
    assert gone.wipe(study) == (2, ())
    assert Path(both.inputs[0]).read_text() == head + rest
    assert not Path(alone.inputs[0]).parent.exists() and Path(other.inputs[0]).read_bytes() == before
    assert gone.wipe(study) == (0, ())


def test_a_table_that_does_not_parse_goes_where_it_names_the_recording(study: Study, gone: Traces) -> None:
    for name, text in (("a", f'uri\n"{TITLE}\n'), ("b", 'uri\n"other\n'), ("c", "")):
        (study.cache / "asked" / name).mkdir(parents=True)
        (study.cache / "asked" / name / "sources.csv").write_text(text)
    gone.wipe(study)
    assert sorted(folder.name for folder in (study.cache / "asked").iterdir()) == ["b", "c"]


def test_jobs_say_no_title_and_keep_what_they_say_of_others(study: Study, gone: Traces) -> None:
    other = {"source_id": "two", "input": "two.wav", "status": "ingested", "reason": "", "clips": 3}
    row = {
        "source_id": "bus",
        "input": URL,
        "status": "failed",
        "reason": f"{URL}: ERROR: {TITLE}: private",
        "clips": 0,
    }
    unnamed = {**row, "source_id": ""}
    folder = job(study, "one", {"ok": True, "sources": [row, other, unnamed]}, f"WARNING {TITLE} is private\nend\n")
    innocent = job(study, "two", {"sources": [other]}, "nothing\n")
    kept = {file.name: file.read_bytes() for file in innocent.iterdir() if file.name in ("out.json", "log.txt")}
    gone.wipe(study)
    text = "".join(file.read_text() for file in folder.iterdir())
    assert "Night" not in text and "夜" not in text
    rows = json.loads((folder / "out.json").read_text())["sources"]
    told = {"status": "failed", "reason": WITHDRAWN, "input": "bus", "clips": 0}
    assert rows == [{"source_id": "bus", **told}, other, {"source_id": "", **told}]
    assert (folder / "log.txt").read_text() == f"WARNING {WITHDRAWN} is private\nend\n"
    assert (folder / "history.jsonl").read_text() == f'{{"item": "bus"}}\n{{"item": "{WITHDRAWN}"}}\n{{to'
    assert json.loads((folder / "job.json").read_text())["argv"] == ["ingest", URL], (
        "the address is in the tombstone too"
    )
    assert {name: (innocent / name).read_bytes() for name in kept} == kept


def test_a_job_that_runs_is_left_alone_and_named(study: Study, gone: Traces) -> None:
    folder = job(study, "one", {}, TITLE)
    before = (folder / "log.txt").read_bytes()
    with (folder / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert gone.wipe(study) == (0, ("one",))
    assert (folder / "log.txt").read_bytes() == before
    assert gone.wipe(study)[1] == () and TITLE not in (folder / "log.txt").read_text()


def test_what_is_told_of_runs_is_cleared_too(study: Study, gone: Traces) -> None:
    (study.private / "logs").mkdir()
    log = study.private / "logs" / "runs.jsonl"
    lines = [{"error": f"{TITLE}: broke"}, {"error": "", "failed": {"bus": "gone"}}]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    gone.wipe(study)
    assert [json.loads(line) for line in log.read_text().splitlines()] == [{"error": f"{WITHDRAWN}: broke"}, lines[1]]


def test_a_short_title_is_put_out_where_it_stands_alone(study: Study) -> None:
    folder = job(study, "one", {"title": "It", "told": "It is done: Item"}, "It is done\n")
    traces("it", [], ["It"]).wipe(study)
    assert json.loads((folder / "out.json").read_text()) == {"title": WITHDRAWN, "told": "It is done: Item"}
    assert (folder / "log.txt").read_text() == "It is done\n"


@given(title=st.text(min_size=4, max_size=30).map(str.strip).filter(lambda title: len(title) >= 4))
def test_no_title_outlives_it_and_the_rest_of_a_document_stays(title: str) -> None:
    document = {"a": [title, {"b": f" {title} ", "c": 3}], "d": " ".join(title.split()), "rest": None}
    clean = {"a": [WITHDRAWN, {"b": f" {WITHDRAWN} ", "c": 3}], "d": WITHDRAWN, "rest": None}
    assert traces("bus", [], [title])._cleaned(document) == clean
