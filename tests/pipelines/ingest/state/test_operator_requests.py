"""pipelines.ingest.state.operator_requests: what is wished of a source holds until it is taken back or granted."""

from pathlib import Path

import pytest

from pipelines.errors import ConfigError
from pipelines.ingest.state.operator_requests import (
    clear_retry_requests,
    read_requests,
    request_action,
    requests_folder,
)
from pipelines.study import create_study


def test_a_wish_holds_until_it_is_taken_back_or_granted(tmp_path: Path) -> None:
    study = create_study("night", rights_basis="made up", root=tmp_path)
    assert read_requests(study) == {}
    request_action(study, "ep1", "pause")
    request_action(study, "ep2", "retry")
    request_action(study, "ep3", "retry")
    assert read_requests(study) == {"ep1": "pause", "ep2": "retry", "ep3": "retry"}
    clear_retry_requests(study, ["ep1", "ep2"])
    assert read_requests(study) == {"ep1": "pause", "ep3": "retry"}, "a pause is not granted by a run"
    request_action(study, "ep3", "pause")
    request_action(study, "ep1", "resume")
    assert read_requests(study) == {"ep3": "pause"}
    request_action(study, "ep9", "resume")
    assert read_requests(study) == {"ep3": "pause"}


def test_a_spoilt_file_and_a_bad_name_are_one_sentence(tmp_path: Path) -> None:
    study = create_study("night", rights_basis="made up", root=tmp_path)
    with pytest.raises(ConfigError):
        request_action(study, "../up", "pause")
    request_action(study, "ep1", "pause")
    (requests_folder(study) / "ep1").write_text("resume")
    with pytest.raises(ConfigError, match="says neither 'pause' nor 'retry'; delete it"):
        read_requests(study)
