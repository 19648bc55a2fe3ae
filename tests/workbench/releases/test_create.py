"""Releases: whole or not at all, the same content the same bytes, never changed."""

import json
import os
from collections import Counter

import pytest

from pipelines.errors import ConfigError, DataError, UnknownName
from pipelines.manifest import read_clips, read_table, table_to_csv
from pipelines.release import labelled_clips, open_release, release_names
from tests.workbench.silent_study import study_with_clips
from workbench.labels.queue import items
from workbench.releases.create import create_release, difference, latest, snapshot, verify
from workbench.store import Event, open_store


@pytest.fixture
def study(tmp_path):
    return study_with_clips(tmp_path, 12)


def answer(study, table, kind="person", first=0):
    """`table`: rater → one letter per clip; '-' is no answer, '?' cannot tell."""
    letters = {name[0]: name for name in study.scheme.label_names}
    with open_store(study) as store:
        for rater, given in table.items():
            store.ensure_rater(rater, kind=kind)
            events = []
            for number, (clip_id, letter) in enumerate(zip(items(study).clip_ids, given, strict=False)):
                if letter != "-":
                    label = letters.get(letter)
                    flags = () if label else ("cannot_tell",)
                    events.append(
                        Event(
                            f"{rater}-{first + number}", rater, clip_id=clip_id, label=label, flags=flags, note="mine"
                        )
                    )
            assert not store.record(events).refused


THREE = {"zoe@example.org": "hhsaa?f-----", "ann": "hssaa?f-----", "ben": "hsfan?------"}


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_what_is_in_it(study):
    answer(study, THREE)
    release = create_release(study, "r1")
    assert sorted(files(release.folder)) == [
        "SHA256SUMS", "annotations.csv", "clips.csv", "datasheet.md", "labels.csv", "release.json", "soft_labels.csv",
    ]  # fmt: skip
    rows = read_table(release.folder / "labels.csv")
    assert [(row["label"], row["binary"], row["votes"]) for row in rows] == [
        ("happy", "neutral", "3"),
        ("sad", "intense", "3"),
        ("sad", "intense", "3"),
        ("angry", "intense", "3"),
        ("angry", "intense", "3"),
        ("", "", "0"),
        ("fearful", "intense", "2"),
    ]
    assert [row["agreement"] for row in rows[:3]] == ["1.0000", "0.6667", "0.6667"]
    assert rows[1]["entropy"] == "0.9183" and rows[0]["entropy"] == "0.0000"
    assert {row["rule"] for row in rows} == {"majority"}
    counts = release.facts["counts"]
    assert (counts["clips"], counts["answered"], counts["tied"], counts["no_label_given"]) == (6, 7, 0, 1)
    assert (counts["waiting"], counts["annotations"], counts["raters"]) == (5, 20, 3)
    assert counts["labels"] == {"happy": 1, "sad": 2, "angry": 2, "fearful": 1, "neutral": 0}
    assert counts["flags"]["cannot_tell"] == 3
    assert len(read_clips(release.folder / "clips.csv")) == 7
    soft = read_table(release.folder / "soft_labels.csv")
    assert list(soft[0]) == ["clip_id", "happy", "sad", "angry", "fearful", "neutral"]
    assert all(
        sum(float(row[label]) for label in study.scheme.label_names) == pytest.approx(1, abs=1e-5) for row in soft
    )


def test_estimates_have_n_and_intervals(study):
    answer(study, THREE)
    facts = create_release(study, "r1").facts
    for view in ("five", "binary"):
        for estimate in (facts["agreement"][view]["alpha"], facts["human_ceiling"][view]["rater"]):
            assert set(estimate) == {"value", "low", "high", "n"}
    assert facts["human_ceiling"]["five"]["simulated"] is False


def test_nobody_is_named_and_nothing_private_is_told(study):
    answer(study, THREE)
    release = create_release(study, "r1")
    text = "".join(content.decode() for content in files(release.folder).values())
    assert "zoe" not in text and "example.org" not in text and "mine" not in text
    assert str(study.root) not in text
    raters = {row["rater"] for row in read_table(release.folder / "annotations.csv")}
    assert raters == {"r01", "r02", "r03"}


def test_numbers_of_raters_stay_when_others_join(study):
    answer(study, THREE)
    before = read_table(create_release(study, "r1").folder / "annotations.csv")
    answer(study, {"aaron": "-------h----"})
    after = read_table(create_release(study, "r2").folder / "annotations.csv")
    assert [row for row in after if row["rater"] != "r04"] == before


def test_the_same_content_gives_the_same_bytes(study):
    answer(study, THREE)
    one, two = create_release(study, "r1"), create_release(study, "r2")
    assert one.digest == two.digest
    first, second = files(one.folder), files(two.folder)
    facts = [json.loads(each.pop("release.json")) for each in (first, second)]
    assert first == second
    for each in facts:
        del each["created"], each["name"]
    assert facts[0] == facts[1]


def test_the_digest_follows_the_labels_not_the_clock(study, tmp_path):
    answer(study, THREE)
    other = study_with_clips(tmp_path / "other", 12)
    answer(other, THREE)
    assert create_release(study, "r1").digest == create_release(other, "x").digest
    answer(study, {"ann": "--a"}, first=100)
    assert create_release(study, "r2").digest != open_release(study, "r1").digest


def test_a_tie_has_no_label_and_is_counted(study):
    answer(study, {"ann": "hs", "ben": "ss"})
    release = create_release(study, "r1")
    assert release.facts["counts"]["tied"] == 1
    found = labelled_clips(study, release)
    assert [each.label for each in found.clips] == ["sad"]
    assert found.clips[0].distribution == (0, 1, 0, 0, 0)
    assert len(found.votes) == 4


def test_soft_gives_a_tie_to_the_commoner_label(study):
    answer(study, {"ann": "hsss", "ben": "ssss"})
    found = labelled_clips(study, create_release(study, "r1", "soft"))
    assert [each.label for each in found.clips] == ["sad"] * 4
    assert found.clips[0].distribution == pytest.approx(((1 + 1 / 8) / 3, (1 + 7 / 8) / 3, 0, 0, 0), abs=1e-6)
    assert found.origin["rule"] == "soft"


def test_a_name_is_given_once(study):
    answer(study, THREE)
    before = files(create_release(study, "r1").folder)
    answer(study, {"ann": "---s"}, first=50)
    with pytest.raises(ConfigError, match="already a release 'r1', and releases never change"):
        create_release(study, "r1")
    assert files(study.releases / "r1") == before
    for bad in ("../r2", "R 2", ""):
        with pytest.raises(ConfigError, match="is not valid"):
            create_release(study, bad)
    with pytest.raises(UnknownName, match="did you mean 'majority'"):
        create_release(study, "r3", "majorty")


def test_without_labels_nothing_is_made(study):
    with pytest.raises(DataError, match="no clip of study 'night' has a label yet"):
        create_release(study, "r1")
    answer(study, {"ann": "?"})
    with pytest.raises(DataError, match="has a label yet"):
        snapshot(study)
    assert not study.releases.exists() or not list(study.releases.iterdir())


def test_a_failure_midway_leaves_nothing(study, monkeypatch):
    answer(study, THREE)

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("pipelines.release.write_json", fail)
    with pytest.raises(OSError, match="disk full"):
        create_release(study, "r1")
    assert list(study.releases.iterdir()) == []
    assert release_names(study) == ()


@pytest.mark.parametrize("table", ["labels.csv", "clips.csv", "annotations.csv", "soft_labels.csv", "SHA256SUMS"])
def test_a_change_is_noticed(study, table):
    answer(study, THREE)
    release = create_release(study, "r1")
    assert verify(study, "r1") == ()
    path = release.folder / table
    path.write_bytes(path.read_bytes().replace(b"s", b"z", 1))
    assert table in verify(study, "r1")[0] or "SHA256SUMS" in verify(study, "r1")[0]
    with pytest.raises(DataError, match="was changed after it was made"):
        open_release(study, "r1")


def test_a_clever_change_is_noticed_too(study):
    answer(study, THREE)
    folder = create_release(study, "r1").folder
    before = (folder / "SHA256SUMS").read_text()
    (folder / "labels.csv").write_bytes((folder / "labels.csv").read_bytes() + b"x")
    from pipelines.atomic_write import sha256_file

    lines = [line for line in before.splitlines() if not line.endswith("  labels.csv")]
    lines.append(f"{sha256_file(folder / 'labels.csv')}  labels.csv")
    (folder / "SHA256SUMS").write_text("\n".join(sorted(lines, key=lambda line: line[66:])) + "\n")
    assert verify(study, "r1") == ("SHA256SUMS does not match the digest in release.json",)


def test_a_damaged_description_is_one_sentence(study):
    answer(study, THREE)
    (create_release(study, "r1").folder / "release.json").write_text('{"name": "r1"')
    for look in (verify, open_release):
        with pytest.raises(DataError, match=r"release.json is damaged"):
            look(study, "r1")


def test_a_missing_table_and_an_unknown_release(study):
    answer(study, THREE)
    (create_release(study, "r1").folder / "clips.csv").unlink()
    assert "clips.csv is missing" in verify(study, "r1")[0]
    with pytest.raises(UnknownName, match="did you mean 'r1'"):
        verify(study, "r11")
    with pytest.raises(ConfigError, match="is not valid"):
        open_release(study, "../../x")


def test_sums_are_those_of_sha256sum(study):
    answer(study, THREE)
    folder = create_release(study, "r1").folder
    assert os.system(f"cd {folder} && sha256sum --check --quiet SHA256SUMS") == 0


def test_what_changed_between_two(study):
    answer(study, THREE)
    create_release(study, "r1")
    clips = items(study).clip_ids
    answer(study, {"ann": "-hh", "ben": "-hh", "cat": "-------n"}, first=100)
    create_release(study, "r2")
    found = difference(study, "r1", "r2")
    assert found.changed == {clips[1]: ("sad", "happy"), clips[2]: ("sad", "happy")}
    assert found.added == {clips[7]: "neutral"}
    assert (found.removed, found.same) == ({}, 5)
    assert difference(study, "r2", "r1").removed == found.added
    assert found.document()["changed"][0] == {"clip_id": clips[1], "from": "sad", "to": "happy"}


def test_snapshots_are_known_by_their_content(study):
    answer(study, THREE)
    one = snapshot(study)
    stamp = (one.folder / "release.json").stat().st_mtime_ns
    two = snapshot(study)
    assert one.name == two.name == one.digest[:12]
    assert (two.folder / "release.json").stat().st_mtime_ns == stamp
    assert open_release(study, one.name).digest == one.digest
    assert release_names(study) == ()
    answer(study, {"ann": "---s"}, first=50)
    assert snapshot(study).name != one.name
    assert labelled_clips(study, one).origin["kind"] == "snapshot"


def test_the_latest_is_the_newest_release_else_a_snapshot(study):
    answer(study, THREE)
    assert latest(study).facts["kind"] == "snapshot"
    create_release(study, "zz")
    create_release(study, "aa")
    assert latest(study).name == "aa"
    assert release_names(study) == ("zz", "aa")


def test_simulated_raters_are_named_so_everywhere(study):
    answer(study, {"simulated-1": "hhsaa", "simulated-2": "hssaa"}, kind="machine")
    release = create_release(study, "r1")
    assert release.facts["simulated"] == ["simulated-1", "simulated-2"]
    assert release.facts["human_ceiling"]["five"]["simulated"] is True
    assert "**Simulated.**" in (release.folder / "datasheet.md").read_text()
    assert {row["rater"] for row in read_table(release.folder / "annotations.csv")} == {"simulated-1", "simulated-2"}
    assert labelled_clips(study, release).origin["simulated"] == "simulated-1, simulated-2"
    answer(study, THREE)
    assert create_release(study, "r2").facts["simulated"] == []


def test_clips_that_were_withdrawn_are_left_out_and_counted(study):
    from pipelines.manifest import write_clips

    answer(study, THREE)
    write_clips(study.clips_csv, read_clips(study.clips_csv)[1:])
    counts = create_release(study, "r1").facts["counts"]
    assert (counts["clips"], counts["clips_gone"]) == (5, 3)


def test_the_datasheet_says_on_what_ground(study):
    answer(study, THREE)
    text = (create_release(study, "r1").folder / "datasheet.md").read_text()
    assert "made up for a test" in text and "6 clips of 3 s" in text and "Krippendorff's alpha" in text
    assert "None" not in text


def test_the_datasheet_says_what_was_collected_under_what(study):
    answer(study, THREE)
    clips = read_clips(study.clips_csv)
    first, *others = sorted({clip.source_id for clip in clips})
    rows = [{"source_id": first, "uri": "https://tv.example/a?b=c", "kind": "url", "licence": "CC BY | 4.0",
             "rights_basis": "licence", "sample_rate_hz": 16000, "decoded_samples": 16000 * 1800}]  # fmt: skip
    rows += [{"source_id": name, "uri": f"{name}.wav", "kind": "file"} for name in others]
    study.sources_csv.write_text(table_to_csv(tuple(rows[0]), rows), encoding="utf-8")
    release = create_release(study, "r1")
    count = Counter(clip.source_id for clip in read_clips(release.folder / "clips.csv"))
    text = (release.folder / "datasheet.md").read_text()
    assert f"| licence | CC BY \\| 4.0 | tv.example | 1 | 0.50 | {count[first]} |" in text
    rest = sum(count[name] for name in others)
    assert f"| made up for a test | none was found | a file of the curator | {len(count) - 1} | 0.00 | {rest} |" in text
