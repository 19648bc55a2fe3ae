"""What is taken once: a copy of a recording that is in the study, and not of one that only the queue remembers."""

import errno
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipelines.ingest.preflight.active_sources import Members
from pipelines.ingest.run import acquire, run
from pipelines.ingest.sources import Source
from pipelines.ingest.state.queue import Item, open_queue
from pipelines.manifest import read_clips, read_table, table_to_csv
from pipelines.media import audio
from pipelines.progress import Progress
from pipelines.study import Study
from tests.pipelines.ingest.fetch.test_misbehaving import bodies, make_study, site
from tests.pipelines.ingest.misbehaving_server import Misbehaving
from tests.pipelines.ingest.run.test_retry import QUICK, codes, ingest
from tests.pipelines.ingest.run.test_run import snapshot, speech

__all__ = ["bodies", "site"]

INGESTED, UNCHANGED, DUPLICATE = ("ingested", ""), ("unchanged", ""), ("duplicate", "duplicate")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make_study(tmp_path / "root")


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """Two recordings, and a copy of the first."""
    folder = tmp_path / "media"
    folder.mkdir()
    for name, seed in (("one", 0), ("other", 40)):
        audio.encode(folder / f"{name}.wav", speech(seed=seed), 16000, "pcm16")
    shutil.copy(folder / "one.wav", folder / "copy.wav")
    return folder


def take_out(study: Study, name: str) -> str:
    """Take a row out of sources.csv; returns the table as it was."""
    text = study.sources_csv.read_text()
    study.sources_csv.write_text("".join(line for line in text.splitlines(True) if not line.startswith(f"{name},")))
    return text


def put_back(study: Study, name: str, text: str) -> None:
    """Put a row back as it was in `text`."""
    with study.sources_csv.open("a") as table:
        table.writelines(line for line in text.splitlines(True) if line.startswith(f"{name},"))


def edit(study: Study, *rows: Mapping[str, str]) -> None:
    """Write sources.csv anew, with the columns that it has."""
    columns = tuple(read_table(study.sources_csv)[0])
    study.sources_csv.write_text(table_to_csv(columns, rows))


def clips_of(study: Study) -> set[str]:
    return {clip.source_id for clip in read_clips(study.clips_csv)}


def test_only_what_is_listed_or_asked_for_and_there_is_a_member() -> None:
    known = (Source("a", "a.wav"), Source("b", "b.wav", measured={"status": "taken_down", "sha256": "0b"}))
    members = Members(known, {"w"})
    members.add(["new", "w"])
    assert [name for name in ("a", "b", "new", "w", "old") if members.has(Item(name, "", status="done"))] == [
        "a",
        "new",
    ]
    assert not members.has(Item("a", "", status="failed")) and not members.has(Item("a", "", status="duplicate"))
    assert (members.taken_down("0b"), members.taken_down("0a"), members.taken_down("")) == ("b", None, None)


def test_a_mistaken_address_takes_nothing_from_a_source_that_was_ingested(study: Study, site: Misbehaving) -> None:
    one, other, mirror = (site.url(name) for name in ("one", "other", "mirror"))  # the mirror is of one
    assert codes(ingest(study, one, other)) == [INGESTED] * 2
    before, text = snapshot(study), study.sources_csv.read_text()
    with open_queue(study.ingest_db) as queue:
        items = queue.items()
    bare = f"source_id,uri,rights_basis\none,{one},mine\nother,{mirror},mine\n"  # and no checksum
    for mistaken in (text.replace(other, mirror), bare):
        study.sources_csv.write_text(mistaken)
        assert codes(ingest(study)) == [UNCHANGED, ("failed", "changed")]
        with open_queue(study.ingest_db) as queue:
            assert queue.items() == items
        assert clips_of(study) == {"one", "other"}
        study.sources_csv.write_text(text)
        site.asked.clear()
        assert codes(ingest(study)) == [UNCHANGED] * 2 and not site.asked
        assert snapshot(study) == before


def test_an_address_that_stands_in_two_rows_changes_no_cell_of_either(study: Study, site: Misbehaving) -> None:
    rows = "".join(f"{name},{site.url(name)},mine,About {name}\n" for name in ("one", "other"))
    study.sources_csv.write_text(f"source_id,uri,rights_basis,series\n{rows}")
    assert codes(ingest(study)) == [INGESTED] * 2
    before, text = snapshot(study), study.sources_csv.read_text()
    for mistaken, right in (("one", "other"), ("other", "one")):
        study.sources_csv.write_text(text.replace(site.url(mistaken), site.url(right)))
        assert sorted(codes(ingest(study))) == [DUPLICATE, UNCHANGED]
        found = {row["source_id"]: row["series"] for row in read_table(study.sources_csv)}
        assert found == {"one": "About one", "other": "About other"}
        told = study.sources_csv.read_text()
        study.sources_csv.write_text(told.replace(f"{mistaken},{site.url(right)}", f"{mistaken},{site.url(mistaken)}"))
        assert codes(ingest(study)) == [UNCHANGED] * 2 and snapshot(study) == before


def test_an_address_that_another_row_had_before_is_free(study: Study, site: Misbehaving) -> None:
    study.sources_csv.write_text(f"source_id,uri,rights_basis\none,{site.url('error404')},mine\n")
    assert codes(ingest(study)) == [("failed", "not_found")]
    study.sources_csv.write_text(
        f"source_id,uri,rights_basis\nnew,{site.url('error404')},mine\none,{site.url('good')},mine\n"
    )
    assert [row.source_id for row in ingest(study).sources] == ["new", "one"]


def test_a_row_without_an_id_takes_the_place_of_none_that_has_one(study: Study, site: Misbehaving, media: Path) -> None:
    one, other = site.url("one"), site.url("other")
    assert codes(ingest(study, one)) == [INGESTED]
    (row,) = read_table(study.sources_csv)
    for first in ("", "one"):  # somebody corrects a row, and writes its old address down once more
        rows = [{"uri": one, "rights_basis": "mine"}, {**row, "uri": other}]
        edit(study, *(rows if not first else rows[::-1]))
        assert sorted(codes(ingest(study))) == [DUPLICATE, ("failed", "changed")]
        assert {(row["source_id"], row["uri"]) for row in read_table(study.sources_csv)} == {("", one), ("one", other)}
    site.asked.clear()
    ingest(study)
    assert {asked[0] for asked in site.asked} == {"/other.mp4"} and clips_of(study) == {"one"}

    files = make_study(media / "root")
    assert codes(ingest(files, str(media / "one.wav"))) == [INGESTED]
    (row,) = read_table(files.sources_csv)
    for bare, fits in (("copy.wav", "one.wav"), ("one.wav", "other.wav")):  # a copy by its checksum; a corrected row
        unnamed = {"uri": str(media / bare), "rights_basis": "mine", "sha256": row["sha256"]}
        edit(files, unnamed, {**row, "uri": str(media / fits)})
        assert DUPLICATE in codes(ingest(files))
        found = {(row["source_id"], Path(row["uri"]).name) for row in read_table(files.sources_csv)}
        assert found == {("", bare), ("one", fits)} and clips_of(files) == {"one"}


def test_an_address_is_the_same_however_it_is_written(study: Study, site: Misbehaving) -> None:
    one = site.url("one")
    assert codes(ingest(study, one)) == [INGESTED]
    (row,) = read_table(study.sources_csv)
    edit(study, {**row, "uri": one.replace("http", "HTTP") + "#part"}, {"source_id": "zz", "uri": one})
    site.asked.clear()
    for _ in range(2):
        assert codes(ingest(study)) == [UNCHANGED, DUPLICATE] and not site.asked


def test_a_source_may_be_given_another_name(study: Study, site: Misbehaving) -> None:
    assert codes(ingest(study, site.url("one"))) == [INGESTED]
    (row,) = read_table(study.sources_csv)
    edit(study, {**row, "source_id": "first"})
    assert codes(ingest(study)) == [INGESTED, ("unlisted", "unlisted")]  # the old name is told of
    assert [row["source_id"] for row in read_table(study.sources_csv)] == ["first"] and clips_of(study) == {"first"}


def test_what_was_ingested_stays_known_when_its_file_is_lost_and_its_site_has_another(
    study: Study, site: Misbehaving
) -> None:
    assert codes(ingest(study, site.url("one"))) == [INGESTED]
    with open_queue(study.ingest_db) as queue:
        items = queue.items()
    Path(items["one"].path).unlink()
    study.sources_csv.write_text(f"source_id,uri,rights_basis\none,{site.url('other')},mine\n")
    assert codes(ingest(study)) == [("failed", "changed")]
    with open_queue(study.ingest_db) as queue:
        assert queue.items() == items


def test_a_place_that_may_not_be_looked_at_costs_its_row_alone(
    study: Study, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists = Path.exists

    def refuse(path: Path) -> bool:
        if path.name == "locked.wav":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return exists(path)

    monkeypatch.setattr(Path, "exists", refuse)
    done = ingest(study, str(media / "locked.wav"), str(media / "one.wav"))
    assert codes(done) == [("failed", "disk"), INGESTED]
    (row,) = [row for row in read_table(study.sources_csv) if row["source_id"] == "one"]
    edit(study, row, {"source_id": "x", "uri": str(media / "locked.wav")})
    assert sorted(codes(ingest(study))) == [("failed", "disk"), UNCHANGED]


def test_a_copy_comes_in_when_its_original_has_left(study: Study, site: Misbehaving) -> None:
    one, other, copy = (site.url(name) for name in ("one", "other", "copy"))
    assert codes(ingest(study, one, other)) == [INGESTED] * 2
    assert codes(ingest(study, copy)) == [DUPLICATE]
    take_out(study, "one")
    ingest(study)
    site.asked.clear()
    assert codes(ingest(study, copy, one)) == [DUPLICATE, UNCHANGED] and not site.asked  # in whatever order
    assert clips_of(study) == {"one", "other"}
    take_out(study, "one")
    assert codes(ingest(study, copy))[0] == INGESTED
    assert clips_of(study) == {"copy", "other"}
    third = site.url("third")
    assert codes(ingest(study, third)) == [DUPLICATE]
    with open_queue(study.ingest_db) as queue:
        assert queue.items()["third"].facts == {"dup_of": "copy"}


def test_of_files_too_and_a_list_that_has_the_same_bytes_twice_is_ingested_whole_elsewhere(
    study: Study, media: Path, tmp_path: Path
) -> None:
    one, other, copy = (str(media / f"{name}.wav") for name in ("one", "other", "copy"))
    assert codes(ingest(study, one, other)) == [INGESTED] * 2
    assert codes(ingest(study, copy)) == [DUPLICATE]
    take_out(study, "one")
    ingest(study)
    assert codes(ingest(study, copy, one)) == [DUPLICATE, UNCHANGED]
    text = take_out(study, "one")
    assert codes(ingest(study, copy))[0] == INGESTED and clips_of(study) == {"copy", "other"}
    shutil.copy(one, media / "third.wav")
    (row,) = ingest(study, str(media / "third.wav")).sources
    assert (row.status, row.source_id) == ("duplicate", "copy")
    Path(copy).rename(media / "moved.wav")
    assert codes(ingest(study, str(media / "moved.wav"))) == [UNCHANGED]
    assert [row["source_id"] for row in read_table(study.sources_csv)] == ["copy", "other"]
    put_back(study, "one", text)
    assert not {row.status for row in ingest(study).sources} & {"failed", "duplicate"}
    (media / "moved.wav").rename(copy)

    elsewhere = make_study(tmp_path / "elsewhere")
    shutil.copytree(study.manifests, elsewhere.manifests, dirs_exist_ok=True)
    for file in media.iterdir():
        shutil.copy(file, elsewhere.manifests)
    assert [row.status for row in ingest(elsewhere).sources] == ["ingested"] * 3
    assert elsewhere.clips_csv.read_bytes() == study.clips_csv.read_bytes()


def test_a_list_that_is_half_edited_when_a_recording_comes_keeps_nothing_out(study: Study, site: Misbehaving) -> None:
    text = f"source_id,uri,rights_basis\nother,{site.url('other')},mine\n"
    study.sources_csv.write_text(text)
    spoilt: list[bool] = []

    def report(progress: Progress) -> None:
        if progress.stage == "check" and progress.fraction == 1.0:
            study.sources_csv.write_text(text + 'two,"')
            spoilt.append(True)
        elif progress.stage == "analyse":
            study.sources_csv.write_text(text)

    done = run.ingest(study, jobs=1, manners=QUICK, report=report)
    assert codes(done) == [INGESTED] and spoilt and clips_of(study) == {"other"}


def test_what_the_disk_refuses_to_keep_is_not_said_to_be_there(
    study: Study, site: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_partial: Path, target: Path) -> None:
        raise OSError(errno.EIO, "Input/output error", str(target))

    monkeypatch.setattr(acquire, "move_into_place", refuse)
    (row,) = ingest(study, site.url("one")).sources
    assert row.status == "failed"
    with open_queue(study.ingest_db) as queue:
        item = queue.items()["one"]
    assert (item.status, item.path) == ("failed", "")
    monkeypatch.undo()
    assert codes(ingest(study, site.url("one"), retry_failed=True)) == [INGESTED]
