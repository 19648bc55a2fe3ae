"""Numbers and times as the screens say them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from workbench.app.formatting import ago, amount, brief, clock, duration, estimate_text, number, share, share_text, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.62, "0.62"),
        (0.6203219, "0.62"),
        (0.62349, "0.623"),
        (43.94, "43.9"),
        (212, "212"),
        (1240.4, "1,240"),
        (-0.0512345, "−0.0512"),
        (0.00001234, "0.000012"),
        (0, "0"),
        (-3, "−3"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    assert number(value) == text


@given(some.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9))
def test_no_number_has_seventeen_digits_or_an_exponent(value: float) -> None:
    text = number(value)
    assert "e" not in text
    if abs(value) < 1000 and not value.is_integer():
        assert len(text.replace("−", "").replace(".", "").lstrip("0")) <= 3


def test_an_estimate_carries_its_interval_and_n() -> None:
    estimate = {"value": 0.62, "low": 0.55, "high": 0.69, "n": 212}
    assert estimate_text(estimate) == "0.62 (95 % interval 0.55 to 0.69, n = 212 clips)"
    assert share_text(estimate) == "62 % (95 % interval 55 % to 69 %, n = 212 clips)"


def test_no_estimate_says_why() -> None:
    nothing = {"value": None, "reason": "only one rater has answered", "n": 3}
    assert estimate_text(nothing) == share_text(nothing) == "not known: only one rater has answered"


def test_small_words() -> None:
    assert (amount(1, "clip"), amount(212, "clip"), amount(0, "clip")) == ("1 clip", "212 clips", "0 clips")
    assert share(0.43912) == "43.9 %"
    assert [duration(seconds) for seconds in (8.2, 59.6, 200, 3599, 3900, 7200)] == [
        "8 s",
        "1 min",
        "3 min 20 s",
        "1 h",
        "1 h 5 min",
        "2 h",
    ]
    assert [brief(seconds) for seconds in (8.2, 59.6, 425, 597, 3569, 3599, 4600, 45_240, 3.6e6)] == [
        "8 s", "1 min", "7.1 min", "10 min", "59 min", "1 h", "1.3 h", "13 h", "1,000 h",
    ]  # fmt: skip
    assert [clock(seconds) for seconds in (0, 63.2, 3723)] == ["0:00", "1:03", "1:02:03"]
    assert [size(n) for n in (480_000, 624e6, 999.6e6, 50e9)] == ["0.48 MB", "624 MB", "1 GB", "50 GB"]
    assert [ago(1000 - gone, 1000) for gone in (3, 300, 7200 - 1, 30 * 3600)] == [
        "just now",
        "5 min ago",
        "2 h ago",
        "yesterday",
    ]
