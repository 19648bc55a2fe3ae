"""Pieces that several pages share: a page's head, what an empty page teaches, a sound to hear, numbers to take away."""

import io
import wave
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from pipelines.manifest import table_to_csv

SIMULATED_NOTE = (
    "Simulated raters gave these answers. They show that the way works; they say nothing about how people hear this."
)

#: Styles of figures, in words.
STYLES = {"fair": "fair", "as the paper drew it": "as_published"}

#: Pages are for work: less air around them than Streamlit gives, so that the main act needs no scrolling.
_CLOSE = """<style>
.stMainBlockContainer { padding: 2.25rem 2rem 2rem; }
.stMainBlockContainer h2 { padding: 0 0 .1rem; font-size: 1.7rem; }
.stMainBlockContainer h3 { padding: .2rem 0 .4rem; font-size: 1.25rem; }
[data-testid="stMetricValue"] { font-size: 1.75rem; }
[data-testid="stMetricValue"] * { white-space: normal; overflow-wrap: anywhere; }
@media (max-width: 768px) { .stMainBlockContainer { padding: 3.75rem 1rem 2rem; } }
</style>"""


def head(title: str, question: str) -> None:
    """A page's name and the one question it answers."""
    st.html(_CLOSE)
    st.markdown(f"## {title}\n{question}", width="content")


def empty(what: str, how: str, command: str = "", *, door: Callable[[], None] | None = None) -> None:
    """What will appear here, and what makes it appear: a `door` to another page, a command."""
    with st.container(border=True):
        st.markdown(f"**{what}**\n\n{how}")
        if door is not None:
            door()
        if command:
            st.code(command, language="bash")


def simulated_note(is_simulated: bool) -> None:
    """Say it plainly where answers of machines are among those shown."""
    if is_simulated:
        st.info(SIMULATED_NOTE, icon=":material/smart_toy:")


def hear(path: Path, *, autoplay: bool = False) -> None:
    """A player for one clip; a sentence where its audio is not on this machine."""
    if not path.is_file():
        st.caption(f"The audio is not on this machine ({path.name}).")
        return
    st.audio(_wav(str(path), path.stat().st_mtime_ns), format="audio/wav", autoplay=autoplay)


def table_download(rows: Sequence[Mapping[str, Any]], name: str, *, label: str = "Download the table (CSV)") -> None:
    """The rows on the screen as a CSV file."""
    if rows:
        text = table_to_csv(list(rows[0]), rows)
        st.download_button(label, text, name, "text/csv", icon=":material/download:", on_click="ignore", key=name)


@st.cache_data(show_spinner=False, max_entries=256)
def _wav(path: str, _changed: int) -> bytes:
    """Any recording as a WAV that every browser plays, at its own rate, in mono."""
    from pipelines.media.audio import read_mono, to_pcm16

    mono, rate_hz = read_mono(Path(path))
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(to_pcm16(mono).astype("<i2").tobytes())
    return out.getvalue()
