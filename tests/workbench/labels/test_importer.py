"""Tables of answers in and out: what is wrong is named, twice is once, and what comes out goes in again the same."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError, TableError
from pipelines.study import create_study
from tests.workbench.silent_study import study_with_clips
from workbench.errors import StoreError
from workbench.labels import annotation_table
from workbench.labels.importer import import_labels
from workbench.store import Event, Store, open_store


@pytest.fixture
def study(tmp_path):
    return study_with_clips(tmp_path, 6)


@pytest.fixture
def store(study):
    with open_store(study) as opened:
        yield opened


def clip(study, number=0):
    from workbench.labels.queue import items

    return items(study).clip_ids[number]


def table(study, text, name="answers.csv"):
    path = study.root / name
    for number in range(6):
        text = text.replace(f"<{number}>", clip(study, number))
    path.write_text(text, encoding="utf-8")
    return path


def standing(store):
    return [(one.clip_id, one.rater, one.label, one.flags) for one in store.standing()]


def test_the_least_a_table_may_hold(study, store):
    done = import_labels(study, store, table(study, "item,rater,label\n<0>,ann,sad\n<1>,ben,happy\n"))
    assert (done.rows, done.added, done.already_there, done.older, done.raters) == (2, 2, 0, 0, ("ann", "ben"))
    assert standing(store) == [(clip(study, 0), "ann", "sad", ()), (clip(study, 1), "ben", "happy", ())]
    assert {rater.kind for rater in store.raters()} == {"person"}


def test_everything_a_table_may_hold(study, store):
    text = (
        "\ufeffrater,clip_id,label,pass,scheme,time,flags,confidence,note,mood\r\n"
        'ann,<0>,sad,context,five,2026-05-04T12:15:00+02:00,music;several_voices,0.75,"so, ""so""",x\r\n'
        "ann,<1>,,,,,cannot_tell,,,x\r\n"
    )
    import_labels(study, store, table(study, text))
    first, second = store.standing()
    assert (first.pass_, first.flags, first.confidence, first.note) == (
        "context",
        ("music", "several_voices"),
        0.75,
        'so, "so"',
    )
    assert first.time == datetime(2026, 5, 4, 10, 15, tzinfo=UTC)
    assert (second.label, second.flags, second.pass_) == (None, ("cannot_tell",), "audio")


def test_twice_is_once(study, store):
    path = table(study, "item,rater,label\n<0>,ann,sad\n<0>,ann,happy\n<0>,ann,sad\n<1>,ben,happy\n")
    assert import_labels(study, store, path).added == 4
    before = store.events()
    again = import_labels(study, store, path)
    assert (again.added, again.already_there) == (0, 4)
    assert store.events() == before
    assert standing(store)[0][2] == "sad"


def test_the_last_answer_stands_by_time_where_there_is_one(study, store):
    text = "item,rater,label,time\n<0>,ann,sad,2026-05-04T12:00:00Z\n<0>,ann,happy,2026-05-04T11:00:00Z\n"
    import_labels(study, store, table(study, text))
    assert standing(store)[0][2] == "sad"


def test_an_older_table_does_not_undo_newer_answers(study, store):
    store.add_rater("ann")
    store.record([Event("a", "ann", clip_id=clip(study), label="happy")])
    done = import_labels(study, store, table(study, "item,rater,label,time\n<0>,ann,sad,2020-01-01T00:00:00Z\n"))
    assert (done.added, done.older) == (0, 1)
    assert standing(store)[0][2] == "happy"


def test_an_answer_that_was_undone_stays_undone(study, store):
    path = table(study, "item,rater,label\n<0>,ann,sad\n")
    import_labels(study, store, path)
    out = study.root / "out.csv"
    out.write_text(annotation_table.to_csv(store.standing()), encoding="utf-8")
    store.record([Event("u", "ann", "undo", clip_id=clip(study))])
    assert import_labels(study, store, path).already_there == 1
    assert import_labels(study, store, out).older == 1
    assert standing(store) == []


def test_raters_are_of_the_kind_that_is_said(study, store):
    import_labels(study, store, table(study, "item,rater,kind,label\n<0>,whisper,machine,sad\n<0>,ann,,sad\n"))
    assert {rater.rater: rater.kind for rater in store.raters()} == {"whisper": "machine", "ann": "person"}
    with pytest.raises(StoreError, match="'whisper' is a machine here, not a person as in the table"):
        import_labels(study, store, table(study, "item,rater,kind,label\n<0>,whisper,person,sad\n"))
    with pytest.raises(TableError, match="row 2, column 'kind': expected 'person' as in the rows before"):
        import_labels(study, store, table(study, "item,rater,kind,label\n<0>,eve,person,sad\n<1>,eve,machine,sad\n"))
    import_labels(study, store, table(study, "item,rater,label\n<1>,key,sad\n"), kind="reference")
    assert store.rater("key").kind == "reference"
    with pytest.raises(StoreError, match="'ann' is a person here, not a machine"):
        import_labels(study, store, table(study, "item,rater,label\n<1>,ann,sad\n<1>,bot,sad\n"), kind="machine")
    assert store.rater("bot") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "item,rater,label\n<0>,ann,sad\n<1>,ann,hapy\n",
            "row 2, column 'label': unknown label 'hapy'; did you mean 'happy'?",
        ),
        ("item,rater,label\n<0>,ann,Sad\n", "unknown label 'Sad'; did you mean 'sad'?"),
        ("item,rater,label\n<0>,ann,zzz\n", "unknown label 'zzz'; expected one of happy, sad"),
        ("item,rater,label\n<0>,,sad\n", "row 1, column 'rater': expected a name"),
        ("clip_id,rater,label\n,ann,sad\n", "row 1, column 'clip_id': expected a name"),
        ("item,rater,label\n<0>x,ann,sad\n", "there is no clip 'ep1-000000000x'; did you mean 'ep1-000000000'?"),
        ("item,rater,label\nqqq,ann,sad\n", "there is no clip 'qqq' among the clips of this study"),
        ("item,rater,label\n<0>,ann,\n", "expected a label, or a flag that says why"),
        ("item,rater,label,flags\n<0>,ann,,musik\n", "column 'flags': unknown flag 'musik'; did you mean 'music'?"),
        ("item,rater,label,pass\n<0>,ann,sad,vidio\n", "column 'pass': expected audio or context, found 'vidio'"),
        ("item,rater,label,scheme\n<0>,ann,sad,six\n", "column 'scheme': there is no scheme 'six' here"),
        ("item,rater,label,kind\n<0>,ann,sad,robot\n", "column 'kind': expected person, machine or reference"),
        ("item,rater,label,heard_ms\n<0>,ann,sad,long\n", "column 'heard_ms': expected whole milliseconds"),
        ("item,rater,label,time\n<0>,ann,sad,noon\n", "column 'time': expected a time such as"),
        ("item,rater,label,confidence\n<0>,ann,sad,very\n", "column 'confidence': expected a number, found 'very'"),
        ("item,rater,label,confidence\n<0>,ann,sad,nan\n", "column 'confidence': expected a number, found 'nan'"),
        ("item,rater\n<0>,ann\n", "expected a column 'label'"),
        ("name,rater,label\n<0>,ann,sad\n", "expected a column 'clip_id'"),
        ("item,rater,label\n<0>,ann\n", "row 1: expected 3 cells, found 2"),
        ("", "is empty; expected a header"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_and_nothing_is_stored(study, store, text, words):
    with pytest.raises(TableError) as error:
        import_labels(study, store, table(study, text))
    assert str(error.value).startswith("answers.csv") and words in str(error.value)
    assert store.events() == [] and store.raters() == []


def test_without_clips_or_file(tmp_path, study, store):
    empty = create_study("empty", root=tmp_path)
    with open_store(empty) as other, pytest.raises(DataError, match="has no clips yet"):
        import_labels(empty, other, table(study, "item,rater,label\n"))
    with pytest.raises(TableError, match="there is no such file"):
        import_labels(study, store, tmp_path / "none.csv")


answers = st.lists(
    st.builds(
        Event,
        client_id=st.uuids().map(str),
        rater=st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=8),
        clip_id=st.integers(0, 5).map(str),
        label=st.sampled_from([None, "happy", "sad", "angry", "fearful", "neutral"]),
        flags=st.lists(
            st.sampled_from(["cannot_tell", "bad_clip", "several_voices", "music"]), max_size=2, unique=True
        ).map(tuple),
        pass_=st.sampled_from(["audio", "context"]),
        confidence=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        note=st.text(max_size=20),
        heard_ms=st.none() | st.integers(0, 60_000),
        time=st.none()
        | st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(lambda time: time.replace(tzinfo=UTC)),
    ),
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(events=answers, kinds=st.lists(st.sampled_from(["person", "machine", "reference"]), min_size=12, max_size=12))
def test_what_comes_out_goes_in_again_the_same(tmp_path_factory, events, kinds):
    folder = tmp_path_factory.mktemp("trip")
    here, there = (study_with_clips(folder / name, 6) for name in ("here", "there"))
    path = folder / "out.csv"
    with open_store(here) as store, open_store(there) as other:
        for event, kind in zip(events, kinds, strict=False):
            known = store.rater(event.rater) or store.add_rater(event.rater, kind=kind)
            store.record([replace(event, rater=known.rater, clip_id=clip(here, int(event.clip_id)))])
        path.write_text(annotation_table.to_csv(store.standing()), encoding="utf-8", newline="")
        import_labels(there, other, path)
        assert annotation_table.to_csv(other.standing()) == path.read_bytes().decode()

        def content(of):
            return {(a.clip_id, a.rater, a.pass_): replace(a, seq=0) for a in of.standing()}

        assert content(other) == content(store)
        again = import_labels(here, store, path)
        assert (again.added, again.older, again.already_there) == (0, 0, len(store.standing()))


def test_a_time_is_kept_to_the_millisecond(study, store):
    store.add_rater("ann")
    at = datetime(2026, 5, 4, 10, 15, 0, 123999, tzinfo=UTC)
    store.record([Event("a", "ann", clip_id=clip(study), label="sad", time=at)])
    assert at - store.standing()[0].time < timedelta(milliseconds=1)


def test_answers_under_another_scheme_of_the_study_come_back_under_it(study, store):
    own = (Path(str(files("pipelines.schemes"))) / "five.toml").read_text(encoding="utf-8")
    (study.manifests / "older.toml").write_text(own.replace('name = "five"', 'name = "older"'), encoding="utf-8")
    text = "item,rater,label,scheme\n<0>,ann,sad,older\n<0>,ann,happy,five\n"
    assert import_labels(study, store, table(study, text)).added == 2
    assert {(one.scheme, one.label) for one in store.standing()} == {("older", "sad"), ("five", "happy")}
    out = study.root / "out.csv"
    out.write_text(annotation_table.to_csv(store.standing()), encoding="utf-8")
    assert import_labels(study, store, out).already_there == 2


def test_a_new_note_is_an_answer_and_a_table_without_notes_says_nothing_of_them(study, store):
    import_labels(study, store, table(study, "item,rater,label,note\n<0>,ann,sad,sobs\n"))
    assert import_labels(study, store, table(study, "item,rater,label\n<0>,ann,sad\n")).already_there == 1
    assert import_labels(study, store, table(study, "item,rater,label,note\n<0>,ann,sad,cries\n")).added == 1
    assert store.standing()[0].note == "cries"


def test_an_import_is_whole_or_nothing(study, store, monkeypatch):
    settle, seen = Store._settle, []

    def refuse_the_second(self, connection, event):
        seen.append(event)
        return (event, "the disk says no") if len(seen) == 2 else settle(self, connection, event)

    monkeypatch.setattr(Store, "_settle", refuse_the_second)
    path = table(study, "item,rater,label\n<0>,ann,sad\n<1>,ben,happy\n")
    with pytest.raises(TableError, match="row 2: this answer was refused, and nothing was added: the disk says no"):
        import_labels(study, store, path)
    assert store.events() == [] and store.raters() == []
    assert import_labels(study, store, path).added == 2
