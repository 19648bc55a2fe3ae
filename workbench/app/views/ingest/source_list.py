"""The recordings of a study: how far each is, what stands in its way, and what a person can do about it."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from pipelines.ingest.state.operator_requests import request_action
from pipelines.ingest.state.status import as_argument
from pipelines.study import Study
from workbench.app.formatting import amount, duration, literal
from workbench.app.page import links, widgets
from workbench.app.page.session import Session
from workbench.app.views.ingest import add_sources, past_runs
from workbench.app.views.ingest.ingest_reads import Now
from workbench.app.views.ingest.server_files import as_options, open_folders
from workbench.jobs import jobs
from workbench.status import ingest_status

if TYPE_CHECKING:
    from pipelines.ingest.state.status import SourceStanding

TABLE_HEIGHT = 300
COLUMNS = ("recording", "stands", "clips", "length", "why")


def start_all(study: Study, session: Session, now: Now) -> None:
    """Run what is left, as a person would type it."""
    from pipelines.ingest.state.status import unlisted_inputs

    more = unlisted_inputs(now.standings)
    listed = [str(study.sources_csv)] if more and study.sources_csv.is_file() else []
    options = [*as_options(open_folders(study, session)), "--study", study.name, "--json"]
    jobs.start(study, ["ingest", *listed, *more, *options], "Ingest")


def show(study: Study, session: Session, now: Now) -> None:
    """The table, the recording chosen in it, and the way to add more."""
    count = Counter(now.states)
    with st.expander(
        "Add recordings",
        icon=":material/add:",
        expanded=bool(session.recall("adding", False) or "check" in st.query_params),
    ):
        add_sources.show(study, session, now)
    if not now.standings:
        st.caption("Recordings appear here once the run has reached them.")
        return
    present = [state for state in ingest_status.STATES if count[state]]
    asked_for: list[ingest_status.State] = session.recall("wanted states", [])
    first = [state for state in asked_for if state in present]
    session.keep("wanted states", [])
    if first:
        st.session_state["standing"] = first
    with st.container(horizontal=True, vertical_alignment="center"):
        wanted = st.pills(
            "How they stand",
            present,
            format_func=lambda state: f"{ingest_status.SIGNS[state]} {state} {count[state]}",
            selection_mode="multi",
            key="standing",
            label_visibility="collapsed",
        )
        words = st.text_input(
            "Name holds",
            key="find",
            bind="query-params",
            width=180,
            placeholder="name holds",
            label_visibility="collapsed",
        )
        if st.button("Start all", key="start-all", icon=":material/play_arrow:", disabled=now.running is not None):
            start_all(study, session, now)
            st.rerun()
    found = [
        (one, state)
        for one, state in zip(now.standings, now.states, strict=True)
        if (not wanted or state in wanted) and words.lower() in f"{one.source_id} {one.title} {one.uri}".lower()
    ]
    found.sort(key=lambda pair: ingest_status.STATES.index(pair[1]))  # what asks for somebody first
    is_one_chosen = "source" in st.query_params or bool(_rows(st.session_state.get("sources-table")))
    left, right = st.columns([8, 4] if is_one_chosen else [40, 1], gap="medium" if is_one_chosen else "xxsmall")
    with left:
        if not is_one_chosen:
            st.caption("Choose a row to see its status, the reason and what can be done.")
        table = [_cells(one, state, now.clips.get(one.source_id, 0)) for one, state in found]
        has_reasons = any(row["why"] for row in table)
        event = st.dataframe(
            table,
            column_order=[name for name in COLUMNS if has_reasons or name != "why"],
            hide_index=True,
            height=min(TABLE_HEIGHT, 38 + 35 * max(1, len(table))),
            on_select="rerun",
            selection_mode="single-row",
            key="sources-table",
            placeholder="",
            column_config={
                "recording": st.column_config.TextColumn(width=(170 if is_one_chosen else 250) if has_reasons else 330),
                "stands": st.column_config.TextColumn(width=110),
                "clips": st.column_config.NumberColumn(width=55),
                "length": st.column_config.TextColumn(width=85),
                "why": st.column_config.TextColumn(width="medium" if is_one_chosen else "large"),
            },
        )
        widgets.table_download(table, "recordings.csv")
    chosen = _chosen(found, now, event["selection"]["rows"])
    if chosen is not None:
        with right:
            _one(study, session, now, *chosen)
    past_runs.show(study)


def _cells(one: "SourceStanding", state: ingest_status.State, clips: int) -> dict[str, str | int]:
    return {
        "recording": one.called,
        "stands": f"{ingest_status.SIGNS[state]} {state}",
        "clips": clips,
        "length": duration(one.seconds) if one.seconds is not None else "–",
        "tries": one.attempts,
        "why": one.reason.removeprefix(f"{one.called}: ") if state not in ("done", "taken down") else "",
    }


def _rows(table: Any) -> Sequence[int]:
    """The rows that are chosen in the table, before it is drawn again."""
    return table["selection"]["rows"] if table else ()


def _chosen(
    found: "Sequence[tuple[SourceStanding, ingest_status.State]]",
    now: Now,
    rows: Sequence[int],
) -> "tuple[SourceStanding, ingest_status.State] | None":
    """The row that was clicked; else the one in the URL, so that it can be sent to a colleague."""
    if rows and rows[0] < len(found):
        st.query_params["source"] = found[rows[0]][0].source_id or found[rows[0]][0].uri
        return found[rows[0]]
    named = st.query_params.get("source")
    both = zip(now.standings, now.states, strict=True)
    return next((pair for pair in both if named and named in (pair[0].source_id, pair[0].uri)), None)


def _one(study: Study, session: Session, now: Now, one: "SourceStanding", state: ingest_status.State) -> None:
    clips = now.clips.get(one.source_id, 0)
    with st.container(border=True):
        st.markdown(f"**{literal(one.called)}**")
        st.markdown(f"{ingest_status.SIGNS[state]} **{state}** · {literal(one.uri)}")
        if one.reason and state != "done":
            st.markdown(literal(one.reason))
        st.caption(ingest_status.advice(one, state))
        facts = []
        if one.seconds is not None:
            spoken = f", {duration(one.speech_s)} of it speech" if one.speech_s is not None else ""
            facts.append(f"{duration(one.seconds)} of sound{spoken}")
        if clips:
            facts.append(amount(clips, "clip"))
        if one.source_id and one.called != one.source_id:
            facts.append(f"in tables and commands: {one.source_id}")
        if one.rights_basis:
            facts.append(f"may be used: {literal(one.rights_basis)}")
        if facts:
            st.caption(" · ".join(facts))
        _buttons(study, session, now, one, state)
        if clips:
            links.link(session, "clips", "Hear its clips", icon=":material/library_music:", find=one.source_id)


def _buttons(study: Study, session: Session, now: Now, one: "SourceStanding", state: ingest_status.State) -> None:
    name = one.source_id or one.uri
    with st.container(horizontal=True):
        if state == "paused":
            if st.button("Resume", type="primary", icon=":material/play_arrow:", key=f"go-{name}"):
                request_action(study, one.source_id, "resume")
                st.rerun()
            return
        if state in ("not begun", "fetched") and st.button(
            "Start this one",
            type="primary",
            icon=":material/play_arrow:",
            key=f"start-{name}",
            disabled=now.running is not None,
        ):
            _start(study, session, one, f"Ingest {name}")
            st.rerun()
        if state in ("needs you", "broke off", "waits", "unusable", "our error") and st.button(
            "Try again", type="primary", icon=":material/refresh:", key=f"retry-{name}"
        ):
            if one.source_id:
                request_action(study, one.source_id, "retry")
            if now.running is None:
                _start(study, session, one, f"Try {name} again")
            st.rerun()
        can_wait = state in ("not begun", "fetched", "broke off", "waits")
        if (
            can_wait
            and one.source_id
            and st.button(
                "Pause",
                icon=":material/pause:",
                key=f"pause-{name}",
                help="This run and later ones leave it until you let it go on",
            )
        ):
            request_action(study, one.source_id, "pause")
            st.rerun()


def _start(study: Study, session: Session, one: "SourceStanding", title: str) -> None:
    """Ingest one recording, as a person would type it."""
    given = one.uri
    if "://" not in given:
        beside = study.manifests / given
        given = str(one.path or (beside if beside.is_file() else given))
    given = as_argument(given)
    options = [*as_options(open_folders(study, session)), "--study", study.name, "--json"]
    jobs.start(study, ["ingest", given, *options], title)
