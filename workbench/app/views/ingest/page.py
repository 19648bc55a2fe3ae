"""Ingest: which recordings are in, and what is left to do?"""

import streamlit as st

from pipelines.study import Study
from workbench.app.formatting import amount, duration
from workbench.app.page import links, widgets
from workbench.app.page.session import Session
from workbench.app.views.ingest import add_sources, current_run, funnel, ingest_reads, screens, source_list, window
from workbench.app.views.ingest.ingest_reads import Now
from workbench.status import ingest_status

PARTS = ("Recordings", "Funnel", "Screens")


def show(study: Study, session: Session) -> None:
    """The page."""
    widgets.head("Ingest", "Which recordings are in, and what is left to do?")
    now = ingest_reads.now(study)
    has_candidates = ingest_reads.candidates(study) is not None
    clips = sum(now.clips.values())
    looking = now.running is not None and ingest_reads.is_rehearsal(now.running)
    running_now = now.running is not None
    step = ingest_status.next_step(
        now.states, clips, running=running_now, has_candidates=has_candidates, looking=looking
    )
    is_empty = not now.standings and (now.running is None or looking)
    if not is_empty or looking:
        _top(study, session, now, step)
    current_run.show(study, now)
    if is_empty:
        widgets.empty(
            "No recordings yet. This page will list each with its status, its clips and what to do when it fails.",
            "Add addresses, files or folders on the server, or a table. Nothing starts before you click Start, "
            "and finished work is not repeated. From a shell:",
            f"workbench ingest FILE_OR_FOLDER_OR_URL --study {study.name}",
        )
        add_sources.show(study, session, now)
        return
    if "clip" in st.query_params:
        window.show(study, session, st.query_params["clip"])
    first = PARTS[2] if "screen" in st.query_params else PARTS[0]
    tabs = st.tabs(PARTS, default=first, key="part", on_change="rerun", bind="query-params")
    drawn = (source_list.show, funnel.show, screens.show)
    for tab, draw in zip(tabs, drawn, strict=True):
        if tab.open:
            with tab:
                draw(study, session, now)


def _top(study: Study, session: Session, now: Now, step: ingest_status.NextStep) -> None:
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f"{_stock(now)} {step.sentence}", width="stretch")
        if not step.button:
            return
        if step.action == "hear":
            links.button(session, "clips", step.button, key="next")
        elif st.button(step.button, type="primary", key="next"):
            if step.action == "start":
                source_list.start_all(study, session, now)
            elif step.action == "mend":
                st.session_state["part"] = PARTS[0]
                session.keep("wanted states", ["needs you"])
            elif step.action == "screens":
                st.session_state["part"] = PARTS[2]
            else:
                session.keep("adding", True)
            st.rerun()


def _stock(now: Now) -> str:
    done = [one for one in now.standings if one.state == "done"]
    if not done or now.running is not None:  # what a run gave is known when it has ended
        return ""
    sound = sum(one.seconds or 0.0 for one in done)
    gave = amount(sum(now.clips.values()), "clip")
    return f"**{amount(len(done), 'recording')}, {duration(sound)} of sound, gave {gave}.**"
