"""pipelines.errors: messages say what to do, and every error survives the way out of a worker process."""

import pickle

import pytest

from pipelines.errors import MediaError, PipelineError, TableError, UnknownName


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (UnknownName("corpus", "cremad", ["crema_d", "tess"]), "unknown corpus 'cremad'; did you mean 'crema_d'?"),
        (UnknownName("corpus", "xyz", ["crema_d", "tess"]), "unknown corpus 'xyz'; known: crema_d, tess"),
        (UnknownName("run", "xyz", []), "unknown run 'xyz'; there is none yet"),
        (TableError("a.csv", "expected a number", row=2, column="n"), "a.csv, row 2, column 'n': expected a number"),
        (MediaError("empty", "a.wav: is empty", "gone"), "a.wav: is empty"),
    ],
)
def test_an_error_keeps_its_message_and_facts_through_pickle(error: PipelineError, words: str) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error) == words
    assert again.__dict__ == error.__dict__
