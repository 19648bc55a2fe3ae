"""The queue: each clip to k people, to none of them twice, whoever asks at the same time."""

import os
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.workbench.silent_study import study_with_clips
from workbench.errors import StoreError
from workbench.labels import queue
from workbench.labels.queue import Items, lease, outlook
from workbench.store import Event, open_store

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
CLIPS = tuple(f"ep1-{number:09d}" for number in range(10))
REPOSITORY = Path(__file__).parents[3]


@pytest.fixture
def store(tmp_path, _each_store):
    with open_store(study_with_clips(tmp_path)) as opened:
        for rater in ("ann", "ben", "cat", "dan"):
            opened.add_rater(rater)
        yield opened


def answer(store, assignment, label="happy", **more):
    done = store.record([Event(f"a-{assignment.token}", assignment.rater, token=assignment.token, label=label, **more)])
    assert not done.refused


def test_items_of_a_study(tmp_path):
    asked = queue.items(study_with_clips(tmp_path, 12))
    assert (len(asked.clip_ids), asked.scheme, asked.pass_, asked.k) == (12, "five", "audio", 3)


def test_a_rater_hears_every_clip_once(store):
    asked, heard = Items(CLIPS, "five"), []
    while given := lease(store, asked, "ann", 3, now=NOW):
        for assignment in given:
            answer(store, assignment)
            heard.append(assignment.clip_id)
    assert sorted(heard) == sorted(CLIPS)
    assert outlook(store, asked, "ann", now=NOW) == queue.Outlook(10, 0)


def test_order_is_the_raters_own_and_not_the_episodes(store):
    asked = Items(CLIPS, "five", k=4)
    orders = {
        rater: tuple(each.clip_id for each in lease(store, asked, rater, 10, now=NOW)) for rater in ("ann", "ben")
    }
    assert set(orders["ann"]) == set(orders["ben"]) == set(CLIPS)
    assert len({CLIPS, *orders.values()}) == 3


def test_what_is_held_comes_again_until_it_is_answered(store):
    asked = Items(CLIPS, "five")
    first = lease(store, asked, "ann", 3, now=NOW)
    again = lease(store, asked, "ann", 3, now=NOW + timedelta(minutes=5))
    assert {each.token for each in again} == {each.token for each in first}
    assert again[0].lease_until == NOW + timedelta(minutes=35)
    answer(store, first[0])
    third = lease(store, asked, "ann", 3, now=NOW)
    assert first[0].token not in {each.token for each in third}
    assert len({each.clip_id for each in [*first, *third]}) == 4


def test_a_page_skips_what_it_holds(store):
    asked = Items(CLIPS, "five")
    first = lease(store, asked, "ann", 3, now=NOW)
    more = lease(store, asked, "ann", 3, now=NOW, skip=[each.token for each in first])
    assert not {each.clip_id for each in first} & {each.clip_id for each in more}


def test_an_undone_clip_comes_back_to_its_rater(store):
    asked = Items(CLIPS, "five")
    (given,) = lease(store, asked, "ann", 1, now=NOW)
    answer(store, given)
    store.record([Event("u", "ann", "undo", token=given.token)])
    assert [each.token for each in lease(store, asked, "ann", 1, now=NOW)] == [given.token]


def test_no_more_than_k_people_per_clip_and_leases_end(store):
    asked = Items(("c1",), "five", k=2)
    assert [len(lease(store, asked, rater, now=NOW)) for rater in ("ann", "ben", "cat")] == [1, 1, 0]
    later = NOW + timedelta(minutes=31)
    assert len(lease(store, asked, "cat", now=later)) == 1
    assert outlook(store, asked, "dan", now=later).left == 1


def test_a_late_answer_is_kept_all_the_same(store):
    asked = Items(("c1",), "five", k=1)
    (late,) = lease(store, asked, "ann", now=NOW)
    (other,) = lease(store, asked, "ben", now=NOW + timedelta(hours=1))
    answer(store, late)
    answer(store, other)
    assert len(store.standing()) == 2
    assert lease(store, asked, "cat", now=NOW + timedelta(hours=5)) == []


def test_an_ended_lease_is_not_renewed_when_the_clip_is_complete(store):
    asked = Items(("c1",), "five", k=1)
    lease(store, asked, "ann", now=NOW)
    (given,) = lease(store, asked, "ben", now=NOW + timedelta(hours=1))
    answer(store, given)
    assert lease(store, asked, "ann", now=NOW + timedelta(hours=2)) == []


def test_clips_that_others_began_come_first(store):
    asked = Items(CLIPS, "five")
    begun = lease(store, asked, "ann", 4, now=NOW)
    for assignment in begun:
        answer(store, assignment)
    assert {each.clip_id for each in lease(store, asked, "ben", 4, now=NOW)} == {each.clip_id for each in begun}


def test_machines_take_no_place(store):
    asked = Items(("c1",), "five", k=1)
    store.add_rater("sim", kind="machine")
    store.record([Event("m", "sim", clip_id="c1", label="sad")])
    assert len(lease(store, asked, "ann", now=NOW)) == 1
    with pytest.raises(StoreError, match="only people are given clips"):
        lease(store, asked, "sim", now=NOW)
    with pytest.raises(StoreError, match="no rater 'zoe'"):
        lease(store, asked, "zoe", now=NOW)


def test_an_imported_answer_counts_and_is_not_asked_again(store):
    asked = Items(("c1", "c2"), "five", k=1)
    store.record([Event("i", "ann", clip_id="c1", label="sad")])
    assert [each.clip_id for each in lease(store, asked, "ann", now=NOW)] == ["c2"]
    assert lease(store, asked, "ben", now=NOW) == []


def test_passes_are_apart(store):
    audio, context = Items(("c1",), "five", k=1), Items(("c1",), "five", "context", k=1)
    assert lease(store, audio, "ann", now=NOW)[0].token != lease(store, context, "ann", now=NOW)[0].token


def test_tokens_tell_nothing_and_lead_back(store):
    given = lease(store, Items(CLIPS, "five"), "ann", 10, now=NOW)
    assert all(len(each.token) == 22 and each.clip_id not in each.token for each in given)
    assert store.assignment(given[0].token) == given[0]
    assert store.assignment("x") is None


def test_another_raters_token_is_refused(store):
    (given,) = lease(store, Items(CLIPS, "five"), "ann", 1, now=NOW)
    assert store.record([Event("x", "ben", token=given.token, label="sad")]).refused


def check_everything(store, k):
    given = Counter()
    with store.reading() as connection:
        rows = connection.exec_driver_sql("SELECT clip_id, rater FROM assignments").all()
    for clip_id, rater in rows:
        given[clip_id, rater] += 1
    assert set(given.values()) == {1}
    taken = Counter(clip_id for clip_id, _ in rows)
    assert max(taken.values()) <= k
    return taken


def test_two_threads_of_one_rater_and_others_keep_to_k(store):
    asked = Items(tuple(f"c{number}" for number in range(30)), "five", k=2)

    def work(rater):
        for _ in range(12):
            for assignment in lease(store, asked, rater, 2):
                answer(store, assignment)

    threads = [threading.Thread(target=work, args=(rater,)) for rater in ("ann", "ann", "ben", "ben", "cat", "dan")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taken = check_everything(store, k=2)
    assert set(taken.values()) == {2}
    assert len(taken) == 30


#: Pages of two raters in processes of their own, forked when all is imported and before anything is opened.
LEASERS = """
import os, sys
from pathlib import Path
from pipelines.study import Study
from workbench.labels.queue import Items, lease
from workbench.store import open_store

def child(rater):
    number = os.fork()
    if number:
        return number
    store = open_store(Study(Path(sys.argv[1]), "night"))
    asked, held = Items(tuple(f"c{n}" for n in range(40)), "five", k=1), []
    while given := lease(store, asked, rater, 1, skip=held):
        held += [each.token for each in given]
    os.write(1, f"{len(held)}\\n".encode())
    os._exit(0)

sys.exit(any([os.waitpid(number, 0)[1] for number in [child(rater) for rater in ("ann", "ben", "ann", "ben")]]))
"""


@pytest.mark.usefixtures("_each_store")
def test_two_processes_at_once_keep_to_k(tmp_path):
    study = study_with_clips(tmp_path)
    with open_store(study) as store:
        for rater in ("ann", "ben"):
            store.add_rater(rater)
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        command = [sys.executable, "-c", LEASERS, str(tmp_path)]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, check=True).stdout
        held = [int(line) for line in told.splitlines()]
        assert len(held) == 4
        taken = check_everything(store, k=1)
        assert len(taken) == 40
        assert sum(held) >= 40  # two pages of one rater may share a clip; two raters never do here
