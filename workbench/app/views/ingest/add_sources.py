"""Add recordings: ask for them, see at once what is wrong, look at what would happen, then start."""

from pathlib import Path
from typing import Any

import streamlit as st

from pipelines.study import Study
from workbench.app.formatting import amount, duration, literal, number, size
from workbench.app.page import widgets
from workbench.app.page.session import Session
from workbench.app.views.ingest import ingest_reads
from workbench.app.views.ingest.ingest_reads import Now
from workbench.app.views.ingest.server_files import Folders, as_options, open_folders
from workbench.jobs import jobs
from workbench.jobs.jobs import Job
from workbench.status.source_requests import Asked, asked_lines, asked_table

WAYS = ("Addresses", "Files on the server", "A table (CSV)")
EXAMPLE = """uri,rights_basis,series,season,episode
https://example.org/play-1.mp4,public domain (US),The Play,1,1
/srv/recordings/play-2.wav,,The Play,1,2"""
VERDICTS = {"accept": "✓ accepted", "defer": "◷ later", "reject": "✕ rejected"}
#: So many of what cannot be taken are told in sentences; more are left to the table.
MOST_TOLD = 4


def show(study: Study, session: Session, now: Now) -> None:
    """The form and, beside it, what a look ahead found."""
    folders = open_folders(study, session)
    left, right = st.columns([5, 6], gap="medium")
    with left:
        asked, rights = _form(study, folders)
        _buttons(study, now, asked, rights, folders)
    with right:
        _looked(study, now, folders)


def _form(study: Study, folders: Folders) -> tuple[Asked, str]:
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
        asked = asked_table(text, study, rights_basis=rights or known, within=folders)
    else:
        asked = asked_lines(text, study.root, within=folders)
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


def _buttons(study: Study, now: Now, asked: Asked, rights: str, folders: Folders) -> None:
    busy = now.running is not None
    has_folder = any(Path(given).is_dir() for given in asked.inputs if "://" not in given)
    many = "recordings" if has_folder else amount(asked.count, "recording")
    basis = ["--rights-basis", rights] if rights else []
    options = [*as_options(folders), *basis, "--study", study.name, "--json"]
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Check first", key="check", icon=":material/search:", disabled=busy or not asked.is_ready):
            job = jobs.start(study, ["ingest", *asked.inputs, "--dry-run", *options], f"Look at {many}")
            st.query_params["check"] = job.job_id
            st.rerun()
        if _is_looked_at(study, asked):  # then the button beside what was found starts it
            return
        label = f"Start {many}" if asked.is_ready and not has_folder else "Start"
        if st.button(label, type="primary", key="start", disabled=busy or not asked.is_ready):
            jobs.start(study, ["ingest", *asked.inputs, *options], f"Ingest {many}")
            st.query_params.pop("check", None)
            st.rerun()
        if busy:
            looks = now.running is not None and ingest_reads.is_rehearsal(now.running)
            st.caption("Checking." if looks else "An ingest is running; wait until it has ended.")


def _is_looked_at(study: Study, asked: Asked) -> bool:
    """Whether the answer that stands on the page is to just what is asked for in the form."""
    job_id = st.query_params.get("check")
    job = jobs.open_job(study, job_id) if job_id else None
    return job is not None and job.state == "done" and job.argv[1 : 1 + len(asked.inputs)] == asked.inputs != ()


def _looked(study: Study, now: Now, folders: Folders) -> None:
    job_id = st.query_params.get("check")
    if not job_id:
        st.caption(
            "“Check first” asks every site once and fetches nothing: what is there, what is private, live or blocked, "
            "how much disk and time it takes. “Start” fetches, listens and cuts; what is done is not done again."
        )
        return
    job = jobs.open_job(study, job_id)
    if not job.is_over:
        st.caption("Results appear here in a moment.")
        return
    found = job.result
    if job.state != "done" and not (isinstance(found, dict) and found.get("sources")):
        told = found.get("error") if isinstance(found, dict) else ""
        st.error(told or job.message or "It ended without saying why.", icon=":material/error:")
        return
    _told(study, now, job, found, folders)


def _told(study: Study, now: Now, job: Job, found: dict[str, Any], folders: Folders) -> None:
    from pipelines.ingest.sources import called

    rows = found["sources"]
    taken = [row for row in rows if row["verdict"] == "accept"]
    needed, free = found["disk_needed_bytes"], found["disk_free_bytes"]
    st.markdown(
        f"**{amount(len(taken), 'recording')} of {number(len(rows))} can be taken:** {size(needed)} of disk "
        f"({size(free)} are free), about {duration(found['estimated_s'])}."
    )
    table = [
        {
            "verdict": VERDICTS.get(row["verdict"], row["verdict"]),
            "recording": called(row["source_id"], row["input"]),
            "why": row["reason"].removeprefix(f"{Path(row['input']).name}: ")
            or ("there already" if row["status"] == "unchanged" else ""),
            "length": duration(row["duration_s"]) if row["duration_s"] is not None else "–",
            "size": size(row["size_bytes"]) if row["size_bytes"] else "–",
        }
        for row in rows
    ]
    table.sort(key=lambda row: list(VERDICTS.values()).index(row["verdict"]), reverse=True)  # what cannot be had first
    told = [row for row in table if row["why"] and row["verdict"] != VERDICTS["accept"]]
    few = len(told) <= MOST_TOLD  # then there is room for whole sentences below
    st.dataframe(
        table,
        column_order=[name for name in ("verdict", "recording", "why", "length", "size") if name != "why" or not few],
        hide_index=True,
        height=min(240, 38 + 35 * len(table)),
        column_config={
            "verdict": st.column_config.TextColumn(width=85),
            "recording": st.column_config.TextColumn(width=240 if few else 150),
            "why": st.column_config.TextColumn(width=250),
        },
    )
    if few:
        st.markdown(
            "\n".join(f"- {row['verdict']}: **{literal(row['recording'])}** {literal(row['why'])}" for row in told)
        )
    widgets.table_download(table, "check.csv")
    many = amount(len(taken), "recording")
    busy = now.running is not None
    if taken and st.button(f"Start {many}", type="primary", key="start-checked", disabled=busy):
        jobs.start(study, _in_earnest(job, folders), f"Ingest {many}")
        st.query_params.pop("check", None)
        st.rerun()


def _in_earnest(job: Job, folders: Folders) -> list[str]:
    """The command of a look ahead, perhaps somebody else's, as this person may give it."""
    words = iter(word for word in job.argv[1:] if word != "--dry-run")
    kept = [word for word in words if word != "--within" or not next(words)]
    return ["ingest", *kept, *as_options(folders)]
