"""An ingest that runs: how far it is, how long it may need, and a way to stop it. It survives leaving the page."""

import time
from collections import Counter

import streamlit as st

from pipelines.study import Study
from workbench.app.formatting import amount, duration, literal, number
from workbench.app.page.session import fragment
from workbench.app.views.ingest import ingest_reads
from workbench.app.views.ingest.ingest_reads import Now
from workbench.jobs import jobs
from workbench.jobs.jobs import Job
from workbench.labels.answered_clips import leaving_words
from workbench.status import ingest_status

#: What a stage is called while it is on its way.
STAGES = {"fetch": "fetching", "analyse": "listening to"}
#: Steps that an ingest goes through as a whole, before and after its recordings.
WHOLE = {
    "check": "Looking at what there is to do",
    "read through": "Reading new recordings through",
    "look": "Asking the sites",
    "fetch": "Fetching",
    "fetch video": "Fetching pictures",
    "videos": "Fetching pictures",
    "shots": "Looking for cuts in pictures",
    "analyse": "Listening",
    "sources": "Ending",
    "searching for repeats": "Looking for what sounds in several recordings",
    "refining repeats": "Hearing what sounds in several recordings",
    "decide": "Deciding which windows become clips",
    "cut": "Cutting clips",
    "clips": "Cutting clips",
}
#: So many recordings under way are named at once.
MOST_NAMED = 4
#: While a run goes on, the whole page is drawn anew where something changed, at most this often, in seconds.
FRESH_S = 5.0


def show(study: Study, now: Now) -> None:
    """What runs now, drawn again each second, and what became of the newest one. A look ahead is told where asked."""
    job = next((job for job in now.jobs if not job.is_over or not ingest_reads.is_rehearsal(job)), None)
    if job is not None:
        fragment(_job, run_every=None if job.is_over else 1.0)(
            study, job.job_id, ingest_reads.counts(study), time.monotonic()
        )


def _job(study: Study, job_id: str, drawn: Counter[ingest_status.State], drawn_at: float) -> None:
    job = jobs.open_job(study, job_id)
    if job.is_over:
        _over(job)
        if st.session_state.pop("watched ingest", None) == job_id:
            st.rerun()  # what it made belongs into all that stands on the page
        return
    st.session_state["watched ingest"] = job_id
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(_fraction(job), _line(job))
        if st.button("Stop", icon=":material/stop_circle:", key="stop-ingest"):
            jobs.cancel(job)
            st.rerun(scope="fragment")
    named = list(ingest_reads.under_way(job).items())[-MOST_NAMED:]
    called = ingest_reads.told_apart(study)
    words = [f"{STAGES[stage]} **{literal(called(source))}**" for source, (stage, _) in named]
    fetched = ingest_reads.fetched_bytes(job)
    words += [f"{number(fetched / 1e6)} MB fetched"] if fetched else []
    if job.argv[0] == "ingest" and not ingest_reads.is_rehearsal(job):
        count = ingest_reads.counts(study)
        words += [
            f"{ingest_status.SIGNS[state]} {state} {count[state]}" for state in ingest_status.STATES if count[state]
        ]
        if count != drawn and time.monotonic() - drawn_at > FRESH_S:
            st.rerun()  # the table below says how each stands
    st.caption(" · ".join([*words, "You may leave this page: it goes on, and is found again here."]))


def _fraction(job: Job) -> float:
    done, total = ingest_reads.ended(job)
    if not total:
        progress = job.progress
        return (progress.fraction or 0.0) if progress else 0.0
    part = sum(share for _, share in ingest_reads.under_way(job).values())
    return min(1.0, (done + part) / total)


def _line(job: Job) -> str:
    progress = job.progress
    if progress is None:
        return f"{job.title}: about to start"
    done, total = ingest_reads.ended(job)
    if total and done < total and progress.stage not in ("check", "look"):
        return f"{number(done)} of {amount(total, 'recording')} ended{_left(ingest_reads.eta_s(job))}"
    left = _left(job.eta_s) if progress.stage == "read through" else ""
    return f"{job.title}: {WHOLE.get(progress.stage, 'Working')}{left} · {duration(job.seconds)}"


def _left(eta_s: float | None) -> str:
    return f", about {duration(eta_s)} left" if eta_s is not None else ""


def _over(job: Job) -> None:
    if job.state == "failed":
        st.error(_why(job), icon=":material/error:")
    elif job.state == "lost":
        st.warning(f"{job.title}: the machine or the process was stopped. Nothing is lost: start again to resume.")
    elif job.state == "cancelled":
        st.info(f"{job.title}: stopped. No half-written files were left; start again to resume.")
    elif isinstance(told := job.result, dict) and told.get("left_answered"):
        left = sum(told["left"].values())
        st.info(f"{job.title}: {leaving_words(left, told['left_answered'], is_done=True)}", icon=":material/label:")


def _why(job: Job) -> str:
    result = job.result
    if isinstance(result, dict) and result.get("error"):
        return f"{job.title}: {result['error']}"
    if isinstance(result, dict) and result.get("sources"):
        return f"{job.title}: none of its recordings could be used; the table says why of each."
    return f"{job.title}: {job.message or 'it ended without saying why'}"
