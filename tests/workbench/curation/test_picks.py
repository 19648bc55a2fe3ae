"""Picks by hand: what stands, what is refused, and the tables that follow from it."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import DataError
from pipelines.ingest.preview.decoded_audio import DecodeTask, decode_to_cache, decoded_audio_folder
from pipelines.ingest.selection.manual_picks import (
    Pick,
    Speaker,
    picks_file,
    picks_to_csv,
    read_picks,
    read_speakers,
    speakers_file,
)
from pipelines.manifest import table_to_csv
from pipelines.media import audio
from pipelines.study import Study
from pipelines.takedowns import Takedown, write_takedowns
from tests.small_study import study_with_sound
from tests.synthetic_audio import voice
from workbench.curation.current_picks import Curated, Fold
from workbench.curation.picks import Desk, Done, follow
from workbench.labels import queue
from workbench.store import Event, Store, open_store
from workbench.store.curation import CurationEvent

HZ = 16000
LENGTH = 3 * HZ
#: Between the clips of `study_with_sound`, which stand at 0, 4, 8, 12 and 16 s.
FREE = 20 * HZ


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two sources of 40 s; 5 clips in the first 20 s of each, and room after them."""
    study = study_with_sound(tmp_path_factory.mktemp("picks"), episodes=2)
    columns = ("source_id", "uri", "sample_rate_hz", "decoded_samples", "sha256")
    rows = [dict(zip(columns, (name, f"{name}.wav", HZ, 40 * HZ, "ab" * 32), strict=True)) for name in ("ep1", "ep2")]
    study.sources_csv.write_text(table_to_csv(columns, [*rows, {"source_id": "ep3", "uri": "ep3.wav"}]))
    with open_store(study) as store:
        for name in ("cura", "ben"):
            store.add_rater(name)
    return study


@pytest.fixture
def own_file(template: Study, tmp_path: Path) -> Study:
    """A study that keeps its labels in its own file, on every machine."""
    shutil.copytree(template.root, tmp_path / "root")
    return Study(tmp_path / "root", template.name)


@pytest.fixture
def study(own_file: Study, _each_store: None) -> Study:
    return own_file


@pytest.fixture
def store(study: Study) -> Iterator[Store]:
    with open_store(study) as opened:
        for name in ("cura", "ben"):
            opened.ensure_rater(name)
        yield opened


@pytest.fixture
def desk(study: Study, store: Store) -> Desk:
    return Desk(study, store)


def pick(number: int, start: int = FREE, source: str = "ep1", **more: object) -> CurationEvent:
    return replace(CurationEvent(f"event-{number}", "cura", "pick", source, start_sample=start), **more)


def undo(number: int, of: int) -> CurationEvent:
    return CurationEvent(f"event-{number}", "cura", "undo", undoes=f"event-{of}")


def reason(done: Done) -> str:
    (refused,) = done.refused
    return refused.reason


def test_a_pick_stands_and_reaches_the_tables(desk: Desk, study: Study) -> None:
    done = desk.record([pick(1, label="sad", speaker=" Ann  Lee ", gender="female"), pick(2, FREE + LENGTH)])
    assert (done.acked, done.refused) == (("event-1", "event-2"), ())
    assert desk.write_tables()
    assert read_picks(study) == {"ep1": (Pick(FREE, LENGTH), Pick(FREE + LENGTH, LENGTH))}
    assert read_speakers(study) == {"ep1-000020000": Speaker("Ann Lee", "female")}
    stands = desk.stands()
    assert stands.nominations == {"ep1-000020000": "sad"}
    before = picks_file(study).stat().st_mtime_ns
    assert not desk.write_tables()
    assert picks_file(study).stat().st_mtime_ns == before


def test_sent_twice_is_stored_once_and_ids_are_their_owners(desk: Desk) -> None:
    assert desk.record([pick(1)]).new
    again = desk.record([pick(1), pick(1)])
    assert (again.acked, again.new) == (("event-1",), ())
    assert reason(desk.record([pick(1, rater="ben")])) == "another person's pick has this id"


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (pick(9, FREE + LENGTH - 1), "overlaps the clip picked at 20.000 s"),
        (pick(9, FREE - LENGTH + 1), "overlaps the clip picked at 20.000 s"),
        (pick(9), "overlaps the clip picked at 20.000 s"),
        (pick(9, 40 * HZ - LENGTH + 1), "the recording ends at 40.000 s: a clip from there would not fit"),
        (pick(9, 30 * HZ, n_samples=HZ), "a clip of this study lasts 3 s: expected 48000 samples"),
        (pick(9, -1), "it does not say where"),
        (pick(9, 30 * HZ, label="bored"), "unknown emotion 'bored'; known: happy, sad, angry, fearful, neutral"),
        (pick(9, 30 * HZ, gender="woman"), "expected female, male, other or nothing, found 'woman'"),
        (pick(9, 30 * HZ, source="ep3"), "'ep3' has not been ingested yet: run 'workbench ingest' first"),
        (pick(9, 30 * HZ, source="ep9"), "there is no source 'ep9' in this study"),
        (pick(9, 30 * HZ, kind="shout"), "'shout' is nothing that can be done"),
        (pick(9, 30 * HZ, client_id=""), "it needs an id of 1 to 200 printable characters"),
        (pick(9, 30 * HZ, kind="nominate", label="sad"), "there is no clip at 30.000 s"),
        (pick(9, 30 * HZ, kind="unpick"), "there is no pick at this place"),
        (undo(9, 7), "what is to be taken back is not here"),
    ],
)
def test_what_does_not_fit_is_refused_alone_and_in_a_sentence(desk: Desk, event: CurationEvent, said: str) -> None:
    done = desk.record([pick(1), event, pick(2, FREE + LENGTH)])
    assert done.acked == ("event-1", "event-2")
    assert reason(done).startswith(said)


def test_a_pick_replaces_a_clip_that_nobody_labelled_and_never_one_that_somebody_did(desk: Desk, store: Store) -> None:
    store.ensure_rater("machine", kind="machine")
    guess = Event("a-machine", "machine", clip_id="ep1-000004000", label="sad")
    store.record([Event("an-answer", "ben", clip_id="ep1-000008000", label="sad"), guess])
    done = desk.record([pick(1, 5 * HZ), pick(2, 9 * HZ), pick(3, 9 * HZ, source="ep2")])
    assert done.acked == ("event-1", "event-3")
    assert reason(done).startswith("somebody has labelled the clip at 8.000 s already, and it stays as it is: nominate")


def test_a_clip_that_somebody_is_hearing_stays(desk: Desk, study: Study, store: Store) -> None:
    given = queue.lease(store, queue.items(study), "ben", 1)[0]
    source, _, ms = given.clip_id.rpartition("-")
    done = desk.record([pick(1, int(ms) * HZ // 1000 + 5, source=source)])
    assert reason(done).startswith("somebody is labelling the clip at ")
    assert desk.taken(source) == {given.clip_id: "heard"}


def test_a_label_of_a_clip_that_left_the_table_keeps_its_place(desk: Desk, store: Store) -> None:
    """Thresholds moved, say: the clip is no longer listed, but what people said of it is about that stretch."""
    store.record([Event("an-answer", "ben", clip_id="ep1-000030000", label="sad")])
    assert reason(desk.record([pick(1, 31 * HZ)])).startswith("somebody has labelled the clip at 30.001 s")
    assert desk.record([pick(2, 33 * HZ)]).acked


def test_undo_takes_the_pick_its_nomination_and_its_speaker_back(desk: Desk, study: Study) -> None:
    desk.record([pick(1, label="sad", speaker="Ann")])
    desk.write_tables()
    done = desk.record([undo(2, 1)])
    assert [event.client_id for event in done.undone] == ["event-1"]
    desk.write_tables()
    stands = desk.stands()
    assert not (stands.picks or stands.nominations or stands.speakers or read_picks(study) or read_speakers(study))
    assert desk.record([pick(3, FREE + 7)]).acked
    assert reason(desk.record([undo(4, 2)])) == "what was taken back comes back by doing it again"


@pytest.mark.parametrize("kind", ["pick", "nominate", "speaker", "skip", "mined"])
def test_an_undo_takes_back_ones_own_alone(desk: Desk, kind: Any) -> None:
    """Two people work on one source: nobody's undo, whatever it names, touches what the other one did."""
    desk.record(
        [pick(1, rater="ben"), pick(2, kind=kind, start=FREE + (kind in ("pick", "skip")) * LENGTH, rater="ben")]
    )
    before = desk.stands()
    assert reason(desk.record([undo(3, 2)])).startswith("somebody else did that")
    assert desk.stands() == before
    assert desk.record([replace(undo(4, 2), rater="ben")]).acked


def test_what_two_people_picked_one_after_the_other_stays_with_the_second(
    desk: Desk, study: Study, tmp_path: Path
) -> None:
    path = tmp_path / "ep1.m4a"
    audio.encode(path, voice(40, HZ), HZ, "aac")
    decode_to_cache(DecodeTask("ep1", path, "ab" * 32, decoded_audio_folder(study, "ep1", "ab" * 32)), lambda *_: None)
    follow(study, desk.record([pick(1), pick(2, kind="unpick", rater="ben"), pick(3, rater="ben")]))
    done = desk.record([undo(4, 1)])
    follow(study, done)
    assert done.acked == ("event-4",) and done.undone == ()
    assert desk.stands().picks_of("ep1") == (Pick(FREE, LENGTH),)
    assert study.clip_path("ep1-000020000").is_file()


def test_a_pick_that_somebody_labelled_is_not_taken_back(desk: Desk, store: Store) -> None:
    desk.record([pick(1)])
    store.record([Event("an-answer", "ben", clip_id="ep1-000020000", label="sad")])
    for event in (undo(2, 1), pick(3, kind="unpick")):
        assert reason(desk.record([event])) == "somebody has labelled this clip already: it stays"


def test_nominations_and_speakers_of_any_clip_the_last_word_counts(desk: Desk) -> None:
    said = [
        pick(1, 0, kind="nominate", label="sad"),
        pick(2, 0, kind="nominate", label="angry"),
        pick(3, 4 * HZ, kind="nominate", label="happy"),
        pick(4, 4 * HZ, kind="nominate"),
        pick(5, 0, kind="speaker", speaker="Ann", gender="female"),
        pick(6, 4 * HZ, kind="speaker", speaker="Bob"),
        pick(7, 8 * HZ, kind="speaker", speaker="Ann", gender="female"),
        pick(8, 8 * HZ, kind="speaker"),
    ]
    assert not desk.record(said).refused
    stands = desk.stands()
    assert stands.nominations == {"ep1-000000000": "angry"}
    assert stands.speakers == {"ep1-000000000": Speaker("Ann", "female"), "ep1-000004000": Speaker("Bob")}
    assert stands.speakers_lately == (Speaker("Ann", "female"), Speaker("Bob"))
    desk.record([undo(9, 2)])
    assert desk.stands().nominations == {"ep1-000000000": "sad"}


def test_what_was_listened_to_and_skipped_survives(desk: Desk, study: Study) -> None:
    desk.record([pick(1, 5, kind="skip"), pick(2, 900, kind="mined"), pick(3, 100, kind="mined"), undo(4, 1)])
    with open_store(study) as again:
        stands = Desk(study, again).stands()
    assert (stands.skipped, stands.mined_to) == ({}, {"ep1": 900})


def test_rows_from_another_machine_stay_until_somebody_takes_them_back(desk: Desk, study: Study) -> None:
    picks_file(study).write_text(picks_to_csv({"ep2": [Pick(FREE, LENGTH), Pick(30 * HZ, LENGTH)]}))
    speakers_file(study).write_text("clip_id,speaker,gender\nep2-000020000,Zoe,\n")
    assert reason(desk.record([pick(1, FREE + 5, source="ep2")])) == "overlaps the clip picked at 20.000 s"
    desk.record([pick(2), pick(3, 30 * HZ, source="ep2", kind="unpick")])
    desk.write_tables()
    assert read_picks(study) == {"ep1": (Pick(FREE, LENGTH),), "ep2": (Pick(FREE, LENGTH),)}
    assert read_speakers(study) == {"ep2-000020000": Speaker("Zoe")}


def test_a_table_from_elsewhere_that_overlaps_is_said_and_not_overwritten(desk: Desk, study: Study) -> None:
    desk.record([pick(1)])
    picks_file(study).write_text(text := picks_to_csv({"ep1": [Pick(FREE + 9, LENGTH)]}))
    with pytest.raises(DataError, match="overlapping clips of 'ep1', at samples 320000 and 320009: take one of them"):
        desk.write_tables()
    assert picks_file(study).read_text() == text


def test_what_was_withdrawn_leaves_the_tables_and_is_not_picked_from(desk: Desk, study: Study) -> None:
    desk.record([pick(1, speaker="Ann"), pick(2, source="ep2")])
    write_takedowns(study, [Takedown("2026-01-01T00:00:00Z", "ep1", (), "")])
    desk.write_tables()
    assert list(read_picks(study)) == ["ep2"]
    assert not read_speakers(study)
    assert reason(desk.record([pick(3, 30 * HZ)])) == "'ep1' was taken down"


def test_a_crash_before_the_tables_is_made_good_by_whoever_comes_next(desk: Desk, study: Study) -> None:
    desk.record([pick(1)])
    assert not picks_file(study).exists()
    with open_store(study) as again:
        assert Desk(study, again).write_tables()
    assert read_picks(study) == {"ep1": (Pick(FREE, LENGTH),)}


def test_what_a_killed_server_left_of_a_table_is_swept(desk: Desk, study: Study) -> None:
    left = study.manifests / ".picks.csv.17c532b3d4e8.csv"
    left.write_text("source_id,start")
    desk.record([pick(1)])
    desk.write_tables()
    assert not left.exists() and len(read_picks(study)["ep1"]) == 1


def test_two_processes_write_what_both_picked(desk: Desk, study: Study) -> None:
    """Each holds the history it has read; the tables are of all there is."""
    with open_store(study) as again:
        other = Desk(study, again)
        other.record([pick(1)])
        desk.record([pick(2, FREE + LENGTH)])
        assert reason(other.record([pick(3, FREE + LENGTH)])).startswith("overlaps the clip picked")
        other.write_tables()
        assert len(read_picks(study)["ep1"]) == 2
        assert not desk.write_tables()


def test_the_clip_is_cut_from_the_exact_sound_and_goes_with_the_pick(
    desk: Desk, study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ep1.m4a"
    audio.encode(path, voice(40, HZ), HZ, "aac")
    done = desk.record([pick(1, FREE + 123)])
    follow(study, done)
    file = study.clip_path("ep1-000020008")
    assert not file.exists()  # its sound is not made: ingest cuts it
    decode_to_cache(DecodeTask("ep1", path, "ab" * 32, decoded_audio_folder(study, "ep1", "ab" * 32)), lambda *_: None)
    real, tries = audio.write_pcm16, []

    def swept_once(file: Path, *sound: object) -> None:
        tries.append(file)
        if len(tries) == 1:
            raise FileNotFoundError(file)  # an ingest begins just now
        real(file, *sound)  # type: ignore[arg-type]

    monkeypatch.setattr("workbench.curation.picks.write_pcm16", swept_once)
    follow(study, done)
    assert len(tries) == 2
    whole = audio.to_pcm16(audio.read_mono(path)[0])
    assert (audio.to_pcm16(audio.read_mono(file)[0]) == whole[FREE + 123 : FREE + 123 + LENGTH]).all()
    follow(study, desk.record([undo(2, 1)]))
    assert not file.exists()
    both = desk.record([pick(3, FREE + 123), pick(4, FREE + 123, kind="unpick")])
    assert len(both.new) == 2
    follow(study, both)
    assert not file.exists()  # it would pass for a clip of the model that has its id
    follow(study, desk.record([pick(5, FREE + 123), pick(6, FREE + 123, kind="unpick"), pick(7, FREE + 123)]))
    assert file.exists()


def test_a_store_of_the_first_version_is_brought_up_to_date(study: Study, store: Store) -> None:
    with store.writing() as connection:
        connection.exec_driver_sql("DROP TABLE curation_events")
        if connection.dialect.name != "sqlite":
            connection.exec_driver_sql("DROP FUNCTION curation_events_only_grow")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
    with open_store(study) as store:
        assert Desk(study, store).record([pick(1)]).acked


starts = st.integers(0, 40).map(lambda tenths: FREE + tenths * HZ // 2)
actions = st.one_of(
    st.tuples(st.just("pick"), starts),
    st.tuples(st.just("unpick"), starts),
    st.tuples(st.just("undo"), st.integers(0, 30)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(actions, max_size=20), st.integers(1, 20))
def test_whatever_is_done_picks_stay_apart_and_batches_do_not_matter(
    template: Study, tmp_path_factory: pytest.TempPathFactory, does: list[tuple[str, int]], size: int
) -> None:
    """Sent one by one, in batches, or again from the start: the same stands, and no two picks ever overlap."""
    events = [
        undo(number, value) if kind == "undo" else pick(number, value, kind=kind)
        for number, (kind, value) in enumerate(does)
    ]
    found = []
    for step in (1, size):
        root = tmp_path_factory.mktemp("root")
        shutil.copytree(template.root, root, dirs_exist_ok=True)
        with open_store(study := Study(root, template.name)) as store:
            desk = Desk(study, store)
            for begin in range(0, len(events), step):
                desk.record(events[begin : begin + step])
            once = desk.stands().picks
            desk.record(events)
            desk.write_tables()
            stands = Desk(study, store).stands()
        picked = stands.picks_of("ep1")
        assert all(a.end_sample <= b.start_sample for a, b in pairwise(picked))
        assert read_picks(study).get("ep1", ()) == picked
        found.append(once)
    assert found[0] == found[1]


@given(st.lists(actions, max_size=20), st.integers(0, 20))
def test_the_fold_does_not_depend_on_the_pieces(does: list[tuple[str, int]], cut: int) -> None:
    events = [
        replace(undo(number, value) if kind == "undo" else pick(number, value, kind=kind, n_samples=5), seq=number + 1)
        for number, (kind, value) in enumerate(does)
    ]
    first = Fold(events[:cut])
    before = first.stands()
    both = first.and_then(events[cut:])
    assert both.stands() == Fold(events).stands()
    assert first.stands() == before


def test_the_fold_of_no_events_is_empty() -> None:
    assert Fold().stands() == Fold([undo(1, 5)]).stands() == Curated()
