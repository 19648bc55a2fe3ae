"""Compare: does this drama sound like acted speech, emotion by emotion?"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import streamlit as st

from pipelines.study import Study
from workbench.app.charts import charts
from workbench.app.formatting import amount, estimate_text, number
from workbench.app.page import cached_reads, widgets
from workbench.app.page.session import Session

if TYPE_CHECKING:
    from pipelines.compare import Grid

PER_ROW = 2


def show(study: Study, session: Session) -> None:
    """The page."""
    widgets.head("Compare", "Does this drama sound like acted speech, emotion by emotion?")
    names = cached_reads.comparable(study)
    emotions = study.scheme.label_names
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.multiselect(
            "Data sets", names, default=[study.name, *cached_reads.corpora(study)][:2], key="sets", width=300
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
            list(widgets.STYLES),
            default="fair",
            required=True,
            key="style",
            bind="query-params",
        )
        seed = st.number_input(
            "Seed", 0, 9999, 0, key="seed", bind="query-params", width=120, help="Which nine clips of each are drawn"
        )
    if len(names) == 1:
        widgets.empty(
            "Here spectrograms of this study will stand beside those of acted speech, nine clips of each emotion.",
            f"Say where an acted corpus lies on this machine ({', '.join(cached_reads.corpus_titles())}):",
            "workbench corpus add tess PATH",
        )
    if not chosen:
        st.caption("Choose two or more data sets.")
        return
    made = cached_reads.comparison(study, chosen, emotion, widgets.STYLES[style], int(seed))
    for first in range(0, len(made.grids), PER_ROW):
        for column, grid in zip(st.columns(PER_ROW), made.grids[first : first + PER_ROW], strict=False):
            with column:
                _grid(session, grid)
    _numbers(made.rows)


def _grid(session: Session, grid: "Grid") -> None:
    key = f"{grid.corpus}-{grid.emotion}-{grid.style.name}-{grid.seed}"
    heard: int | None = session.recall(f"heard {key}", None)
    st.markdown(f"**{grid.title}** · {grid.counts}")
    st.pills(
        "Hear panel",
        list(range(1, len(grid.panels) + 1)),
        key=f"hear-{key}",
        label_visibility="collapsed",
        on_change=lambda: _chose(session, key, st.session_state[f"hear-{key}"]),
    )
    with st.container(height=66, border=False):
        if heard is None:
            st.caption("Choose a number, or click ▶ in a panel, to play it.")
        else:
            widgets.hear(grid.panels[heard].clip.path, autoplay=True)
    st.plotly_chart(
        charts.spectrogram_grid(grid, chosen=heard),
        key=f"grid-{key}",
        on_select=lambda: _chose(session, key, _clicked(st.session_state[f"grid-{key}"])),
        selection_mode="points",
        config={"displayModeBar": False},
    )
    if heard is not None:
        st.caption(f"Panel {heard + 1} is {grid.panels[heard].clip.clip.clip_id}.")
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


def _chose(session: Session, key: str, number: int | None) -> None:
    """Remember the panel to hear, whether its number or its ▶ was chosen."""
    session.keep(f"heard {key}", None if number is None else number - 1)


def _clicked(event: Any) -> int | None:
    """The number of the panel whose ▶ was clicked."""
    found = [point["customdata"] for point in event["selection"]["points"] if "customdata" in point]
    if not found:
        return None
    index = found[0][0] if isinstance(found[0], Sequence) else found[0]
    return int(index) + 1


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
            "from": amount(row.groups, row.group_word),
            "length in s": f"{number(row.shortest_s)} to {number(row.longest_s)}",
            "likeness": estimate_text(row.similarity, "panels"),
        }
        for row in rows
    ]
    st.dataframe(table, hide_index=True)
