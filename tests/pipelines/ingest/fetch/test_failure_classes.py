"""A server's Retry-After, whatever stands in it: a time to rest, or none, and never an error of ours."""

import io
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yt_dlp.networking import Response
from yt_dlp.networking.exceptions import HTTPError

from pipelines.ingest.failures import TooManyRequests
from pipelines.ingest.fetch.failure_classes import sentence
from pipelines.ingest.fetch.fetch_policy import LONGEST_REST_S

URL = "https://far.example/a.mp4"


def rest_s(retry_after: str) -> float | None:
    """How long a host is left alone that answers 429 with this header."""
    answer = Response(io.BytesIO(), URL, {}, status=429)
    answer.headers["Retry-After"] = retry_after
    error = sentence(URL, HTTPError(answer))
    assert isinstance(error, TooManyRequests) and error.failure == "defer"
    return error.rest_s


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("Wed, 21 Oct 2015 07:28:00 +9999999999999", None), ("Wed, 21 Oct 2015 07:28:00 +9999", None),
        ("Wed, 21 Oct 99999 07:28:00 GMT", None), ("Wed, 21 Oct 2015 99:28:00 GMT", None), ("0 0 0", None),
        ("-5", None), ("", None), ("soon", None), ("1.5", None), ("0", 0.0), ("90", 90.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("86401", LONGEST_REST_S),
        ("Fri, 31 Dec 9999 23:59:59 -2300", LONGEST_REST_S), ("9" * 5000, LONGEST_REST_S),
    ],
)  # fmt: skip
def test_a_rest_is_at_most_a_day_and_nonsense_is_none(said: str, found: float | None) -> None:
    assert rest_s(said) == found


DATES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda at: format_datetime(at.replace(tzinfo=UTC)))
OFFSETS = st.integers().map(lambda offset: f"Wed, 21 Oct 2015 07:28:00 {offset:+05d}")


@example("Wed, 21 Oct 2015 07:28:00 -9999999999999")
@given(st.text(st.characters(exclude_characters="\r\n")) | DATES | OFFSETS | st.integers().map(str))
def test_no_header_is_an_error_of_ours(said: str) -> None:
    found = rest_s(said)
    assert found is None or 0 <= found <= LONGEST_REST_S
