"""pipelines.ingest.state.operator_requests: what is wished of a source holds until it is taken back or granted."""

from pathlib import Path

import pytest

from pipelines.errors import ConfigError
from pipelines.ingest.state.operator_requests import granted, read_wishes, wish, wishes_folder
from pipelines.study import create_study


def test_a_wish_holds_until_it_is_taken_back_or_granted(tmp_path: Path) -> None:
    study = create_study("night", rights_basis="made up", root=tmp_path)
    assert read_wishes(study) == {}
    wish(study, "ep1", "pause")
    wish(study, "ep2", "retry")
    wish(study, "ep3", "retry")
    assert read_wishes(study) == {"ep1": "pause", "ep2": "retry", "ep3": "retry"}
    granted(study, ["ep1", "ep2"])
    assert read_wishes(study) == {"ep1": "pause", "ep3": "retry"}, "a pause is not granted by a run"
    wish(study, "ep3", "pause")
    wish(study, "ep1", "go")
    assert read_wishes(study) == {"ep3": "pause"}
    wish(study, "ep9", "go")
    assert read_wishes(study) == {"ep3": "pause"}


def test_a_spoilt_file_and_a_bad_name_are_one_sentence(tmp_path: Path) -> None:
    study = create_study("night", rights_basis="made up", root=tmp_path)
    with pytest.raises(ConfigError):
        wish(study, "../up", "pause")
    wish(study, "ep1", "pause")
    (wishes_folder(study) / "ep1").write_text("go")
    with pytest.raises(ConfigError, match="says neither 'pause' nor 'retry'; delete it"):
        read_wishes(study)
