"""Overview: where the study stands, and the one thing that holds it back."""

import streamlit as st

from pipelines.study import Study
from workbench.app.formatting import amount, brief, duration, estimate_text, number, share, share_text
from workbench.app.page import cached_reads, links, widgets
from workbench.app.page.session import Session, fragment
from workbench.jobs import jobs
from workbench.status.study_status import NextStep, Standing, next_step, trust


def show(study: Study, session: Session) -> None:
    """The page."""
    widgets.head(study.name, "Where does this study stand, and what holds it back?")
    now = cached_reads.overview(study)
    _line(now)
    _next(study, session, next_step(study.name, now))
    widgets.simulated_note(bool(now.simulated))
    if now.clips:
        _doors(session, now)
    _working(study, session)


def _doors(session: Session, now: Standing) -> None:
    with st.container(horizontal=True):
        links.link(session, "clips", "Hear the clips", icon=":material/library_music:")
        links.link(session, "agreement", "Who agrees with whom", icon=":material/handshake:")
        if now.run:
            links.link(session, "runs", "The newest run", icon=":material/leaderboard:", run=now.run.run_id)


def _line(now: Standing) -> None:
    """Hours → clips → labelled → agreed → released → model against people."""
    alpha = now.alpha["value"]
    model, ceiling = "–", "no model yet"
    if now.run:
        model = share(now.run.accuracy["value"])
        who = "one simulated rater" if now.simulated and not now.people else "one rater"
        ceiling = f"{who}: {share(now.run.ceiling['value'])}"
        if now.run.is_leaky:
            ceiling = "LEAKS: tested on what it learnt"
    labelled, by = now.complete, f"by {amount(now.k, 'person', 'people')} each"
    if now.simulated and not now.people:
        labelled, by = now.answered, f"by {amount(now.simulated, 'simulated rater')}"
    steps = [
        ("Sound", brief(now.hours * 3600) if now.hours else "–", amount(now.sources, "source")),
        ("Clips", number(now.clips), f"{number(now.answered)} with an answer"),
        ("Labelled", share(labelled / now.clips) if now.clips else "–", by),
        ("Agreed (alpha)", number(alpha), _alpha_note(now)),
        ("Released", now.release or "–", amount(now.released_clips, "clip") if now.release else "no release yet"),
        ("Model right", model, ceiling),
    ]
    for column, (title, value, note) in zip(st.columns(len(steps)), steps, strict=True):
        with column, st.container(border=True, height="stretch"):
            st.metric(title, value)
            st.caption(note)
    if alpha is not None:
        st.caption(f"Alpha {estimate_text(now.alpha)}. {trust(now.alpha)}")
    if now.run:
        st.caption(f"Newest model ({now.run.recipe}): {share_text(now.run.accuracy, 'test rows')} right.")


def _alpha_note(now: Standing) -> str:
    if now.alpha["value"] is None:
        return "needs two raters"
    if now.alpha["low"] is None:
        return "no interval"
    return f"{number(now.alpha['low'])} to {number(now.alpha['high'])}"


def _next(study: Study, session: Session, step: NextStep) -> None:
    with st.container(border=True):
        st.markdown(f"**Next:** {step.sentence}")
        if step.action == "release":
            _release(study)
            return
        if step.button:
            links.button(session, step.action, step.button, key="next")
        if step.command:
            st.code(step.command, language="bash")


def _release(study: Study) -> None:
    taken = cached_reads.releases(study)
    free = next(name for name in (f"r{n}" for n in range(1, len(taken) + 2)) if name not in taken)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name of the release", free, max_chars=64, width=220)
        if st.button(f"Make release {name}", type="primary", key="release"):
            jobs.start(study, ["release", "create", name, "--study", study.name, "--json"], f"Make release {name}")
            st.rerun()


def _working(study: Study, session: Session) -> None:
    """What runs now, and what went wrong last, drawn again each second while something runs."""
    active = any(not job.is_over for job in jobs.jobs(study))
    fragment(_jobs, run_every=1.0 if active else None)(study, session)


def _jobs(study: Study, session: Session) -> None:
    recent = jobs.jobs(study)[:3]
    running = [job.job_id for job in recent if not job.is_over]
    for job in recent:
        if not job.is_over:
            fraction = job.progress.fraction if job.progress else None
            eta = f", about {duration(job.eta_s)} left" if job.eta_s is not None else ""
            st.progress(fraction or 0.0, f"{job.title}: running{eta}")
            if job.argv[:1] == ("train",):
                links.link(session, "train", "Watch it", job=job.job_id)
        elif job is recent[0] and job.state in ("failed", "lost"):
            st.error(f"{job.title}: {job.message or job.state}", icon=":material/error:")
    before: list[str] = session.recall("running jobs", [])
    session.keep("running jobs", running)
    if before and before != running:  # one has ended: what it made belongs into the line above
        st.rerun()
