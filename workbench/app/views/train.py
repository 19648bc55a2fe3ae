"""Train: choose data and recipe, see what would happen, start it, watch it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import streamlit as st

from pipelines.errors import PipelineError
from pipelines.recipes.recipe import Recipe, load_recipe, recipe_names
from pipelines.study import Study
from workbench.app.charts import charts
from workbench.app.formatting import duration, number, share, share_text
from workbench.app.page import cached_reads, links, widgets
from workbench.app.page.session import Session, fragment
from workbench.jobs import jobs
from workbench.jobs.jobs import Job
from workbench.releases.training_data import Choice, command

#: The recipe that is offered first.
FIRST = "soap_five"
#: What a step of the worker is called here.
STAGES = {"features": "Features of clip", "train": "Epoch", "spectrograms": "Spectrogram", "seal": "Sealing the run"}
KINDS = {"labels now": "now", "a release": "release", "acted corpora": "corpora"}


def show(study: Study, session: Session) -> None:
    """The page."""
    widgets.head("Train", "What should a model learn from, and would its result mean anything?")
    running = next((job for job in cached_reads.training_jobs(study) if not job.is_over), None)
    if running and "job" not in st.query_params:
        st.query_params["job"] = running.job_id
    if "job" in st.query_params:
        _watch(study, session, st.query_params["job"])
    else:
        _choose(study)


def _choose(study: Study) -> None:
    left, right = st.columns([4, 7], gap="large")
    with left:
        choice = _data(study)
        recipe = _recipe(study)
        overrides, seeds = _settings(recipe)
    with right:
        try:
            plan, lines = cached_reads.plan(study, choice, recipe.name, overrides)
        except PipelineError as error:
            st.warning(f"This cannot be trained yet: {error}", icon=":material/block:")
            if choice.kind == "now":
                st.caption("Labels come from the Label page, or from a file: `workbench labels import FILE`")
            return
        clips = plan["data"]["clips"]
        if st.button(
            f"Train {recipe.name} on {choice.words(clips)}",
            type="primary",
            icon=":material/model_training:",
            key="train",
        ):
            title = f"{recipe.title} on {choice.words(clips)}"
            arguments = command(study, choice, recipe.name, seeds=seeds, overrides=overrides)
            job = jobs.start(study, arguments, title, about=asdict(lines))
            st.query_params["job"] = job.job_id
            st.rerun()
        _verdict(plan)
        if choice.kind == "now":
            widgets.simulated_note(cached_reads.counts_machines(study))
        _published(recipe)


def _data(study: Study) -> Choice:
    said = st.segmented_control(
        "Data", list(KINDS), default="labels now", required=True, key="data", bind="query-params"
    )
    kind = KINDS[said]
    if kind == "release":
        names = cached_reads.releases(study)
        if not names:
            st.caption("No release yet: `workbench release create NAME`")
            return Choice("release")
        picked = st.selectbox("Release", list(reversed(names)), key="release", bind="query-params")
        return Choice("release", (picked,))
    if kind == "corpora":
        known = cached_reads.corpora(study)
        if not known:
            st.caption("No corpus is known on this machine yet: `workbench corpus add NAME PATH`")
            return Choice("corpora")
        several = st.multiselect("Corpora", known, default=known[:1], key="corpora")
        return Choice("corpora", tuple(several))
    return Choice("now")


def _recipe(study: Study) -> Recipe:
    folder = study.manifests / "recipes"
    names = recipe_names(folder)
    name = st.selectbox(
        "Recipe",
        names,
        index=names.index(FIRST) if FIRST in names else 0,
        key="recipe",
        bind="query-params",
    )
    recipe = load_recipe(name, folder=folder)
    st.caption(f"{recipe.title}: {recipe.description}.")
    return recipe


def _settings(recipe: Recipe) -> tuple[tuple[str, ...], int]:
    with st.expander("Epochs and seeds"):
        epochs = st.number_input("Epochs at most", 1, 5000, recipe.training.epochs, key=f"epochs-{recipe.name}")
        seeds = st.number_input("Repeat with how many seeds", 1, 20, 1, key="seeds")
    changed = (f"training.epochs={epochs}",) if epochs != recipe.training.epochs else ()
    return changed, int(seeds)


def _verdict(plan: Mapping[str, Any]) -> None:
    leak = plan["leak"]
    if leak["found"]:
        st.error(leak["sentence"], icon=":material/warning:")
    else:
        st.success(leak["sentence"], icon=":material/verified:")
    split = plan["split"]["parts"]
    word = plan["data"]["group_word"]
    rows = [
        {
            "part": {"train": "training", "valid": "validation", "test": "test"}[part],
            f"{word}s": len(facts["groups"]),
            "clips": facts["clips"],
            "rows": facts["rows"],
            **facts["labels"],
        }
        for part, facts in split.items()
    ]
    st.dataframe(rows, hide_index=True)
    copies = (
        " Rows count a clip and its changed copies."
        if any(one["rows"] != one["clips"] for one in split.values())
        else ""
    )
    st.caption(" ".join(f"{note[0].upper()}{note[1:]}." for note in plan["notes"]) + copies)


def _published(recipe: Recipe) -> None:
    said = recipe.published
    with st.expander("Published results, and what this recipe changes", expanded=said is not None):
        if said is not None and said.accuracy is not None:
            st.markdown(
                f"**{said.source}** reported {share(said.accuracy)} accuracy{f' ({said.table})' if said.table else ''}."
            )
        for title, lines in (("Flaws kept on, as published", recipe.flaws), ("Corrected", recipe.corrections)):
            if lines:
                st.markdown(f"{title}:\n" + "\n".join(f"- {line}" for line in lines))


def _watch(study: Study, session: Session, job_id: str) -> None:
    job = jobs.open_job(study, job_id)
    every = None if job.is_over else 1.0
    fragment(_progress, run_every=every)(study, session, job_id)


def _progress(study: Study, session: Session, job_id: str) -> None:
    job = jobs.open_job(study, job_id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{job.title}** · {_state(job)}")
        if job.is_over:
            if st.button("Train something else", key="again"):
                del st.query_params["job"]
                st.rerun()
        elif st.button("Cancel", icon=":material/stop_circle:", key="cancel"):
            jobs.cancel(job)
            st.rerun(scope="fragment")
    if job.state == "failed":
        st.error(job.message or "It ended without saying why; see the job's log.", icon=":material/error:")
    if job.state == "lost":
        st.warning("Its process stopped before the end. Start it again.")
    if not job.is_over:
        _bar(job)
    history = cached_reads.curves(job)
    if history:
        progress = job.progress
        total = int(progress.total) if progress and progress.total and progress.stage == "train" else None
        figure = charts.training_curves(
            history,
            chance=job.about.get("chance"),
            ceiling=job.about.get("rater"),
            ceiling_name="one simulated rater" if job.about.get("simulated") else "human ceiling",
            epochs=total,
        )
        st.plotly_chart(figure, key=f"live-{job_id}")
    if job.state == "done":
        _finished(study, session, job)
    if job.is_over and "watched" in st.session_state:
        st.session_state.pop("watched")
        st.rerun()
    if not job.is_over:
        st.session_state["watched"] = job_id


def _bar(job: Job) -> None:
    progress = job.progress
    if progress is None:
        st.progress(0.0, "Getting ready: this takes some ten seconds")
        return
    eta = f", about {duration(job.eta_s)} left in this step" if job.eta_s is not None else ""
    done = progress.numbers.get("epoch", progress.done)
    of = f" of {number(progress.total)}" if progress.total else ""
    st.progress(progress.fraction or 0.0, f"{STAGES.get(progress.stage, progress.stage)} {number(done)}{of}{eta}")
    st.caption("You can leave this page: the training continues and is shown here again.")


def _finished(study: Study, session: Session, job: Job) -> None:
    for run in cached_reads.runs_of(study, job):
        st.markdown(f"### {share_text(run.metrics['accuracy'])}")
        links.button(session, "runs", "Open the run", key=f"open-{run.run_id}", run=run.run_id)


def _state(job: Job) -> str:
    words = {
        "waiting": "about to start",
        "running": "running",
        "done": "done",
        "failed": "failed",
        "cancelled": "cancelled, nothing half-made was left",
        "lost": "lost",
    }
    return f"{words[job.state]} · {duration(job.seconds)}"
