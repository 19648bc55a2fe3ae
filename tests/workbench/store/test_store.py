"""The label store: what goes in stays in, in order, once."""

import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.workbench.silent_study import study_with_clips
from workbench.errors import StoreError
from workbench.store import Event, Refused, open_store
from workbench.store import connection as database
from workbench.store.curation import CurationEvent, add_curation, curation_events
from workbench.store.migrations import HEAD
from workbench.store.tables import METADATA


@pytest.fixture
def own_file(tmp_path):
    """A study that keeps its labels in its own file, on every machine."""
    return study_with_clips(tmp_path)


@pytest.fixture
def study(own_file, _each_store):
    return own_file


@pytest.fixture
def store(study):
    with open_store(study) as opened:
        opened.add_rater("ann", "Ann")
        yield opened


def answer(number, clip="c1", label="happy", rater="ann", **more):
    return Event(f"id-{number}", rater, clip_id=clip, label=label, **more)


def test_an_answer_comes_back_as_given(store):
    at = datetime(2026, 5, 4, 10, 15, 0, 123000, tzinfo=UTC)
    given = answer(1, flags=("music", "several_voices"), confidence=0.5, note="喊叫", heard_ms=900, time=at)
    assert store.record([given]).acked == ("id-1",)
    (found,) = store.standing()
    assert (found.clip_id, found.rater, found.rater_kind) == ("c1", "ann", "person")
    assert (found.label, found.flags, found.confidence, found.note) == (
        "happy",
        ("music", "several_voices"),
        0.5,
        "喊叫",
    )
    assert (found.heard_ms, found.time, found.scheme, found.pass_) == (900, at, "five", "audio")


def test_sending_twice_stores_once(store):
    assert store.record([answer(1), answer(1)]).acked == ("id-1",)
    assert store.record([answer(1, label="sad"), answer(2, clip="c2")]).acked == ("id-1", "id-2")
    assert [event.label for event in store.events()] == ["happy", "happy"]


def test_the_last_answer_stands_and_the_first_stays_in_the_history(store):
    store.record([answer(1), answer(2, label="sad")])
    assert [each.label for each in store.standing()] == ["sad"]
    assert [event.label for event in store.events()] == ["happy", "sad"]


def test_undo_is_an_event_after_which_nothing_stands(store):
    store.record([answer(1), Event("id-2", "ann", "undo", clip_id="c1")])
    assert store.standing() == []
    assert [event.kind for event in store.events()] == ["answer", "undo"]
    store.record([answer(3, label="sad")])
    assert [each.label for each in store.standing()] == ["sad"]


def test_one_bad_event_does_not_lose_its_neighbours(store):
    batch = [
        answer(1),
        answer(2, label="hapy"),
        answer(3, label=None),
        answer(4, label=None, flags=("cannot_tell",)),
        answer(5, rater="nobody"),
        answer(6, label=None, flags=("dull",)),
        Event("id-7", "ann", token="not-a-token", label="sad"),
        answer(8, clip=""),
        answer(9, scheme="sixes"),
        answer(10, clip="c9"),
    ]
    done = store.record(batch)
    assert done.acked == ("id-1", "id-4", "id-10")
    reasons = {each.client_id: each.reason for each in done.refused}
    assert list(reasons) == ["id-2", "id-3", "id-5", "id-6", "id-7", "id-8", "id-9"]
    assert reasons["id-2"] == "unknown label 'hapy'; known: happy, sad, angry, fearful, neutral"
    assert "flag that says why" in reasons["id-3"]
    assert "no rater 'nobody'" in reasons["id-5"]
    assert "under this token" in reasons["id-7"]
    assert [each.client_id for each in store.events()] == list(done.acked)


def test_an_id_belongs_to_whoever_used_it_first(store):
    store.add_rater("ben")
    store.record([answer(1)])
    refused = store.record([answer(1, rater="ben")]).refused
    assert refused == (Refused("id-1", "another rater's answer has this id"),)


def test_an_unknown_kind_of_event_is_refused_alone(store):
    done = store.record([Event("a", "ann", "shout", clip_id="c1"), answer(1)])  # type: ignore[arg-type]
    assert (done.acked, done.refused[0].client_id) == (("id-1",), "a")


@pytest.mark.parametrize("table", ["annotation_events", "curation_events"])
def test_the_history_cannot_be_changed_even_by_hand(store, table):
    store.record([answer(1)])
    with store.writing() as connection:
        pick = CurationEvent("pick-1", "ann", "pick", "ep1", start_sample=2**40)
        add_curation(connection, pick, datetime.now(UTC))
        kind = connection.dialect.name
    moved = ", ".join("seq + 9" if name == "seq" else name for name in METADATA.tables[table].c.keys())  # noqa: SIM118
    statements = [f"UPDATE {table} SET label = 'sad'", f"DELETE FROM {table}"]
    statements += {
        "sqlite": [
            f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
            f"REPLACE INTO {table} SELECT {moved} FROM {table}",
        ],
        "postgresql": [f"TRUNCATE {table} CASCADE"],
    }[kind]
    for statement in statements:
        with pytest.raises(sa.exc.DatabaseError, match="never changed or removed"), store.writing() as connection:
            connection.exec_driver_sql(statement)
    assert [event.label for event in store.events()] == ["happy"]
    with store.reading() as connection:
        assert [event.start_sample for event in curation_events(connection)] == [2**40]


def test_commits_reach_the_disk_before_they_are_acknowledged(own_file):
    with open_store(own_file) as store, store.reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30000}


def test_a_server_that_went_away_and_came_back_has_what_was_acknowledged(own_file, postgres, monkeypatch):
    monkeypatch.setenv("WORKBENCH_STORE_URL", postgres.new_database())
    with open_store(own_file) as store:
        store.add_rater("ann")
        acked = [client_id for number in range(20) for client_id in store.record([answer(number)]).acked]
        postgres.crash_and_restart()
        acked += store.record([answer(20)]).acked
        assert [event.client_id for event in store.events()] == acked
        assert len(acked) == 21


def test_a_server_that_does_not_answer_is_one_sentence(own_file, postgres, monkeypatch):
    monkeypatch.setenv("WORKBENCH_STORE_URL", postgres.url("secrets").replace("@/", ":hidden@/"))
    with pytest.raises(StoreError, match=r"cannot be opened: .*see that WORKBENCH_STORE_URL names it") as refused:
        open_store(own_file)
    assert "hidden" not in str(refused.value)


def test_raters(store):
    store.add_rater("sim", "simulated-1", kind="machine")
    assert [(each.rater, each.kind) for each in store.raters()] == [("ann", "person"), ("sim", "machine")]
    assert [each.rater for each in store.raters(kind="machine")] == ["sim"]
    assert store.rater("nobody") is None
    assert store.ensure_rater("ann").name == "Ann"
    with pytest.raises(StoreError, match="already a rater 'ann'"):
        store.add_rater("ann")
    with pytest.raises(StoreError, match="is a person here, not a machine"):
        store.ensure_rater("ann", kind="machine")
    assert store.change_rater("ann", role="curator", language="zh-Hant").role == "curator"
    assert (store.rater("ann").name, store.rater("ann").language) == ("Ann", "zh-Hant")
    for bad in ("", "  ", "a\nb", "x" * 201):
        with pytest.raises(StoreError, match="will not do"):
            store.add_rater(bad)


def test_filters_and_counts(store):
    store.add_rater("sim", kind="machine")
    store.record(
        [
            answer(1),
            answer(2, clip="c2", label=None, flags=("bad_clip",)),
            answer(3, rater="sim"),
            answer(4, pass_="context"),
        ]
    )
    assert len(store.standing(kinds=("person",))) == 3
    assert len(store.standing("five", "audio")) == 3
    assert [each.rater for each in store.standing(rater="sim")] == ["sim"]
    assert [each.seq for each in store.standing(clip_id="c2")] == [2]
    assert [each.seq for each in store.events(clip_id="c1")] == [1, 3, 4]
    counts = store.counts()
    assert (counts.answers, counts.labelled, counts.clips, counts.people, counts.machines, counts.events) == (
        4,
        3,
        2,
        1,
        1,
        4,
    )
    progress = store.progress("ann")
    assert (progress.answered, progress.labelled) == (3, 2)


def test_many_threads_share_one_store(store):
    def write(thread):
        for number in range(10):
            store.record([answer(f"{thread}-{number}", clip=f"c{number}")])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.events()) == 80
    assert len(store.standing()) == 10


def test_head_is_the_newest_step():
    config = Config()
    config.set_main_option("script_location", f"{database.__file__.rsplit('/', 1)[0]}/migrations")
    config.set_main_option("path_separator", "os")
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_a_store_from_the_future_is_left_alone(study):
    with open_store(study) as store, store.writing() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer version"):
        open_store(study)


def test_a_file_that_is_no_database_is_said_so(own_file):
    own_file.labels_db.write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(StoreError, match=r"labels\.db cannot be opened"):
        open_store(own_file)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_named_database_belongs_to_one_study(tmp_path, own_file, request, monkeypatch, kind):
    in_file = f"sqlite:///{tmp_path}/shared.db"
    url = in_file if kind == "sqlite" else request.getfixturevalue("postgres").new_database()
    monkeypatch.setenv("WORKBENCH_STORE_URL", url)
    open_store(own_file).close()
    open_store(own_file).close()
    other = study_with_clips(tmp_path, name="day")
    with pytest.raises(StoreError, match="belongs to study 'night', not 'day'"):
        open_store(other)


@pytest.mark.parametrize(("url", "words"), [("nonsense", "not a database URL"), ("oracle9://x/y", "no driver")])
def test_a_wrong_url_is_one_sentence(own_file, monkeypatch, url, words):
    monkeypatch.setenv("WORKBENCH_STORE_URL", url)
    with pytest.raises(StoreError, match=words):
        open_store(own_file)


def test_private_toml_names_the_database(own_file, tmp_path):
    (own_file.private / "private.toml").write_text(f'store_url = "sqlite:///{tmp_path}/elsewhere.db"\n')
    with open_store(own_file) as store:
        store.add_rater("ann")
    assert (tmp_path / "elsewhere.db").is_file()
    assert not own_file.labels_db.exists()
