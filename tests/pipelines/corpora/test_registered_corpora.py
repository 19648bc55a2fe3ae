"""data/corpora.toml: names are unique, a wrong folder is refused in one sentence, nothing is half-written."""

from pathlib import Path

import pytest

from pipelines.corpora import add, describe, labelled_clips, load_card, registered
from pipelines.corpora.card import Card
from pipelines.errors import ConfigError, UnknownName
from pipelines.schemes import load_scheme
from pipelines.study import create_study
from pipelines.toml_config import parse
from tests.synthetic_corpora import emodb, ravdess, savee, sound, tess

FIVE = load_scheme("five")

OWN_CARD = """
schema = 1
name = "shouting"
title = "Shouting"
long_title = "People who shout"
version = "1"
licence = "CC0-1.0"
citation = "Us (2026)."
url = "https://example.org"
languages = ["en"]

[files]
pattern = '(?P<emotion>loud|soft)_(?P<speaker>\\d+)\\.(?i:wav)'
example = "loud_7.wav"

[schemes.five]
labels = { loud = "angry", soft = "neutral" }

[expected]
files = 4
"""


def test_added_listed_and_found_again(tmp_path: Path) -> None:
    folder = tess(tmp_path / "c").folder
    made = add(tmp_path, "old-tess", folder)
    assert (made.card_name, made.path) == ("tess", folder)
    add(tmp_path, "berlin", emodb(tmp_path / "c").folder)
    assert list(registered(tmp_path)) == ["berlin", "old-tess"]
    before = (tmp_path / "data/corpora.toml").read_bytes()
    assert add(tmp_path, "old-tess", folder) == made  # saying it twice changes nothing
    assert (tmp_path / "data/corpora.toml").read_bytes() == before


def test_paths_with_odd_letters_survive(tmp_path: Path) -> None:
    folder = emodb(tmp_path / 'Stimmen "für" \\ 情緒').folder
    add(tmp_path, "emodb", folder)
    assert registered(tmp_path)["emodb"].path == folder


def test_another_corpus_under_a_known_name_is_refused_in_one_sentence(tmp_path: Path) -> None:
    folder = ravdess(tmp_path / "c").folder
    with pytest.raises(ConfigError) as refusal:
        add(tmp_path, "tess", folder)
    assert str(refusal.value) == (
        f"{folder} holds RAVDESS, not TESS: add it with 'workbench corpus add ravdess PATH', or give the folder of TESS"
    )
    with pytest.raises(ConfigError, match="holds RAVDESS, not EMOVO"):
        add(tmp_path, "mine", folder, card="emovo")
    assert not (tmp_path / "data").exists()


def test_folders_that_are_no_corpus_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not there: give the folder"):
        add(tmp_path, "tess", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no sound files"):
        add(tmp_path, "tess", tmp_path / "empty")
    sound(tmp_path / "drama/scene1.wav", 16_000)
    with pytest.raises(ConfigError, match="is a file"):
        add(tmp_path, "tess", tmp_path / "drama/scene1.wav")
    with pytest.raises(ConfigError, match="holds no corpus that is known here"):
        add(tmp_path, "mine", tmp_path / "drama")
    with pytest.raises(ConfigError, match="does not look like TESS: too few of its files are named like OAF_angry"):
        add(tmp_path, "tess", tmp_path / "drama")
    with pytest.raises(UnknownName, match="unknown corpus card 'tes'; did you mean 'tess'"):
        add(tmp_path, "mine", tmp_path / "drama", card="tes")
    with pytest.raises(ConfigError, match=r"name '\.\./x' is not valid"):
        add(tmp_path, "../x", tmp_path / "drama")
    assert not (tmp_path / "data").exists()


def test_names_are_unique_over_studies_and_corpora(tmp_path: Path) -> None:
    create_study("night", root=tmp_path)
    folder = savee(tmp_path / "c").folder
    with pytest.raises(ConfigError, match="there is already a study 'night'"):
        add(tmp_path, "night", folder)
    add(tmp_path, "savee", folder)
    elsewhere = savee(tmp_path / "moved").folder
    with pytest.raises(ConfigError, match=r"there is already a corpus 'savee' at .*--replace"):
        add(tmp_path, "savee", elsewhere)
    assert add(tmp_path, "savee", elsewhere, replace=True).path == elsewhere


def test_a_single_speakers_folder_can_be_added(tmp_path: Path) -> None:
    add(tmp_path, "dc", savee(tmp_path / "c").folder / "DC")
    assert {clip.clip.speaker for clip in labelled_clips(tmp_path, "dc", FIVE).clips} == {"DC"}


def test_a_corpus_that_moved_away_says_what_to_do(tmp_path: Path) -> None:
    folder = emodb(tmp_path / "c").folder
    add(tmp_path, "emodb", folder)
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match=r"no longer at .*: say where it is with 'workbench corpus add emodb PATH"):
        labelled_clips(tmp_path, "emodb", FIVE)
    with pytest.raises(UnknownName, match="unknown corpus 'emo'; did you mean 'emodb'"):
        describe(tmp_path, "emo", FIVE)


def test_a_corpus_of_ones_own_needs_only_a_card(tmp_path: Path) -> None:
    card = tmp_path / "shouting.toml"
    card.write_text(OWN_CARD)
    for emotion in ("loud", "soft"):
        for speaker in ("1", "2"):
            sound(tmp_path / "own" / f"{emotion}_{speaker}.wav", 16_000)
    add(tmp_path, "own", tmp_path / "own", card=str(card))
    facts = describe(tmp_path, "own", FIVE)
    assert (facts["files"], facts["labels"]["angry"], facts["labels"]["neutral"]) == (4, 2, 2)
    with pytest.raises(ConfigError, match=r"no file under .* is named as .*shouting\.toml says, such as loud_7\.wav"):
        add(tmp_path, "tess", tess(tmp_path / "c").folder, card=str(card))


def test_speakers_of_one_corpus_registered_twice_stay_one_group(tmp_path: Path) -> None:
    folder = savee(tmp_path / "c").folder
    add(tmp_path, "one", folder)
    add(tmp_path, "two", folder)
    one, two = (labelled_clips(tmp_path, name, FIVE).clips for name in ("one", "two"))
    assert {clip.clip.group_id for clip in one} == {clip.clip.group_id for clip in two}
    assert not {clip.clip.clip_id for clip in one} & {clip.clip.clip_id for clip in two}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"files": {"pattern": "(?P<speaker>x", "example": "x"}}, "not a regular expression"),
        ({"files": {"pattern": "(?P<speaker>x)", "example": "x"}}, "needs a group named 'emotion'"),
        ({"files": {"pattern": "(?P<speaker>x)(?P<emotion>y)", "example": "z"}}, "does not match 'example'"),
        ({"files": {"pattern": "(?P<speaker>x)(?P<emotion>y)", "example": "xy", "id": "{word}"}}, "names 'word'"),
        ({"schemes": {"five": {"labels": {"a": "angry"}, "dropped": ["a"]}}}, "both mapped and dropped"),
        ({"schemes": {"five": {"labels": {"W": "angry"}}}}, "schemes.five neither maps nor drops 'A'"),
        ({"lisence": "MIT"}, "unknown key 'lisence'; did you mean 'licence'?"),
    ],
)
def test_a_wrong_card_names_the_key(change: dict[str, object], sentence: str) -> None:
    document = load_card("emodb").model_dump(by_alias=True) | change
    with pytest.raises(ConfigError) as refusal:
        parse(Card, document, "emodb.toml")
    assert sentence in str(refusal.value)
