"""Clips: every kept clip to find, hear and see; and why the others were not kept."""

from collections.abc import Mapping
from functools import partial

import streamlit as st

from pipelines.study import Study
from pipelines.units import SourceId
from workbench.app.charts import charts
from workbench.app.formatting import amount, clock, literal, number, share
from workbench.app.page import cached_reads, clip_panel, links, widgets
from workbench.app.page.session import Session
from workbench.app.views.ingest import ingest_reads
from workbench.curation.clip_table import STATES, ClipRow

TABLE_HEIGHT = 390


def show(study: Study, session: Session) -> None:
    """The page."""
    widgets.head("Clips", "What is there to hear, and what became of the rest?")
    rows = cached_reads.clip_rows(study)
    if not rows:
        widgets.empty(
            "Here every clip will stand: to hear, to see, with its answers and their history.",
            "Clips are cut from recordings, which come in on the page Ingest or by one command; what is already "
            "there is not done again.",
            f"workbench ingest FILE_OR_FOLDER_OR_URL --study {study.name}",
            door=partial(links.button, session, "ingest", "Add recordings", key="add"),
        )
        return
    kept, rejected = st.tabs(["Kept", "Not kept, and why"], key="part", bind="query-params")
    with kept:
        _kept(study, rows)
    with rejected:
        _rejected(study, len(rows))


def _kept(study: Study, rows: tuple[ClipRow, ...]) -> None:
    labels = {entry.name: charts.signed(entry) for entry in study.scheme.labels}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        wanted = st.pills("Called", list(labels), format_func=labels.__getitem__, selection_mode="multi", key="label")
        states = st.multiselect("State", STATES, key="state", bind="query-params", placeholder="any", width=170)
        words = st.text_input("Clip or source holds", key="find", bind="query-params", width=150)
    names = ingest_reads.names(study)
    found = [
        row
        for row in rows
        if (not wanted or row.label in wanted)
        and (not states or row.state in states)
        and words.lower() in f"{row.clip.clip_id} {names.get(row.clip.source_id, '')}".lower()
    ]
    left, right = st.columns([6, 5], gap="medium")
    with left:
        st.caption(
            f"{amount(len(found), 'clip')} of {number(len(rows))}. Click a row, then ↑ and ↓ to play them in turn."
        )
        table = [_cells(row, labels, names) for row in found]
        event = st.dataframe(
            table,
            column_order=[name for name in table[0] if name != "clip"] if table else None,
            column_config={"recording": st.column_config.TextColumn(width=170)},
            hide_index=True,
            height=TABLE_HEIGHT,
            on_select="rerun",
            selection_mode="single-cell",
            key="clips-table",
            placeholder="",
        )
        widgets.table_download(table, "clips.csv")
    chosen = _chosen(found, rows, [row for row, _ in event["selection"]["cells"]])
    with right:
        if chosen is None and "clip" in st.query_params:
            st.caption(
                f"No clip is called {literal(st.query_params['clip'])}: it may have been removed from the study."
            )
        elif chosen is None:
            st.caption("Choose a clip on the left to play it and to see its waveform, answers and history.")
        else:
            clip_panel.show(study, chosen, autoplay=bool(event["selection"]["cells"]))


def _chosen(found: list[ClipRow], rows: tuple[ClipRow, ...], selected: list[int]) -> ClipRow | None:
    """The row that was clicked; else the one in the URL, so that a finding can be sent to a colleague."""
    if selected and selected[0] < len(found):
        st.query_params["clip"] = found[selected[0]].clip.clip_id
        return found[selected[0]]
    named = st.query_params.get("clip")
    return next((row for row in rows if row.clip.clip_id == named), None)


def _cells(row: ClipRow, labels: dict[str, str], names: Mapping[SourceId, str]) -> dict[str, str | float | int | None]:
    return {
        "clip": row.clip.clip_id,
        "recording": names.get(row.clip.source_id, row.clip.source_id),
        "at": clock(row.clip.start_s),
        "called": labels.get(row.label or "", ""),
        "state": row.state,
        "answers": row.answers,
        "agree": share(row.share),
        **{name.replace("_", " "): value for name, value in row.clip.metrics.items()},
    }


def _rejected(study: Study, kept: int) -> None:
    reasons = cached_reads.rejected(study)
    if reasons is None:
        widgets.empty(
            "Here the windows that were not kept will be counted, by reason.",
            "Every ingest keeps all windows with their scores; this study has none on this machine.",
            f"workbench ingest FILE_OR_FOLDER_OR_URL --study {study.name}",
        )
        return
    total = kept + sum(reasons.values())
    st.markdown(f"Of {amount(total, 'window')}, {number(kept)} were kept ({share(kept / total if total else None)}).")
    if reasons:
        st.plotly_chart(charts.reason_counts(reasons), key="reasons")
        widgets.table_download([{"reason": name, "windows": count} for name, count in reasons.items()], "rejected.csv")
    else:
        st.caption("Nothing was rejected.")
