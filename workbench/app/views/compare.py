"""Compare: does this drama sound like acted speech, emotion by emotion?"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pipelines.study import Study
from workbench.app import charts, parts, reads
from workbench.app.session import Session
from workbench.app.words import duration, estimate_text

if TYPE_CHECKING:
    from pipelines.compare import Grid

STYLES = {"fair": "fair", "as the paper drew it": "as_published"}
PER_ROW = 2


def show(study: Study, _session: Session) -> None:
    """The page."""
    parts.head("Compare", "Does this drama sound like acted speech, emotion by emotion?")
    names = reads.comparable(study)
    emotions = study.scheme.label_names
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            "Data sets", names, default=[study.name, *reads.corpora(study)][:2], key="sets", width=300
        )
        emotion = st.segmented_control(
            "Emotion",
            emotions,
            default="neutral" if "neutral" in emotions else emotions[0],
            required=True,
            key="emotion",
            bind="query-params",
        )
        style = st.segmented_control(
            "Style",
            list(STYLES),
            default="fair",
            required=True,
            key="style",
            bind="query-params",
        )
        seed = st.number_input(
            "Seed", 0, 9999, 0, key="seed", bind="query-params", width=120, help="Which nine clips of each are drawn"
        )
    if len(names) == 1:
        parts.empty(
            "Here spectrograms of this study will stand beside those of acted speech, nine clips of each emotion.",
            "Say where an acted corpus lies on this machine (TESS, RAVDESS, CREMA-D, EMOVO, EmoDB, SAVEE):",
            "workbench corpus add tess PATH",
        )
    if not chosen:
        st.caption("Choose two or more data sets.")
        return
    made = reads.comparison(study, chosen, emotion, STYLES[style], int(seed))
    for first in range(0, len(made.grids), PER_ROW):
        for column, grid in zip(st.columns(PER_ROW), made.grids[first : first + PER_ROW], strict=False):
            with column:
                _grid(grid)
    _numbers(made.rows)


def _grid(grid: "Grid") -> None:
    key = f"{grid.corpus}-{grid.emotion}-{grid.style.name}-{grid.seed}"
    st.markdown(f"**{grid.title}** · {grid.counts}")
    numbers = list(range(1, len(grid.panels) + 1))
    picked = st.pills("Hear panel", numbers, key=f"hear-{key}", label_visibility="collapsed")
    event = st.plotly_chart(
        charts.spectrogram_grid(grid, chosen=picked - 1 if picked else None),
        key=f"grid-{key}",
        on_select="rerun",
        selection_mode="points",
        config={"displayModeBar": False},
    )
    clicked = _clicked(event)
    heard = clicked if clicked is not None else picked - 1 if picked else None
    if heard is not None and heard < len(grid.panels):
        clip = grid.panels[heard].clip
        st.caption(f"Panel {heard + 1}: {clip.clip.clip_id}")
        parts.hear(clip.path, autoplay=True)
    with st.popover("Take it away", icon=":material/download:"):
        st.code(grid.caption, language=None, wrap_lines=True)
        for kind, mime in (("png", "image/png"), ("svg", "image/svg+xml")):
            st.download_button(
                kind.upper(),
                lambda kind=kind: _file(grid, kind),  # type: ignore[misc]
                f"{grid.style.name}-{grid.corpus}-{grid.emotion}.{kind}",
                mime,
                key=f"{kind}-{key}",
                on_click="ignore",
            )


def _clicked(event: Any) -> int | None:
    """The panel whose ▶ was clicked."""
    points = event["selection"]["points"]
    found = [point["customdata"] for point in points if "customdata" in point]
    if not found:
        return None
    value = found[0]
    return int(value[0] if isinstance(value, Sequence) else value)


def _file(grid: "Grid", kind: str) -> bytes:
    from pipelines.compare.figures import save

    with tempfile.TemporaryDirectory() as folder:
        png, svg = save(grid, Path(folder))
        return (png if kind == "png" else svg).read_bytes()


def _numbers(rows: Sequence[Any]) -> None:
    st.markdown("**How alike the panels of one emotion are** (mean correlation of levels, 1 = the same)")
    table = [
        {
            "data set": row.corpus,
            "clips": row.clips,
            f"{row.group_word}s": row.groups,
            "length": f"{duration(row.shortest_s)} to {duration(row.longest_s)}",
            "likeness": estimate_text(row.similarity, "panels"),
        }
        for row in rows
    ]
    st.dataframe(table, hide_index=True)
