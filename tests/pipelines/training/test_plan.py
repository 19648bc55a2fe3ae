"""Plans: what is refused and in which words, what is dealt where, and the examples that recipes carry."""

from dataclasses import replace

import pytest

from pipelines.errors import ConfigError, DataError, LeakError, UnknownName
from pipelines.recipes.recipe import load_recipe, recipe_names
from pipelines.schema import Clip, LabelledClip, LabelledClips, Vote
from pipelines.schemes import load_scheme
from pipelines.training import make_plan
from pipelines.training.plan import join
from tests.pipelines.training.synthetic_clips import LABELS, labelled

EXAMPLES = [(name, example) for name in recipe_names() for example in load_recipe(name).example if example.rows]


def grid(groups: int, clips_per_group: int) -> LabelledClips:
    clips = tuple(
        LabelledClip(
            Clip(f"c{g}-{n}", f"s{g}", 0, 10, 10, f"g{g}", pcm_sha256=f"{g}-{n}"), None, LABELS[(g + n) % len(LABELS)]
        )
        for g in range(groups)
        for n in range(clips_per_group)
    )
    return LabelledClips("grid", LABELS, clips)


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[f"{name}: {example.about}" for name, example in EXAMPLES])
def test_examples_of_recipes_hold(name, example):
    plan = make_plan(load_recipe(name), grid(example.groups, example.clips_per_group))
    assert {part: plan.parts.count(part) for part in example.rows} == dict(example.rows)
    assert plan.leak.found is example.leaks


def test_random_rows_are_refused_unless_as_published():
    with pytest.raises(LeakError) as refused:
        make_plan(load_recipe("soap_five", ["split.rule=random_rows", "split.settings={}"]), labelled(None))
    sentence = str(refused.value)
    assert "recipe 'soap_five' would test on what it trains on" in sentence
    assert "Use split rule 'by_group'" in sentence
    plan = make_plan(load_recipe("soap_five_as_published"), labelled(None))
    assert plan.leak.found and "LEAK" in plan.document()["leak"]["sentence"]


def test_dealing_copies_at_random_leaks_even_when_only_training_keeps_them():
    recipe = load_recipe("soap_five", ["split.rule=random_rows", "split.settings={}", "augmentation.apply_to=train"])
    with pytest.raises(LeakError):
        make_plan(recipe, labelled(None))


def test_as_published_validates_on_the_test_part_and_says_so():
    plan = make_plan(load_recipe("soap_five_as_published"), labelled(None))
    assert plan.of("valid") == plan.of("test")
    assert plan.document()["split"]["validation"] == "the test part, as published"
    corrected = make_plan(load_recipe("soap_five"), labelled(None))
    assert not set(corrected.of("valid")) & set(corrected.of("test"))


def without(data: LabelledClips, label: str, keep: int) -> LabelledClips:
    kept = [clip for clip in data.clips if clip.label == label][:keep]
    return replace(data, clips=tuple(clip for clip in data.clips if clip.label != label) + tuple(kept))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (replace(labelled(None), clips=()), "'made' has no labelled clip yet: label some"),
        (
            without(labelled(None), "happy", 1),
            "only 1 clip is labelled 'happy' in 'made', and a class needs at least 3",
        ),
        (without(labelled(None), "sad", 2), "only 2 clips are labelled 'sad'"),
        (without(labelled(None), "fearful", 0), "no clip is labelled 'fearful'"),
        (
            labelled(None, groups=2, per_label=3),
            "'made' has 2 episodes, and rule 'by_group' keeps whole episodes apart",
        ),
        ([], "no data was given"),
        ([labelled(None), labelled(None)], "'made' is named twice"),
        (
            replace(labelled(None), labels=("joy",)),
            "'made' is labelled with joy, but the recipe reads the scheme 'five'",
        ),
    ],
)
def test_little_data_is_refused_in_one_sentence(data, words):
    with pytest.raises(DataError) as refused:
        make_plan(load_recipe("soap_five"), data)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_label_may_be_left_out_on_purpose():
    data = without(labelled(None), "happy", 1)
    plan = make_plan(load_recipe("soap_five", ['data.leave_out=["happy"]']), data)
    assert plan.labels == ("sad", "angry", "fearful", "neutral")
    assert "happy" not in {row.label for row in plan.rows}
    with pytest.raises(DataError, match="names 'hapy', which is no label"):
        make_plan(load_recipe("soap_five", ['data.leave_out=["hapy"]']), data)
    with pytest.raises(DataError, match="nothing to tell apart"):
        make_plan(load_recipe("soap_binary", ["data.leave_out=['intense']"]), data)


@pytest.mark.parametrize(
    ("override", "kind", "words"),
    [
        ("model.name=soap_cn", UnknownName, "unknown model 'soap_cn'; did you mean 'soap_cnn'?"),
        ("features.extractor=meanvector", UnknownName, "did you mean 'mean_vector'?"),
        ("split.rule=by_groups", UnknownName, "unknown split rule 'by_groups'; did you mean 'by_group'?"),
        ("augmentation.copies=['noise','pich']", UnknownName, "did you mean 'pitch'?"),
        ("model.settings.kernal=3", ConfigError, "unknown key 'kernal'; did you mean 'kernel'?"),
        ("model.settings.filters=[8,0]", ConfigError, "Input should be greater than or equal to 1"),
        ("split.settings.test=0.5", ConfigError, "must add up to 1"),
        ("data.view=binery", UnknownName, "did you mean 'binary'?"),
    ],
)
def test_names_and_settings_are_checked_before_anything_runs(override, kind, words):
    with pytest.raises(kind) as refused:
        make_plan(load_recipe("soap_five", [override]), labelled(None))
    assert words in str(refused.value)


def test_the_rate_of_the_audio_is_that_of_the_feature():
    assert make_plan(load_recipe("soap_five"), labelled(None)).extractor.rate_hz == 22_050
    assert make_plan(load_recipe("soap_five", ["audio.rate_hz=16000"]), labelled(None)).extractor.rate_hz == 16_000


def test_joined_sets_keep_ids_groups_and_votes_apart():
    one = labelled(None)
    other = replace(one, name="other")
    joined = join([one, other])
    assert joined.name == "made+other"
    assert len({clip.clip.clip_id for clip in joined.clips}) == 2 * len(one.clips)
    assert {vote.clip_id for vote in joined.votes} == {clip.clip.clip_id for clip in joined.clips}
    assert joined.origin["made.digest"] == "d"
    with pytest.raises(DataError, match="sets that are joined need one scheme"):
        join([one, replace(other, labels=("happy", "sad"))])


def test_the_same_sound_in_two_joined_sets_stays_on_one_side():
    plan = make_plan(load_recipe("soap_five"), [labelled(None), replace(labelled(None), name="other")])
    part_of = {}
    for row, part in zip(plan.rows, plan.parts, strict=True):
        part_of.setdefault(row.clip_id.split(":")[1], set()).add(part)
    assert all(len(parts) == 1 for parts in part_of.values())


def test_the_same_corpus_file_under_two_speakers_stays_on_one_side(tmp_path):
    (tmp_path / "one.wav").write_bytes(b"same sound")
    (tmp_path / "two.wav").write_bytes(b"same sound")
    clips = list(grid(9, 10).clips)
    for number, name in ((0, "one.wav"), (85, "two.wav")):
        clips[number] = replace(clips[number], path=tmp_path / name, clip=replace(clips[number].clip, pcm_sha256=""))
    for seed in range(5):
        plan = make_plan(load_recipe("soap_five", [f"split.seed={seed}"]), LabelledClips("grid", LABELS, tuple(clips)))
        part_of = {row.clip_id: part for row, part in zip(plan.rows, plan.parts, strict=True)}
        assert part_of[clips[0].clip.clip_id] == part_of[clips[85].clip.clip_id]


def test_notes_say_what_grouping_cannot_rule_out():
    data = labelled(None)
    assert any("same actor" in note for note in make_plan(load_recipe("soap_five"), data).notes)
    named = replace(data, clips=tuple(replace(clip, clip=replace(clip.clip, speaker="lin")) for clip in data.clips))
    notes = make_plan(load_recipe("soap_five"), named).notes
    assert any("1 named speaker is both in training and in test: lin" in note for note in notes)
    by_speaker = replace(data, group_word="speaker")
    assert any("kept apart by their names" in note for note in make_plan(load_recipe("soap_five"), by_speaker).notes)


def test_a_label_of_one_episode_is_said_to_be_missing_elsewhere():
    data = labelled(None)
    moved = [clip for clip in data.clips if clip.label == "sad"][:3]
    there = [replace(clip, clip=replace(clip.clip, group_id="e0")) for clip in moved]
    data = replace(data, clips=tuple(clip for clip in data.clips if clip.label != "sad") + tuple(there))
    plan = make_plan(load_recipe("soap_five"), data)
    part_of = {row.label: part for row, part in zip(plan.rows, plan.parts, strict=True) if row.label == "sad"}
    assert part_of == {"sad": "train"}
    assert any("the test part holds no clip labelled sad" in note for note in plan.notes)


def test_answered_clips_without_a_label_are_counted():
    data = labelled(None)
    notes = make_plan(load_recipe("soap_five"), replace(data, votes=(*data.votes, Vote("tied", "r01", "sad")))).notes
    assert any(note.startswith("1 answered clip has no label") for note in notes)


def test_the_view_decides_labels_and_the_ceilings_votes():
    plan = make_plan(load_recipe("soap_binary"), labelled(None))
    assert plan.labels == ("neutral", "intense")
    assert {row.label for row in plan.rows} == {"neutral", "intense"}
    assert all(isinstance(vote, Vote) for vote in plan.votes) and len(plan.votes) == 90


def test_a_recipe_for_another_scheme_than_the_studys_is_refused():
    other = load_scheme("five").model_copy(update={"name": "six"})
    with pytest.raises(ConfigError, match=r"scheme 'five', but these labels are of 'six'.*--set data\.view=six"):
        make_plan(load_recipe("soap_five"), labelled(None), other)
    plan = make_plan(load_recipe("soap_five", ["data.scheme=six", "data.view=six"]), labelled(None), other)
    assert plan.scheme is other and plan.labels == other.label_names
