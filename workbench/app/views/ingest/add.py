"""Add recordings: ask for them, see at once what is wrong, look at what would happen, then start."""

from typing import Any

import streamlit as st

from pipelines.study import Study
from workbench import jobs
from workbench.app import parts
from workbench.app.ingest_reads import Now
from workbench.app.words import amount, duration, number
from workbench.asked import Asked, asked_lines, asked_table
from workbench.jobs import Job

WAYS = ("Addresses", "Files on the server", "A table (CSV)")
EXAMPLE = """uri,rights_basis,series,season,episode
https://example.org/play-1.mp4,public domain (US),The Play,1,1
/srv/recordings/play-2.wav,,The Play,1,2"""
VERDICTS = {"accept": "✓ accepted", "defer": "◷ later", "reject": "✕ rejected"}


def show(study: Study, now: Now) -> None:
    """The form and, beside it, what a look ahead found."""
    left, right = st.columns([5, 6], gap="medium")
    with left:
        asked, rights = _form(study)
        _buttons(study, now, asked, rights)
    with right:
        _looked(study, now)


def _form(study: Study) -> tuple[Asked, str]:
    way = st.segmented_control(
        "Where from", WAYS, default=WAYS[0], required=True, key="way", label_visibility="collapsed"
    )
    text = ""
    if way == WAYS[2]:
        text = _table()
    else:
        hint = (
            "https://example.org/episode-1.mp4"
            if way == WAYS[0]
            else "/srv/recordings/episode-1.wav, or a whole folder"
        )
        text = st.text_area("One on each line", placeholder=hint, height=110, key=f"lines-{way}")
    known = study.settings.rights_basis
    rights = st.text_input(
        "On what ground may they be used?",
        placeholder=known or "such as: public domain (US), or: the producer agreed in writing on 3 May",
        help="Kept with every recording and told in every release." + (f" Empty: {known}" if known else ""),
        key="rights",
    ).strip()
    if way == WAYS[2]:
        asked = asked_table(text, study, rights_basis=rights or known)
    else:
        asked = asked_lines(text, study.root)
        if asked.inputs and not (rights or known):
            asked = Asked(asked.inputs, asked.count, (*asked.problems, "Say on what ground they may be used."))
    if asked.problems:
        st.warning("\n".join(f"- {problem}" for problem in asked.problems), icon=":material/edit:")
    return asked, rights


def _table() -> str:
    file = st.file_uploader("A CSV file", type="csv", key="table-file")
    if file is not None:
        return file.getvalue().decode("utf-8-sig", errors="replace")
    return st.text_area("Or paste its text", placeholder=EXAMPLE, height=110, key="table-text")


def _buttons(study: Study, now: Now, asked: Asked, rights: str) -> None:
    busy = now.running is not None
    many = amount(asked.count, "recording")
    options = [*(["--rights-basis", rights] if rights else []), "--study", study.name, "--json"]
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Check first", key="check", icon=":material/search:", disabled=busy or not asked.is_ready):
            job = jobs.start(study, ["ingest", *asked.inputs, "--dry-run", *options], f"Look at {many}")
            st.query_params["check"] = job.job_id
            st.rerun()
        label = f"Start {many}" if asked.is_ready else "Start"
        if st.button(label, type="primary", key="start", disabled=busy or not asked.is_ready):
            jobs.start(study, ["ingest", *asked.inputs, *options], f"Ingest {many}")
            st.query_params.pop("check", None)
            st.rerun()
        if busy:
            st.caption("An ingest is running; wait until it has ended.")


def _looked(study: Study, now: Now) -> None:
    job_id = st.query_params.get("check")
    if not job_id:
        st.caption(
            "“Check first” asks every site once and fetches nothing: what is there, what is private, live or blocked, "
            "how much disk and time it takes. “Start” fetches, listens and cuts; what is done is not done again."
        )
        return
    job = jobs.open_job(study, job_id)
    if not job.is_over:
        st.caption("Looking; it is told here.")
        return
    found = job.result
    if job.state != "done" and not (isinstance(found, dict) and found.get("sources")):
        told = found.get("error") if isinstance(found, dict) else ""
        st.error(told or job.message or "It ended without saying why.", icon=":material/error:")
        return
    _told(study, now, job, found)


def _told(study: Study, now: Now, job: Job, found: dict[str, Any]) -> None:
    rows = found["sources"]
    taken = [row for row in rows if row["verdict"] == "accept"]
    needed, free = found["disk_needed_bytes"], found["disk_free_bytes"]
    st.markdown(
        f"**{amount(len(taken), 'recording')} of {number(len(rows))} can be taken:** {number(needed / 1e9)} GB of disk "
        f"({number(free / 1e9)} GB are free), about {duration(found['estimated_s'])}."
    )
    table = [
        {
            "verdict": VERDICTS.get(row["verdict"], row["verdict"]),
            "recording": row["source_id"] or row["input"],
            "length": duration(row["duration_s"]) if row["duration_s"] is not None else "–",
            "size": f"{number(row['size_bytes'] / 1e6)} MB" if row["size_bytes"] else "–",
            "why": row["reason"] or ("there already" if row["status"] == "unchanged" else ""),
        }
        for row in rows
    ]
    st.dataframe(table, hide_index=True, height=min(240, 38 + 35 * len(table)))
    parts.table_download(table, "check.csv")
    many = amount(len(taken), "recording")
    busy = now.running is not None
    if taken and st.button(f"Start {many}", type="primary", key="start-checked", disabled=busy):
        jobs.start(study, [word for word in job.argv if word != "--dry-run"], f"Ingest {many}")
        st.query_params.pop("check", None)
        st.rerun()
