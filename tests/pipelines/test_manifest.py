import unicodedata
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import TableError
from pipelines.manifest import MAX_CELL_CHARS, clips_to_csv, read_clips, read_table, table_to_csv, write_clips
from pipelines.schema import Clip, clip_id

names = st.text("abcdefgh0123456789-", min_size=1, max_size=12)
texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), max_size=20).map(
    partial(unicodedata.normalize, "NFC")
)
metrics = st.dictionaries(st.sampled_from(["speech_ratio", "peak_dbfs"]), st.none() | st.sampled_from([0.5, -3.25]))


@st.composite
def clips(draw):
    source, start = draw(names), draw(st.integers(0, 10**9))
    return Clip(
        clip_id=clip_id(source, start, 44_100),
        source_id=source,
        start_sample=start,
        n_samples=132_300,
        rate_hz=44_100,
        group_id=draw(names),
        text=draw(texts),
        metrics={"speech_ratio": 0.75} | draw(metrics),
    )


@given(st.lists(clips(), max_size=8, unique_by=lambda clip: clip.clip_id))
def test_what_is_written_is_read_back(tmp_path_factory, some):
    path = tmp_path_factory.mktemp("manifest") / "clips.csv"
    write_clips(path, some)
    read = read_clips(path)
    assert {clip.clip_id for clip in read} == {clip.clip_id for clip in some}
    by_id = {clip.clip_id: clip for clip in some}
    for clip in read:
        original = by_id[clip.clip_id]
        assert (clip.start_sample, clip.text, clip.group_id) == (
            original.start_sample,
            original.text,
            original.group_id,
        )
        assert {name: value for name, value in clip.metrics.items() if value is not None} == {
            name: value for name, value in original.metrics.items() if value is not None
        }


@given(st.lists(clips(), max_size=6, unique_by=lambda clip: clip.clip_id), st.randoms())
def test_order_of_clips_does_not_change_a_byte(some, random):
    metrics_first = sorted(some, key=lambda clip: clip.clip_id)
    shuffled = list(metrics_first)
    random.shuffle(shuffled)
    assert clips_to_csv(shuffled) == clips_to_csv(metrics_first)


def test_writing_the_same_clips_again_touches_nothing(tmp_path):
    path = tmp_path / "clips.csv"
    clip = Clip("a-000000000", "a", 0, 48_000, 16_000, "a")
    assert write_clips(path, [clip]) is True
    before = path.stat().st_mtime_ns
    assert write_clips(path, [clip]) is False
    assert path.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("clip_id\n", "expected a column 'source_id'"),
        ("a,a\n1,2\n", "appears twice"),
        ("a,b\n1\n", r"row 1: expected 2 cells, found 1"),
        ('a,b\n"1,2\n', "not a CSV table"),
    ],
)
def test_a_table_that_does_not_parse_says_where(tmp_path, text, words):
    path = tmp_path / "clips.csv"
    path.write_text(text)
    required = ("clip_id", "source_id") if "clip_id" in text else ()
    with pytest.raises(TableError, match=words):
        read_table(path, required=required)


def test_an_invalid_number_is_named_by_row_and_column(tmp_path):
    path = tmp_path / "clips.csv"
    write_clips(path, [Clip("a-000000000", "a", 0, 48_000, 16_000, "a")])
    path.write_text(path.read_text().replace("48000", "many"))
    with pytest.raises(
        TableError, match=r"clips.csv, row 1, column 'n_samples': expected a whole number, found 'many'"
    ):
        read_clips(path)


def test_a_cell_may_hold_the_fingerprint_of_a_hundred_hours(tmp_path):
    path = tmp_path / "sources.csv"
    longest = "A" * (100 * 3600 * 35)  # some 35 characters a second
    path.write_text(table_to_csv(("source_id", "fp_b64"), [{"source_id": "a", "fp_b64": longest}]))
    (row,) = read_table(path)
    assert row["fp_b64"] == longest
    path.write_text('source_id\n"' + "A" * (MAX_CELL_CHARS + 1) + '"\n')
    with pytest.raises(TableError, match="field larger than field limit"):
        read_table(path)


def test_latin_1_is_rejected_in_words(tmp_path):
    path = tmp_path / "clips.csv"
    path.write_bytes("clip_id\nä\n".encode("latin-1"))
    with pytest.raises(TableError, match="UTF-8"):
        read_table(path)
