"""How numbers, times and counts are said on screens: three significant figures, times as people say them."""

import math
import re
import time
from collections.abc import Mapping
from typing import Any

ESTIMATE_UNIT = "clips"


def number(value: float | None) -> str:
    """At most three significant figures, whole numbers whole: `0.623`, `0.62`, `1,240`; a dash for the unknown."""
    if value is None or math.isnan(value):
        return "–"
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}".replace("-", "−")
    text = f"{value:.3g}"
    return (f"{float(text):f}".rstrip("0") if "e" in text else text).replace("-", "−")


def share(value: float | None) -> str:
    """A fraction as per cent: `43.9 %`."""
    return "–" if value is None or math.isnan(value) else f"{100 * value:.3g} %"


def estimate_text(estimate: Mapping[str, Any], unit: str = ESTIMATE_UNIT) -> str:
    """`0.62 (95 % interval 0.55 to 0.69, n = 212 clips)`, or why there is no estimate."""
    if estimate.get("value") is None:
        return f"not known: {estimate.get('reason', 'there is too little to estimate it from')}"
    if estimate["low"] is None:
        return f"{number(estimate['value'])} (n = {number(estimate['n'])} {unit}; {estimate['reason']})"
    low, high, n = number(estimate["low"]), number(estimate["high"]), number(estimate["n"])
    return f"{number(estimate['value'])} (95 % interval {low} to {high}, n = {n} {unit})"


def share_text(estimate: Mapping[str, Any], unit: str = ESTIMATE_UNIT) -> str:
    """`43.9 % (95 % interval 35.0 % to 52.8 %, n = 212 clips)`, or why there is no estimate."""
    if estimate.get("value") is None:
        return f"not known: {estimate.get('reason', 'there is too little to estimate it from')}"
    if estimate["low"] is None:
        return f"{share(estimate['value'])} (n = {number(estimate['n'])} {unit}; {estimate['reason']})"
    low, high, n = share(estimate["low"]), share(estimate["high"]), number(estimate["n"])
    return f"{share(estimate['value'])} (95 % interval {low} to {high}, n = {n} {unit})"


def literal(text: str) -> str:
    """Text that somebody else wrote, such as a title from a site, to be put into Markdown: on one line, and said as it
    is, so that it can neither show a picture from elsewhere nor look like a link of this page."""
    return re.sub(r"[\\`*\[\]<>$~|]", r"\\\g<0>", " ".join(text.split()))


def amount(count: float, thing: str, things: str | None = None) -> str:
    """`1 clip`, `212 clips`."""
    return f"{number(count)} {thing if count == 1 else things or thing + 's'}"


def size(n_bytes: float) -> str:
    """`0.48 MB`, `624 MB`, `1.24 GB`."""
    return f"{number(n_bytes / 1e6)} MB" if n_bytes < 999.5e6 else f"{number(n_bytes / 1e9)} GB"


def brief(seconds: float) -> str:
    """`8 s`, `7.1 min`, `13 h`: a length in two words, where there is room for no more."""
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    value, unit = (seconds / 60, "min") if seconds < 3570 else (seconds / 3600, "h")
    return f"{number(round(value, 1 if value < 9.95 else 0))} {unit}"


def clock(seconds: float) -> str:
    """A place in a recording: `1:03`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def duration(seconds: float) -> str:
    """`8 s`, `3 min 20 s`, `1 h 5 min`, as a person would say it."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 10 and rest:
        return f"{minutes} min {rest} s"
    if round(whole / 60) < 60:
        return f"{round(whole / 60)} min"
    hours, rest = divmod(round(whole / 60), 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def ago(then: float, now: float | None = None) -> str:
    """`just now`, `5 min ago`, `yesterday`, or the date. Times are seconds since 1970."""
    gone = (time.time() if now is None else now) - then
    if gone < 60:
        return "just now"
    if gone < 3600:
        return f"{round(gone / 60)} min ago"
    if gone < 24 * 3600:
        return f"{round(gone / 3600)} h ago"
    if gone < 48 * 3600:
        return "yesterday"
    return time.strftime("%-d %B %Y", time.localtime(then))
