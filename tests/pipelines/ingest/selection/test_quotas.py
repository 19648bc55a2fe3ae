"""Caps per source and per speaker: never exceeded, drawn without an eye on scores, and nothing is reshuffled."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.ingest.selection.decision import SAME_CLIP, SPEAKER_FULL, Arm, Decision, ScoredWindow, decide
from pipelines.ingest.selection.manual_picks import Pick
from pipelines.ingest.selection.quotas import draw_key, over_quota
from pipelines.ingest.selection.screens import config_hash
from pipelines.ingest.selection.speaker_quotas import ClipSpeakers
from pipelines.ingest.series.cross_source_rules import apply_cross_source_rules
from pipelines.ingest.state.queue import Item, Queue, open_queue
from pipelines.schema import clip_id
from pipelines.study import SelectionSettings, StudySettings
from tests.pipelines.ingest.selection.test_decision import LENGTH, RATE, picks_of, shares, window, windows_of

names_of = st.sets(st.integers(0, 200).map(lambda number: f"ep-{number:09d}"), max_size=40)


def capped(most: int | None, share: float = 0.0) -> StudySettings:
    return StudySettings(name="x", select=SelectionSettings(random_share=share, max_per_source=most))


@given(names_of, names_of, st.integers(-2, 45))
def test_a_higher_cap_only_adds_and_newcomers_move_out_no_more_than_they_are(
    there: set[str], new: set[str], most: int
) -> None:
    stay = there - over_quota("source cap", there, most)
    assert len(stay) == min(max(0, most), len(there))
    assert stay <= there - over_quota("source cap", there, most + 1)
    later = (there | new) - over_quota("source cap", there | new, most)
    assert later & there <= stay
    assert len(stay - later) <= len(later - there)


@given(windows_of, picks_of, shares, st.integers(1, 8), st.randoms(use_true_random=False))
def test_of_what_a_source_would_give_without_a_cap_so_many_stay_and_every_pick(
    windows, picks, share, most, chance
) -> None:
    windows = list({one.start_sample: one for one in [*windows, *(window(one.start_sample) for one in picks)]}.values())

    def run(cap: int | None, ordered: list[ScoredWindow]) -> dict[int, Decision]:
        found = decide(ordered, RATE, capped(cap, share), source_id="ep1", picks=picks)
        return {one.start_sample: decision for one, decision in zip(ordered, found, strict=True)}

    free, found, more = run(None, windows), run(most, windows), run(most + 1, windows)
    kept = {start for start, one in free.items() if one.kept}
    stay = {start for start, one in found.items() if one.kept}
    assert len(stay) == min(len(kept), max(most, len(picks)))
    assert {pick.start_sample for pick in picks} <= stay <= kept
    assert stay <= {start for start, one in more.items() if one.kept}
    for start, one in found.items():
        assert one == (Decision("reject", ("source_full",)) if start in kept - stay else free[start])
    chance.shuffle(shuffled := list(windows))
    assert run(most, shuffled) == found


def test_neither_an_arm_nor_a_score_is_preferred() -> None:
    apart = [window(4000 * n, speech=0.61 + 0.38 * (n % 2)) for n in range(4000)]
    found = decide(apart, RATE, capped(1000, 0.2), source_id="ep1")
    stay = [one for one, decision in zip(apart, found, strict=True) if decision.kept]
    assert len(stay) == 1000
    assert sum(one.arm == "random" for one in found) == pytest.approx(200, abs=50)
    assert sum(one.scores["speech_ratio"] > 0.8 for one in stay) == pytest.approx(500, abs=60)  # type: ignore[operator]


def test_draws_do_not_depend_on_each_other() -> None:
    names = [clip_id("ep1", 4000 * n, RATE) for n in range(2000)]
    first = set(names) - over_quota("source cap", names, 1000)
    assert len(first - over_quota("speaker cap", names, 1000)) == pytest.approx(500, abs=70)
    assert len({draw_key(draw, names[0]) for draw in ("random arm", "source cap", "speaker cap")}) == 3


def test_a_pick_that_is_no_candidate_takes_one_of_the_places() -> None:
    found = decide([window(0), window(4000)], RATE, capped(1), source_id="ep1", picks=[Pick(9000, LENGTH)])
    assert [one.reasons for one in found] == [("source_full",)] * 2


@given(
    st.dictionaries(st.integers(0, 60), st.tuples(st.sampled_from(["", "A", "B"]), st.booleans()), max_size=30),
    st.integers(1, 6),
    st.integers(0, 4),
)
def test_no_speaker_has_more_than_the_cap_but_for_picks(said, most: int, elsewhere: int) -> None:
    clips = {f"e{number % 3}-{number:09d}": picked for number, (_, picked) in said.items()}
    who = {f"e{number % 3}-{number:09d}": speaker for number, (speaker, _) in said.items() if speaker}
    speakers = ClipSpeakers(who, {"A": elsewhere})
    leaves = speakers.over_quota(clips, most)
    assert (
        speakers.over_quota(dict(reversed(clips.items())), most) == leaves
        and speakers.over_quota(clips, None) == frozenset()
    )
    assert speakers.over_quota(clips, most + 1) <= leaves
    assert all(name in who and not clips[name] for name in leaves)
    for speaker, held in (("A", elsewhere), ("B", 0)):
        of = {name for name, one in who.items() if one == speaker}
        fixed = held + sum(clips[name] for name in of)
        assert held + len(of - leaves) == min(held + len(of), max(most, fixed))
    assert speakers.sources == {name.partition("-")[0] for name in who}


SOURCES: dict[str, tuple[tuple[int, str, Arm], ...]] = {
    "e1": ((0, "a", "model"), (5, "b", "random"), (10, "twin", "model"), (15, "c", "model")),
    "e2": ((0, "twin", "model"), (5, "d", "model"), (10, "e", "picked"), (15, "", "model")),
    "e3": ((0, "f", "model"), (5, "g", "model")),
}
NAMED = {clip_id(name, start * RATE, RATE): "A" for name in SOURCES for start in (0, 5, 10)}


def put(queue: Queue, name: str) -> Item:
    item = Item(name, name, status="done", facts={"sample_rate_hz": str(RATE)})
    windows = [ScoredWindow(start * RATE, LENGTH, 0.0, {}, sound) for start, sound, _ in SOURCES[name]]
    queue.put(item, windows, [Decision("keep", arm=arm) for _, _, arm in SOURCES[name]])
    return item


def standing(queue: Queue, items: dict[str, Item]) -> dict[str, Decision]:
    return {one.clip_id: one.decision for item in items.values() for one in queue.decided(item)}


def speaks(decisions: dict[str, Decision], named: dict[str, str]) -> set[str]:
    return {name for name, one in decisions.items() if one.kept and name in named}


@pytest.mark.parametrize("names", [("e1", "e2", "e3"), ("e3", "e2", "e1"), ("e2", "e1", "e3")])
def test_over_all_sources_they_leave_and_come_back_whatever_came_first(tmp_path: Path, names: tuple[str, ...]) -> None:
    order = tuple(SOURCES)
    with open_queue(tmp_path / "ingest.db") as queue:
        items: dict[str, Item] = {}
        for name in names:
            items[name] = put(queue, name)
            apply_cross_source_rules(queue, items, order, ClipSpeakers(NAMED), 3)
        found = standing(queue, items)
        assert len(speaks(found, NAMED)) == 3 and "e2-000010000" in speaks(found, NAMED)  # the one picked by hand
        assert found["e2-000000000"].reasons == (SAME_CLIP,)
        gone = {name: one for name, one in found.items() if one.reasons == (SPEAKER_FULL,)}
        assert len(gone) == 4 and all(one.arm for one in gone.values())
        assert apply_cross_source_rules(queue, items, order, ClipSpeakers(NAMED), 3) == frozenset()

        apply_cross_source_rules(queue, items, order, ClipSpeakers(NAMED), 5)
        assert speaks(found, NAMED) < speaks(standing(queue, items), NAMED)
        apply_cross_source_rules(queue, items, order, ClipSpeakers(NAMED), 3)
        assert standing(queue, items) == found

        other = {name: "B" if name.startswith("e1") else who for name, who in NAMED.items()}
        apply_cross_source_rules(queue, items, order, ClipSpeakers(other), 3)
        assert len(speaks(standing(queue, items), other)) == 6  # 3 of each
        apply_cross_source_rules(queue, items, order, ClipSpeakers(NAMED, {"A": 2}), 3)
        assert speaks(standing(queue, items), NAMED) == {"e2-000010000"}

        apply_cross_source_rules(queue, items, order)  # no cap any more: as if there had never been one
        free = standing(queue, items)
        assert {name for name, one in free.items() if not one.kept} == {"e2-000000000"}
        assert [free[name].arm for name in sorted(free) if name.startswith("e1")] == ["model", "random", *["model"] * 2]


def test_a_clip_that_leaves_for_its_speaker_still_stands_for_its_sound(tmp_path: Path) -> None:
    named = {"e1-000000000": "A", "e1-000005000": "A", "e1-000010000": "A", "e1-000015000": "A"}
    with open_queue(tmp_path / "ingest.db") as queue:
        items = {name: put(queue, name) for name in ("e1", "e2")}
        for _ in range(2):  # a second time changes nothing either
            apply_cross_source_rules(queue, items, tuple(SOURCES), ClipSpeakers(named, {"A": 9}), 1)
            found = standing(queue, items)
            assert found["e1-000010000"].reasons == (SPEAKER_FULL,)
            assert found["e2-000000000"].reasons == (SAME_CLIP,)


def test_caps_are_whole_numbers_and_part_of_what_clips_were_chosen_by() -> None:
    plain = StudySettings(name="x")
    for key in ("max_per_source", "max_per_speaker"):
        for wrong in (0, -1, 2.5, "7", True):
            with pytest.raises(ValidationError):
                SelectionSettings.model_validate({key: wrong})
        moved = replace_select(plain, **{key: 7})
        assert config_hash(moved, "r") != config_hash(plain, "r") != config_hash(replace_select(plain, **{key: 8}), "r")
        assert config_hash(replace_select(moved, **{key: None}), "r") == config_hash(plain, "r")


def replace_select(settings: StudySettings, **keys: int | None) -> StudySettings:
    return settings.model_copy(update={"select": settings.select.model_copy(update=keys)})
