"""`workbench agreement` on tables and on a study."""

import json

import numpy as np
import pytest

from tests.workbench.command_line import call
from tests.workbench.silent_study import study_with_clips
from workbench.labels.queue import items
from workbench.store import Event, open_store

COUNTS = """\
,presented,A,N,S
1001,voice,3,0,0
1002,voice,1,2,0
1003,voice,0,2,2
2001,face,0,3,0
2002,face,0,0,4
"""


def run(capsys, *arguments):
    return call(capsys, "agreement", *arguments)


def table(tmp_path, text, name="votes.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKBENCH_ROOT", str(tmp_path))
    return study_with_clips(tmp_path, 12)


def fill(study, raters, error=0.2, kind="person"):
    draws = np.random.default_rng(0)
    labels = study.scheme.label_names
    with open_store(study) as store:
        for rater in raters:
            store.ensure_rater(rater, kind=kind)
            store.record(
                [
                    Event(f"{rater}-{n}", rater, clip_id=clip, label=labels[int((n + (draws.random() < error)) % 5)])
                    for n, clip in enumerate(items(study).clip_ids)
                ]
            )


def test_a_studys_labels_in_both_views(capsys, study):
    fill(study, ("ann", "ben", "cat"))
    code, out, _ = run(capsys, "--json")
    document = json.loads(out)
    assert (code, document["study"], document["simulated"]) == (0, "night", [])
    for view in ("five", "binary"):
        told = document[view]
        assert {"value", "low", "high", "n"} == set(told["alpha"]) == set(told["percent"])
        assert (told["items"], told["answers"], set(told["raters"])) == (12, 36, {"ann", "ben", "cat"})
        assert [(pair["a"], pair["b"], pair["n"]) for pair in told["pairs"]] == [
            ("ann", "ben", 12),
            ("ann", "cat", 12),
            ("ben", "cat", 12),
        ]
        assert told["resampled"] == {"by": "episode", "groups": 3}
        assert {"clip_id", "entropy", "votes"} == set(told["disputed"][0])
    assert document["binary"]["alpha"]["value"] != document["five"]["alpha"]["value"]


def test_one_view_need_not_be_named_twice(capsys, study):
    fill(study, ("ann", "ben"))
    document = json.loads(run(capsys, "--scheme", "binary", "--json")[1])
    assert "five" not in document
    assert document["alpha"] == document["binary"]["alpha"]


def test_for_people(capsys, study):
    fill(study, ("ann", "ben"))
    code, out, _ = run(capsys)
    assert code == 0
    assert "Krippendorff's alpha" in out and "kappa ann and ben" in out and "n = 12" in out
    assert "Note: only 3 episodes" in out


def test_simulated_raters_count_until_two_people_share_a_clip(capsys, study):
    fill(study, ("simulated-1", "simulated-2"), kind="machine")
    assert json.loads(run(capsys, "--json")[1])["simulated"] == ["simulated-1", "simulated-2"]
    fill(study, ("ann",))
    assert len(json.loads(run(capsys, "--json")[1])["five"]["raters"]) == 3
    fill(study, ("ben",))
    document = json.loads(run(capsys, "--json")[1])
    assert (document["simulated"], set(document["five"]["raters"])) == ([], {"ann", "ben"})
    assert document["left_out"] == {"machine": 24, "clips_gone": 0}


def test_a_study_without_answers_has_reasons(capsys, study):
    document = json.loads(run(capsys, "--json")[1])
    assert document["five"]["alpha"] == {"value": None, "reason": "no item was answered by two raters", "n": 0}


def test_an_unknown_view_is_refused(capsys, study):
    code, out, err = run(capsys, "--scheme", "binry")
    assert (code, out) == (2, "")
    assert "did you mean 'binary'?" in err


def test_a_long_table(capsys, tmp_path):
    text = "item,rater,label\n" + "".join(
        f"c{n},{rater},{label}\n"
        for n in range(6)
        for rater, label in (("x", "happy" if n % 2 else "sad"), ("y", "happy" if n % 3 else "sad"))
    )
    code, out, _ = run(capsys, "--annotations", table(tmp_path, text), "--json")
    document = json.loads(out)
    assert code == 0
    assert document["five"]["items"] == 6
    assert document["binary"]["counts"] == {"neutral": 7, "intense": 5}
    assert document["five"]["resampled"] == {"by": "clip", "groups": 6}


def test_the_last_answer_stands_and_passes_are_apart(capsys, tmp_path):
    text = (
        "item,rater,label,pass,time\n"
        "a,x,sad,audio,2026-05-04T12:00:00Z\n"
        "a,x,happy,audio,2026-05-04T11:00:00Z\n"
        "a,x,angry,context,2026-05-04T13:00:00Z\n"
        "a,y,sad,,2026-05-04T11:00:00Z\n"
        "b,y,angry,context,2026-05-04T11:00:00Z\n"
    )
    path = table(tmp_path, text)
    heard = json.loads(run(capsys, "--annotations", path, "--json")[1])["five"]
    assert heard["counts"] == {"happy": 0, "sad": 2, "angry": 0, "fearful": 0, "neutral": 0}
    seen = json.loads(run(capsys, "--annotations", path, "--where", "pass=context", "--json")[1])["five"]
    assert seen["counts"]["angry"] == 2
    code, _, err = run(capsys, "--annotations", table(tmp_path, "item,rater,label,pass\na,x,sad,context\n"))
    assert code == 2 and "--where pass=context" in err


def test_labels_of_its_own_on_a_scale(capsys, tmp_path):
    text = "clip_id,rater,label\n" + "".join(
        f"c{n},{r},{n % 3 + 1 + (r == 'y' and n > 4)}\n" for n in range(9) for r in "xy"
    )
    path = table(tmp_path, text)
    nominal = json.loads(run(capsys, "--annotations", path, "--json")[1])
    interval = json.loads(run(capsys, "--annotations", path, "--scale", "interval", "--json")[1])
    assert nominal["own"]["labels"] == ["1", "2", "3", "4"]
    assert nominal["alpha"]["value"] < interval["alpha"]["value"]


def test_counts_and_where(capsys, tmp_path):
    path = table(tmp_path, COUNTS)
    code, out, _ = run(
        capsys, "--annotations", path, "--counts", "--labels", "A,N,S", "--where", "presented=voice", "--json"
    )
    document = json.loads(out)
    assert code == 0
    # by hand: shares of agreeing pairs 1, 1/3, 1/3; coincidences 10 answers, 3 + 1 + 4/3 of them agreeing
    assert document["percent"]["value"] == pytest.approx(5 / 9)
    agreeing = 3 + 1 + 4 / 3
    expected = 10 * 10 - (4 * 4 + 4 * 4 + 2 * 2)
    assert document["alpha"]["value"] == pytest.approx(1 - 9 * (10 - agreeing) / expected)
    unnamed = json.loads(
        run(capsys, "--annotations", path, "--counts", "--labels", "A,N,S", "--where", "=1*", "--json")[1]
    )
    assert unnamed["alpha"] == document["alpha"]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (
            "item,rater,label\na,x,hapy\n",
            ["--scheme", "five"],
            "row 1, column 'label': unknown label 'hapy'; did you mean",
        ),
        ("item,rater,label\na,,happy\n", [], "row 1, column 'rater': expected a name"),
        ("item,rater\na,x\n", [], "expected a column 'label'"),
        ("id,rater,label\na,x,happy\n", [], "expected a column 'clip_id'"),
        ("item,rater,label\n", [], "has a header but no rows"),
        (COUNTS, ["--counts"], "say which columns hold the counts"),
        (COUNTS, ["--counts", "--labels", "A,B"], "column 'B': expected a column of counts"),
        (COUNTS.replace("1,2,0", "1,-2,0"), ["--counts", "--labels", "A,N"], "row 2, column 'N': expected a count"),
        (COUNTS, ["--counts", "--labels", "A,N", "--where", "presented"], "expected column=value"),
        (COUNTS, ["--counts", "--labels", "A,N", "--where", "shown=voice"], "no such column to select by"),
        (COUNTS, ["--counts", "--labels", "A,N", "--where", "presented=both"], "no row has presented=both"),
        (COUNTS, ["--counts", "--labels", "A,N", "--scale", "nominl"], "did you mean 'nominal'?"),
        ("item,rater,label\na,x,low\na,y,high\n", ["--scale", "ordinal"], "needs the order of the labels"),
        ("item,rater,label\na,x,low\na,y,high\n", ["--labels", "low,high", "--scheme", "binary"], "is for the labels"),
    ],
)
def test_a_wrong_table_is_refused_in_one_sentence(capsys, tmp_path, text, options, words):
    code, out, err = run(capsys, "--annotations", table(tmp_path, text), *options)
    assert (code, out) == (2, "")
    assert words in err and err.count("\n") == 1


def test_options_of_a_table_need_one(capsys, study):
    code, _, err = run(capsys, "--counts")
    assert code == 2 and "--annotations" in err


@pytest.mark.parametrize(
    ("presented", "percent", "fleiss", "alpha"),
    [("1", 0.4653, 0.2778, 0.2811), ("2", 0.5533, 0.4559, 0.4582), ("3", 0.5852, 0.4944, 0.4967)],
)
def test_the_crowd_of_crema_d(capsys, real_recordings, presented, percent, fleiss, alpha):
    path = real_recordings / "CREMA-D" / "processedResults" / "tabulatedVotes.csv"
    code, out, _ = run(
        capsys, "--annotations", str(path), "--counts", "--labels", "A,D,F,H,N,S", "--where", f"={presented}*",
        "--json",
    )  # fmt: skip
    document = json.loads(out)
    assert code == 0 and document["items"] == 7442
    for name, expected in (("percent", percent), ("fleiss_kappa", fleiss), ("alpha", alpha)):
        assert document[name]["value"] == pytest.approx(expected, abs=0.00005)
        assert document[name]["low"] < expected < document[name]["high"]
