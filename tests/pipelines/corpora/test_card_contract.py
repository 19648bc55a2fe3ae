"""What every corpus card and adapter promises, on a small tree in the corpus's own layout."""

from pathlib import Path

import pytest

from pipelines.corpora import ADAPTERS, add, corpus_names, describe, labelled_clips, load_card, recognise, registered
from pipelines.errors import DataError
from pipelines.manifest import clips_to_csv, read_clips
from pipelines.media.audio import read
from pipelines.schema import clip_id
from pipelines.schemes import load_scheme
from tests.synthetic_corpora import TREES, Tree, from_card, renamed, unlisted_code

FIVE = load_scheme("five")


CASES = [(name, "card") for name in corpus_names()] + [(name, "as published") for name in TREES]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest.fixture
def name(case: tuple[str, str]) -> str:
    return case[0]


@pytest.fixture
def tree(case: tuple[str, str], tmp_path: Path) -> Tree:
    name, source = case
    return from_card(load_card(name), tmp_path / "corpus") if source == "card" else TREES[name](tmp_path / "corpus")


def test_card_is_complete_and_its_parts_agree(name: str) -> None:
    card = load_card(name)
    assert card.name == name
    assert card.licence and card.citation and card.languages and card.url.startswith("http")
    assert card.adapter in ADAPTERS
    label_map = card.label_map("five")
    assert set(label_map.labels.values()) <= set(FIVE.label_names) and len(set(label_map.labels.values())) > 1
    assert set(card.expected.emotions) == {*label_map.labels, *label_map.dropped} == card.codes
    assert sum(card.expected.emotions.values()) == card.expected.files
    assert not set(card.speakers.female) & set(card.speakers.male)


def test_is_told_from_every_other(name: str, tree: Tree) -> None:
    assert recognise(tree.folder) == name
    assert recognise(tree.folder.parent) == name


def test_labels_drops_groups_rates_and_skips_are_counted(name: str, tree: Tree, tmp_path: Path) -> None:
    card = load_card(name)
    add(tmp_path, name, tree.folder)
    facts = describe(tmp_path, name, FIVE)
    assert facts["labels"] == dict(tree.labels)
    assert facts["dropped"] == dict(tree.dropped)
    assert facts["rates_hz"] == dict(tree.rates_hz)
    assert facts["files"] == sum(tree.labels.values()) + sum(tree.dropped.values())
    assert sum(row["files"] for row in facts["skipped"]) == tree.skipped
    assert facts["complete"] is False
    assert all(row["gender"] for row in facts["speakers"]) or not (card.speakers.female or card.speakers.male)


def test_clips_are_whole_recordings_grouped_by_speaker(name: str, tree: Tree, tmp_path: Path) -> None:
    card = load_card(name)
    add(tmp_path, name, tree.folder)
    data = labelled_clips(tmp_path, name, FIVE)
    assert data.group_word == "speaker"
    assert data.labels == FIVE.label_names
    assert {label: sum(clip.label == label for clip in data.clips) for label in data.labels} == dict(tree.labels)
    assert {clip.clip.group_id for clip in data.clips} == tree.groups
    for labelled in data.clips:
        audio, rate_hz = read(labelled.path)
        assert (audio.shape[1], rate_hz) == (labelled.clip.n_samples, labelled.clip.rate_hz)
        assert labelled.clip.clip_id == clip_id(labelled.clip.source_id, 0, rate_hz)
        assert labelled.clip.speaker
        assert labelled.clip.text or not card.files.text
        assert labelled.clip.gender == card.speakers.gender(labelled.clip.speaker)
    assert len({clip.clip.clip_id for clip in data.clips}) == len(data.clips)


def test_clips_survive_a_manifest_and_come_the_same_twice(name: str, tree: Tree, tmp_path: Path) -> None:
    add(tmp_path, name, tree.folder)
    first, second = (labelled_clips(tmp_path, name, FIVE) for _ in range(2))
    assert first == second
    table = tmp_path / "clips.csv"
    table.write_text(clips_to_csv(clip.clip for clip in first.clips))
    assert {clip.clip_id: clip for clip in read_clips(table)} == {clip.clip.clip_id: clip.clip for clip in first.clips}
    assert first.origin["kind"] == "corpus"
    victim = first.clips[0].path
    victim.unlink()
    assert labelled_clips(tmp_path, name, FIVE).origin["digest"] != first.origin["digest"]


def test_an_unlisted_emotion_code_is_an_error_and_not_a_loss(name: str, tree: Tree, tmp_path: Path) -> None:
    add(tmp_path, name, tree.folder)
    card = load_card(name)
    code = unlisted_code(card)
    match = card.files.expression.fullmatch(card.files.example)
    assert match
    path = tree.folder / str(renamed(card, match["speaker"], code))
    path.parent.mkdir(parents=True, exist_ok=True)
    labelled_clips(tmp_path, name, FIVE).clips[0].path.rename(path)
    with pytest.raises(DataError, match=f"neither maps nor drops the emotion code '{code}'"):
        labelled_clips(tmp_path, name, FIVE)
    with pytest.raises(DataError, match="neither maps nor drops"):
        add(tmp_path, "again", tree.folder)
    assert list(registered(tmp_path)) == [name]
