"""The page of a run names its tables as the run itself does, whatever the study's scheme says today."""

from pathlib import Path

import pytest

from pipelines.errors import DataError
from pipelines.schemes import load_scheme
from pipelines.training.run import Run
from workbench.app.views import runs


def test_confusion_is_named_in_the_order_of_its_own_counts() -> None:
    scheme = load_scheme("five")
    order = [*reversed(scheme.label_names)][:4]
    facts = {
        "scheme": scheme.model_dump(mode="json", by_alias=True),
        "recipe": {"settings": {"data": {"scheme": "five", "view": "five"}}},
        "metrics": {"confusion": {"labels": order, "counts": []}},
    }
    entries = runs._entries(Run(Path("nowhere"), facts))
    assert [entry.name for entry in entries] == order
    assert [entry.colour for entry in entries] == [
        next(one.colour for one in scheme.labels if one.name == name) for name in order
    ]


def test_a_run_that_does_not_say_its_scheme_is_refused_in_words() -> None:
    with pytest.raises(DataError, match=r"run 'nowhere' does not say its scheme: .*train it again"):
        _ = Run(Path("nowhere"), {}).scheme
