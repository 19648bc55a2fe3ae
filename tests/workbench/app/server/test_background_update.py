"""workbench.app.server.background_update: whatever happens to one settling, the next pick is settled."""

from types import SimpleNamespace
from typing import cast

import pytest
import sqlalchemy as sa

from pipelines.ingest.run.background_finalize import Told
from workbench.app.server import background_update
from workbench.app.server.background_update import Settler
from workbench.curation.picks import Desk


@pytest.mark.parametrize(
    "trouble",
    [
        sa.exc.OperationalError("INSERT", {}, Exception("database or disk is full")),
        KeyError("cell"),
        OSError(28, "full"),
    ],
    ids=["database", "our error", "disk"],
)
def test_a_trouble_of_any_kind_is_told_and_over_with_the_next_pick(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background_update, "QUIET_S", 0.01)
    met: list[Exception] = [trouble]

    def write_tables() -> bool:
        if met:
            raise met.pop()
        return True

    asked: list[str] = []

    def retable() -> Told:
        asked.append("night")
        return Told(True)

    settler = Settler(cast(Desk, SimpleNamespace(write_tables=write_tables)), SimpleNamespace(retable=retable))
    settler.soon()
    assert settler.wait(60)
    assert "could not be written" in settler.problem and "the picks are kept" in settler.problem
    assert "INSERT" not in settler.problem and asked == []
    settler.soon()
    assert settler.wait(60)
    assert (settler.problem, asked) == ("", ["night"])
