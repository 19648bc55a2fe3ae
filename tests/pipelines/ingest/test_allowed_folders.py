"""Files that are asked for by somebody who is not the machine's owner come out of open folders, whatever names them."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.ingest.allowed_folders import is_within
from pipelines.ingest.preflight.inputs import wanted
from pipelines.ingest.run import run
from pipelines.media.audio import write_pcm16
from pipelines.study import Study
from tests.small_study import lenient_study
from tests.synthetic_audio import voice

HZ = 16000


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """Beside it `open` with a recording, a link out of it and a link within it, and `secret` with another."""
    from pipelines.media.audio import to_pcm16

    made = lenient_study(tmp_path)
    for name in ("open/one.wav", "secret/two.wav", "secret/three.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_pcm16(tmp_path / name, to_pcm16(voice(4.0, HZ, 120, seed=len(name))), HZ)
    (tmp_path / "open" / "out.wav").symlink_to(tmp_path / "secret" / "two.wav")
    (tmp_path / "open" / "deep").symlink_to(tmp_path / "secret")
    (tmp_path / "open" / "again.wav").symlink_to(tmp_path / "open" / "one.wav")
    (tmp_path / "secret" / "list.csv").write_text("uri,rights_basis\npassword,swordfish\n")
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("open", True), ("open/one.wav", True), ("open/again.wav", True), ("open/none.wav", True),
        ("open/out.wav", False), ("open/deep/two.wav", False), ("open/../secret/two.wav", False),
        ("open/../open/one.wav", False), ("opened", False), ("secret", False), ("/", False), (".", False),
        ("/etc/passwd", False), ("open/\0", False), ("~/x", False),
    ],
)  # fmt: skip
def test_where_a_path_leads_is_what_counts(study: Study, path: str, found: bool) -> None:
    assert is_within(Path(path), [study.root / "open"]) == found
    assert is_within(study.root / path, [study.root / "open"]) == found
    assert not is_within(Path(path), [])


def test_a_circle_of_links_leads_nowhere(study: Study) -> None:
    (study.root / "open" / "a").symlink_to(study.root / "open" / "b")
    (study.root / "open" / "b").symlink_to(study.root / "open" / "a")
    assert not is_within(study.root / "open" / "a" / "x.wav", [study.root / "secret"])


names = st.sampled_from(["open", "secret", "deep", "..", ".", "one.wav", "two.wav", "out.wav", "~"])


@settings(max_examples=200)
@given(st.lists(names, min_size=1, max_size=6))
def test_nothing_that_is_let_through_lies_elsewhere(tmp_path_factory: pytest.TempPathFactory, parts: list[str]) -> None:
    root = tmp_path_factory.getbasetemp() / "fence"
    if not root.exists():
        (root / "open").mkdir(parents=True)
        (root / "secret").mkdir()
        (root / "secret" / "two.wav").touch()
        (root / "open" / "deep").symlink_to(root / "secret")
        (root / "open" / "out.wav").symlink_to(root / "secret" / "two.wav")
    path = root.joinpath(*parts)
    if is_within(path, [root / "open"]):
        assert path.resolve().is_relative_to((root / "open").resolve())


def test_files_folders_and_tables_outside_are_rows_that_tell_nothing(study: Study) -> None:
    root = study.root
    table = root / "open" / "list.csv"
    table.write_text(f"uri,rights_basis\n{root}/secret/two.wav,mine\n../secret/three.wav,mine\nnone.wav,mine\n")
    asked = [
        *("open", "open/deep", "secret", "secret/two.wav", "secret/none.wav", "secret/list.csv", "open/../secret"),
        *(str(table), str(root / "secret")),
    ]
    done = run.ingest(study, asked, rights_basis="mine", jobs=1, within=[root / "open"])
    by_reason: dict[str, list[str]] = {}
    for row in done.sources:
        by_reason.setdefault(row.reason_code or row.status, []).append(Path(row.given).name)
    assert sorted(by_reason["outside"]) == sorted(
        ["out.wav", "deep", "secret", "two.wav", "none.wav", "list.csv", "secret", "secret", "two.wav", "three.wav"]
    )
    assert sorted({*by_reason} - {"outside"}) == ["duplicate", "ingested", "missing"], by_reason
    told = {row.reason for row in done.sources if row.reason_code == "outside"}
    assert all("that this server's owner has opened" in one and "swordfish" not in one for one in told)
    assert {Path(row.given).name for row in done.sources if row.clips} <= {"one.wav", "again.wav"}
    assert "two" not in study.sources_csv.read_text(encoding="utf-8")


def test_what_the_study_has_already_is_its_own(study: Study) -> None:
    root = study.root
    run.ingest(study, [str(root / "secret" / "two.wav")], rights_basis="mine", jobs=1)
    listed = study.sources_csv.read_text(encoding="utf-8").splitlines()
    width = listed[0].count(",")
    columns = listed[0].split(",")
    row = [""] * (width + 1)
    row[columns.index("uri")], row[columns.index("rights_basis")] = str(root / "secret" / "three.wav"), "mine"
    study.sources_csv.write_text("\n".join([*listed, ",".join(row)]) + "\n", encoding="utf-8")
    for inputs in ([], [str(study.sources_csv)], [str(root / "secret" / "two.wav")]):
        done = run.ingest(study, inputs, jobs=1, within=[study.media])
        assert {one.status for one in done.sources} <= {"ingested", "unchanged"}, inputs


def test_without_a_fence_nothing_changes(study: Study) -> None:
    (one,) = wanted(["secret/two.wav"], study, ())
    assert one.problem is None and one.path == Path("secret/two.wav")
