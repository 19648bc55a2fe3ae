"""The published files themselves: counts, rates and oddities as their README states them."""

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.corpora import add, describe, labelled_clips
from pipelines.errors import ConfigError
from pipelines.schemes import load_scheme

DATA = Path(os.environ.get("WORKBENCH_TEST_DATA") or "/nowhere")
FIVE = load_scheme("five")
pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="needs real recordings: set WORKBENCH_TEST_DATA to their folder"
)

STATED: dict[str, dict[str, Any]] = {
    "tess": {
        "folder": "TESS",
        "files": 702,
        "labels": {"happy": 100, "sad": 100, "angry": 101, "fearful": 101, "neutral": 100},
        "dropped": {"disgust": 100, "ps": 100},
        "rates_hz": {"24414": 701, "96000": 1},
        "speakers": {"OAF": 560, "YAF": 142},
    },
    "ravdess": {
        "folder": "RAVDESS",
        "files": 184,
        "labels": {"happy": 26, "sad": 24, "angry": 24, "fearful": 24, "neutral": 12},
        "dropped": {"02": 26, "07": 24, "08": 24},
        "rates_hz": {"48000": 184},
        "speakers": {"01": 60, "02": 60, "03": 60, "05": 2, "07": 2},
    },
    "emovo": {
        "folder": "EMOVO",
        "files": 21,
        "labels": dict.fromkeys(FIVE.label_names, 3),
        "dropped": {"dis": 3, "sor": 3},
        "rates_hz": {"48000": 21},
        "speakers": {"f1": 21},
    },
    "emodb": {
        "folder": "EMODB",
        "files": 14,
        "labels": {"happy": 4, "sad": 0, "angry": 8, "fearful": 0, "neutral": 2},
        "dropped": {},
        "rates_hz": {"16000": 14},
        "speakers": {"03": 2, "08": 2, "09": 1, "10": 2, "11": 1, "12": 1, "13": 2, "14": 1, "16": 2},
    },
    "crema_d": {
        "folder": "CREMA-D",
        "files": 7,
        "labels": {"happy": 1, "sad": 1, "angry": 2, "fearful": 1, "neutral": 1},
        "dropped": {"DIS": 1},
        "rates_hz": {"16000": 7},
        "speakers": {"1001": 6, "1050": 1},
    },
}


@pytest.mark.parametrize("name", STATED)
def test_counts_are_those_stated(name: str, tmp_path: Path) -> None:
    stated = STATED[name]
    add(tmp_path, name, DATA / stated["folder"])
    facts = describe(tmp_path, name, FIVE)
    for key in ("files", "labels", "dropped", "rates_hz"):
        assert facts[key] == stated[key], key
    assert {row["speaker"]: row["files"] for row in facts["speakers"]} == stated["speakers"]
    assert facts["skipped"] == []
    assert len(labelled_clips(tmp_path, name, FIVE).clips) == sum(stated["labels"].values())


def test_tess_oddities_are_read_right(tmp_path: Path) -> None:
    add(tmp_path, "tess", DATA / "TESS")
    clips = {labelled.path.name: labelled for labelled in labelled_clips(tmp_path, "tess", FIVE).clips}
    assert clips["OA_bite_neutral.wav"].clip.speaker == "OAF"
    assert clips["OAF_food_fear.wav"].clip.rate_hz == 96_000
    for aiff in ("YAF_germ_angry.wav", "YAF_neat_fear.wav"):
        assert clips[aiff].path.read_bytes()[:4] == b"FORM"
        assert 1.0 < clips[aiff].clip.end_s < 3.0
    assert all(1.3 <= labelled.clip.end_s <= 3.0 for labelled in clips.values())


def test_one_corpus_is_not_taken_for_another(tmp_path: Path) -> None:
    for name, stated in STATED.items():
        other = "ravdess" if name == "tess" else "tess"
        with pytest.raises(ConfigError, match=", not "):
            add(tmp_path, other, DATA / stated["folder"])
    for folder in ("NOTLD_1968", "AMI_excerpts"):
        with pytest.raises(ConfigError, match="does not look like TESS"):
            add(tmp_path, "tess", DATA / folder)
