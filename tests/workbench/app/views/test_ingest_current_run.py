"""What the Ingest page says of a run before its first recording is fetched or heard."""

import json
import re
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pipelines.ingest.preflight.progress import CHECK, READ
from pipelines.study import Study
from tests.workbench.app.views.test_ingest_page import bare, job, opened
from workbench.app.views.ingest.current_run import WHOLE
from workbench.jobs import jobs

__all__ = ["bare", "opened"]


def test_a_run_that_reads_large_recordings_through_says_how_long_that_takes(
    opened: Callable[..., AppTest], bare: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "START_S", 3600.0)
    assert {CHECK, READ} <= WHOLE.keys()
    folder = job(bare, "run", "waiting", ["ingest", "a", "--study", "bare", "--json"], started=time.time())
    steps = [(CHECK, 0, 3, 100.0), (READ, 0, 28e9, 90.0), (READ, 7e9, 28e9, 0.0)]
    lines = [
        {"stage": stage, "item": "", "done": done, "total": total, "numbers": {}, "time": time.time() - ago}
        for stage, done, total, ago in steps
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (bar,) = [one.proto for one in opened(bare).get("progress")]
    assert bar.value == 25
    assert re.search(r"Reading new recordings through, about \d+ min( \d+ s)? left", bar.text), bar.text
