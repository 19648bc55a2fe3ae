"""What was lost on the way from hours to clips, where, and whom it hit."""

from dataclasses import replace

import streamlit as st

from pipelines.study import Study
from workbench.app.charts import ingest_charts
from workbench.app.formatting import amount, number, share
from workbench.app.page import widgets
from workbench.app.page.session import Session
from workbench.app.views.ingest import ingest_reads
from workbench.app.views.ingest.ingest_reads import Now
from workbench.status import ingest_status

ARMS = {"model": "chosen by the screens", "random": "drawn at random", "picked": "picked by hand"}


def show(study: Study, _session: Session, _now: Now) -> None:
    """Funnel and reasons on the left, loudness and the random arm on the right, repeats below."""
    found = ingest_reads.funnel(study)
    if found is None:
        widgets.empty(
            "Here stands what was lost on the way: silence, what is heard elsewhere too, what a screen refused.",
            "Every ingest keeps all windows with their scores; this machine has none of this study, or of an older "
            "version.",
            f"workbench ingest --study {study.name}",
        )
        return
    left, right = st.columns([6, 5], gap="medium")
    with left:
        st.markdown("**From hours to clips**")
        steps = [(step.name, step.seconds) for step in found.steps]
        st.plotly_chart(ingest_charts.funnel(steps), key="funnel", config={"displayModeBar": False})
        st.markdown("**Rejected windows by reason** (each under its first reason)")
        reasons = {ingest_status.reason_words(code, study.settings): count for code, count in found.reasons.items()}
        if reasons:
            st.plotly_chart(
                ingest_charts.counts(reasons, unit="windows"), key="reasons", config={"displayModeBar": False}
            )
            widgets.table_download(
                [{"reason": name, "windows": count} for name, count in reasons.items()], "reasons.csv"
            )
        else:
            st.caption("Every window was kept.")
        _answered_outside(study)
    with right:
        st.markdown("**Kept windows by loudness**")
        if found.loudness_quartiles:
            quarters = [
                (
                    f"{name} ({number(one.low)} to {number(one.high)} LUFS)",
                    one.passing / one.windows if one.windows else None,
                    one.windows,
                )
                for name, one in zip(("quietest", "quiet", "loud", "loudest"), found.loudness_quartiles, strict=True)
            ]
            st.plotly_chart(
                ingest_charts.shares(quarters, axis="windows that pass all (%)"),
                key="loudness",
                config={"displayModeBar": False},
            )
            st.caption(
                "Screens that keep clean speech only also reject shouting and crying: the four bars should be alike."
            )
        else:
            st.caption("Too few windows of speech for this figure.")
        st.markdown("**Clips by origin**")
        arms = " · ".join(f"{ARMS.get(arm, arm)}: {number(count)}" for arm, count in found.arms.items())
        st.markdown(arms or "There is no clip yet.")
        drawn = found.arms.get("random", 0)
        if drawn:
            st.caption(
                f"{amount(drawn, 'clip')} ({share(drawn / sum(found.arms.values()))}) came in by lot, so that one can "
                f"see what the screens throw away: {number(found.random_would_fail)} of them would have been refused."
            )
    _repeats(study)


def _answered_outside(study: Study) -> None:
    gone = ingest_reads.answered_outside(study)
    if gone:
        total = sum(gone.values())
        st.markdown(f"**{amount(total, 'clip')} with answers {'is' if total == 1 else 'are'} not in the study now**")
        st.markdown(
            "\n".join(f"- {number(n)}: {ingest_status.reason_words(code, study.settings)}" for code, n in gone.items())
        )
        st.caption("The answers are kept under the clips' ids and count again when the clips return.")


def _repeats(study: Study) -> None:
    from pipelines.ingest.repeats.figure_files import title
    from pipelines.ingest.repeats.timeline import repeat_timeline
    from pipelines.ingest.series.repeat_masks import read_study_repeats
    from workbench.app.charts.repeats_chart import repeats_figure

    st.markdown("**Repeated audio**")
    found = read_study_repeats(study)
    if not found.repeats:
        st.caption("No repeats found: no opening, ending or recap occurs in a second recording.")
        return
    name = ingest_reads.told_apart(study)
    picture = repeat_timeline(
        [name(one) for one in found.order],
        {name(one): seconds for one, seconds in found.seconds.items()},
        [replace(one, source_a=name(one.source_a), source_b=name(one.source_b)) for one in found.repeats],
        {name(one): masked for one, masked in found.masks.items()},
    )
    st.caption(title(picture))
    st.plotly_chart(repeats_figure(picture), key="repeats", config={"displayModeBar": False})
