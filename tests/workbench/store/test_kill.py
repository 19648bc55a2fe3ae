"""SIGKILL at any moment: every acknowledged label is there afterwards, in order. Many openers at once: one store."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.workbench.silent_study import study_with_clips
from workbench.store import open_store

REPOSITORY = Path(__file__).parents[3]

WRITER = """
import sys
from pathlib import Path
from pipelines.study import Study
from workbench.store import Event, open_store

store = open_store(Study(Path(sys.argv[1]), "night"))
store.ensure_rater("ann")
labels = ("happy", "sad", "angry", "fearful", "neutral")
number = 0
while True:
    done = store.record([Event(f"id-{number}", "ann", clip_id=f"c{number}", label=labels[number % 5])])
    for client_id in done.acked:
        sys.stdout.write(client_id + "\\n")
        sys.stdout.flush()
    number += 1
"""

#: Processes that open it in the same instant: each is forked when all is imported, and nothing is opened before.
OPENERS = """
import os, sys
from pathlib import Path
from pipelines.study import Study
from workbench.store import open_store

def child():
    number = os.fork()
    if number == 0:
        open_store(Study(Path(sys.argv[1]), "night")).ensure_rater("ann")
        os._exit(0)
    return number

print([os.waitpid(number, 0)[1] for number in [child() for _ in range(4)]])
"""


def start(*arguments):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen([sys.executable, "-c", *arguments], stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.usefixtures("_each_store")
@pytest.mark.parametrize("wait_s", [0.0, 0.05, 0.21])
def test_nothing_acknowledged_is_lost(tmp_path, wait_s):
    study = study_with_clips(tmp_path)
    writer = start(WRITER, str(tmp_path))
    acked = [writer.stdout.readline() for _ in range(5)]
    time.sleep(wait_s)
    os.kill(writer.pid, signal.SIGKILL)
    acked = [line.strip() for line in [*acked, *writer.stdout.read().splitlines(keepends=True)] if line.endswith("\n")]
    writer.stdout.close()
    assert writer.wait() == -signal.SIGKILL
    with open_store(study) as store:
        kept = [event.client_id for event in store.events()]
        assert kept[: len(acked)] == acked
        assert len(kept) <= len(acked) + 1  # one may have been stored but not yet said
        assert len(store.standing()) == len(kept)


@pytest.mark.usefixtures("_each_store")
def test_many_processes_open_a_new_store_at_once(tmp_path):
    study = study_with_clips(tmp_path)
    assert start(OPENERS, str(tmp_path)).communicate()[0] == "[0, 0, 0, 0]\n"
    with open_store(study) as store:
        assert len(store.raters()) == 1
