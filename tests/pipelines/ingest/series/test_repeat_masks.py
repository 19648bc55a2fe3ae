"""What repeats in a study is a function of which sources are done, searched once, and heard once."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.errors import Cancelled
from pipelines.ingest.analysis.fingerprint import ALGORITHM, fingerprint, to_text
from pipelines.ingest.repeats import Interval
from pipelines.ingest.series import repeat_masks
from pipelines.ingest.series.repeat_masks import (
    SourceCopy,
    StudyRepeats,
    find_study_repeats,
    forget_source,
    read_study_repeats,
    repeats_file,
)
from pipelines.ingest.sources import Source
from pipelines.ingest.state.queue import Item, Queue, open_queue
from pipelines.media.audio import encode
from pipelines.progress import Progress
from pipelines.study import Study, create_study
from tests.synthetic_series import RATE_HZ, Plan, Series, make, talk


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    plan = Plan(episodes=3, body_s=30, opening_s=18, ending_s=18, cuts=1)
    return make(tmp_path_factory.mktemp("series"), plan, talk)


@pytest.fixture(scope="module")
def facts(series: Series) -> dict[str, dict[str, str]]:
    return {
        source: {"fp_algo": ALGORITHM, "fp_b64": to_text(fingerprint(path, source))}
        for source, path in series.files.items()
    }


def sources_of(series: Series) -> list[Source]:
    """The made episodes, and a fifth that says nothing of when it aired."""
    named = [
        Source(name, path.name, series="Night Bus", episode=int(name[1:]))
        for name, path in series.files.items()
        if name != "again"
    ]
    return [*named, Source("again", series.files["again"].name)]


def put(queue: Queue, series: Series, facts: dict[str, dict[str, str]], names: Sequence[str]) -> None:
    for name in names:
        path = series.files[name]
        queue.put(Item(name, path.name, str(path), queue.sha256(path), "done", facts=facts[name]))


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_study("night", rights_basis="made up for a test", root=tmp_path)


def searched(study: Study, queue: Queue, sources: Sequence[Source]) -> tuple[StudyRepeats, list[str]]:
    stages: list[str] = []
    found = find_study_repeats(study, queue, sources, lambda progress: stages.append(progress.stage), jobs=1)
    return found, sorted(set(stages))


BOTH = ["refining repeats", "searching for repeats"]


def test_a_series_is_masked_the_same_in_whatever_order_its_episodes_came(
    study: Study, series: Series, facts: dict[str, dict[str, str]]
) -> None:
    sources = sources_of(series)
    with open_queue(study.ingest_db) as queue:
        put(queue, series, facts, ["e02"])
        assert searched(study, queue, sources)[0].masks == {}
        put(queue, series, facts, ["again", "e03"])
        middle, stages = searched(study, queue, sources)
        assert stages == BOTH and "e01" not in middle.order and middle.masks.keys() == {"e02", "e03", "again"}
        put(queue, series, facts, ["e01"])
        found, stages = searched(study, queue, sources[::-1])
        assert stages == BOTH and found.order == ("e01", "e02", "e03", "again")
        text = repeats_file(study).read_text()
        for _ in range(2):  # nothing new: nothing is searched or heard, not a byte is another
            assert searched(study, queue, sources) == (found, [])
        assert repeats_file(study).read_text() == text
    for planted in series.planted:  # speech over the last of an opening may hide a second of it
        masked = found.masks[planted.source]
        assert any(one.start_s <= planted.start_s + 0.1 and one.end_s >= planted.end_s - 1.0 for one in masked), planted
    assert found.masks["again"] == (Interval(0.0, math.inf),)
    assert (
        found.copies == {"again": SourceCopy("e02", found.copies["again"].overlap)}
        and found.copies["again"].overlap > 0.9
    )
    assert all(one.refined for one in found.repeats if one.kind != "reupload")
    assert read_study_repeats(study) == found

    repeats_file(study).unlink()
    with open_queue(study.ingest_db) as queue:
        assert searched(study, queue, sources)[0].masks == found.masks


def test_what_was_heard_once_stays_known_without_the_recordings(
    study: Study, series: Series, facts: dict[str, dict[str, str]]
) -> None:
    sources = sources_of(series)
    with open_queue(study.ingest_db) as queue:
        put(queue, series, facts, list(series.files))
        whole = searched(study, queue, sources)[0]
        for name in series.files:  # moved away; the next search has to do without
            queue.put(replace(queue.items()[name], path=str(study.root / "away.mp4")))
        without_copy = searched(study, queue, sources[:3])[0]
        assert without_copy.repeats == tuple(
            one for one in whole.repeats if "again" not in (one.source_a, one.source_b)
        )
        repeats_file(study).write_text("{")  # not ours any more: made again, now as the fingerprints alone have it
        blunt, stages = searched(study, queue, sources)
        assert stages == ["searching for repeats"]
        assert not any(one.refined for one in blunt.repeats)
        put(queue, series, facts, list(series.files))  # brought back: heard, though nothing else is new
        again, stages = searched(study, queue, sources)
        assert again == whole and stages == BOTH


def test_a_recording_that_cannot_be_read_leaves_blunt_edges_and_ends_nothing(
    study: Study, series: Series, facts: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    broken = tmp_path / "e01.m4a"
    broken.write_bytes(b"not sound")
    with open_queue(study.ingest_db) as queue:
        put(queue, series, facts, ["e02", "e03"])
        queue.put(Item("e01", "e01.m4a", str(broken), queue.sha256(broken), "done", facts=facts["e01"]))
        found = searched(study, queue, sources_of(series))[0]
        assert searched(study, queue, sources_of(series)) == (found, [])  # and is not read again and again
    refined = {(one.source_a, one.source_b) for one in found.repeats if one.refined}
    assert refined == {("e02", "e03")} and found.masks.keys() == {"e01", "e02", "e03"}


def test_sources_done_elsewhere_count_and_withdrawn_or_unread_ones_do_not(
    study: Study, series: Series, facts: dict[str, dict[str, str]]
) -> None:
    first, second, third, again = sources_of(series)
    elsewhere = replace(first, measured={**facts["e01"], "status": "ok"})
    gone = replace(again, measured={**facts["again"], "status": "taken_down"})
    with open_queue(study.ingest_db) as queue:
        put(queue, series, facts, ["e02", "again"])
        queue.put(Item("e03", "e03.mp3", str(series.files["e03"]), "", "done", facts={"fp_algo": "slopes-0"}))
        found = searched(study, queue, [elsewhere, second, third, gone])[0]
        assert found.order == ("e01", "e02", "e03") and found.not_compared == ("e03",)
        assert found.masks.keys() == {"e01", "e02"}
        assert searched(study, queue, [first, second, third, gone])[0].masks == {}


def test_a_withdrawn_source_is_forgotten_and_the_rest_stays_known(
    study: Study, series: Series, facts: dict[str, dict[str, str]]
) -> None:
    sources = sources_of(series)
    forget_source(study, "e02")
    with open_queue(study.ingest_db) as queue:
        put(queue, series, facts, list(series.files))
        searched(study, queue, sources)
        forget_source(study, "e02")
        assert "e02" not in repeats_file(study).read_text()
        rest = read_study_repeats(study)
        assert rest.order == ("e01", "e03", "again") and rest.repeats and rest.copies == {}
        found, stages = searched(study, queue, [source for source in sources if source.source_id != "e02"])
        assert found.masks["e01"] == rest.masks["e01"] and stages == ["searching for repeats"]


def test_in_a_hurry_nothing_is_heard_and_the_next_time_it_is(
    study: Study, series: Series, facts: dict[str, dict[str, str]]
) -> None:
    with open_queue(study.ingest_db) as queue:
        put(queue, series, facts, list(series.files))
        for _ in range(2):
            blunt = find_study_repeats(study, queue, sources_of(series), listen=False)
            assert blunt.masks.keys() == set(series.files) and not any(one.refined for one in blunt.repeats)
        found, stages = searched(study, queue, sources_of(series))
        assert stages == BOTH and found.masks != blunt.masks
        assert find_study_repeats(study, queue, sources_of(series), listen=False) == found


def test_a_search_that_is_stopped_leaves_nothing(
    study: Study, series: Series, facts: dict[str, dict[str, str]]
) -> None:
    def stop(_: Progress) -> None:
        raise Cancelled("stopped")

    with open_queue(study.ingest_db) as queue:
        put(queue, series, facts, list(series.files))
        with pytest.raises(Cancelled):
            find_study_repeats(study, queue, sources_of(series), stop, jobs=1)
    assert not repeats_file(study).exists() and read_study_repeats(study) == StudyRepeats()


def test_another_way_of_searching_forgets_what_was_heard(
    study: Study, series: Series, facts: dict[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_queue(study.ingest_db) as queue:
        put(queue, series, facts, ["e01", "e02"])
        searched(study, queue, sources_of(series))
        monkeypatch.setattr(repeat_masks, "SEARCH_VERSION", "repeats-99")
        assert searched(study, queue, sources_of(series))[1] == BOTH
    assert json.loads(repeats_file(study).read_text())["search"] == "repeats-99"


def test_two_series_have_openings_of_their_own(
    study: Study, series: Series, facts: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    """A series of two episodes shares its opening by two, however many episodes other series have."""
    others = {f"o{number}": talk(20, 700 + number) for number in range(3)}
    for name, sound in others.items():
        encode(tmp_path / f"{name}.wav", sound, RATE_HZ, "pcm16")
    with open_queue(study.ingest_db) as queue:
        put(queue, series, facts, ["e01", "e02"])
        for name in others:
            path = tmp_path / f"{name}.wav"
            marks = {"fp_algo": ALGORITHM, "fp_b64": to_text(fingerprint(path, name))}
            queue.put(Item(name, path.name, str(path), queue.sha256(path), "done", facts=marks))
        own = [Source(name, f"{name}.wav", series="Other", episode=number) for number, name in enumerate(others)]
        found = searched(study, queue, [*sources_of(series), *own])[0]
        one_series = [replace(source, series="") for source in (*sources_of(series), *own)]
        together = searched(study, queue, one_series)[0]
    assert "ending" in {one.kind for one in found.repeats}
    assert {one.kind for one in together.repeats} == {"recap"}
