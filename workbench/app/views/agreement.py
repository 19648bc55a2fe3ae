"""Agreement: can we trust these labels?"""

from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from pipelines.study import Study
from workbench.app.charts import charts
from workbench.app.formatting import amount, estimate_text, number, share, share_text
from workbench.app.page import cached_reads, clip_panel, links, widgets
from workbench.app.page.session import Session
from workbench.status.study_status import RELIABLE, TENTATIVE, trust

if TYPE_CHECKING:
    from pipelines.schema import Estimate, NoEstimate
    from workbench.agreement import Agreement, Pair


def show(study: Study, session: Session) -> None:
    """The page."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
        widgets.head("Agreement", "Can we trust these labels?")
        view = st.segmented_control(
            "Seen as",
            list(study.scheme.views),
            default=study.scheme.name,
            required=True,
            key="scheme",
            bind="query-params",
        )
    reports = cached_reads.agreement(study)
    report = reports.get(view)
    if report is None or report.paired == 0:
        widgets.empty(
            "Here you will read whether raters hear the same emotion: one number with its interval, who agrees with "
            "whom, and the clips they differ on most.",
            "It takes two raters who answered the same clips"
            + (f"; so far there are {amount(report.answers, 'answer')}." if report and report.answers else "."),
        )
        links.button(session, "label", "Label some clips", key="to-label")
        return
    _answer(reports, report)
    widgets.simulated_note(cached_reads.counts_machines(study))
    raters, labels, disputed, table = st.tabs(
        ["Who agrees with whom", "Which labels are mixed up", "Clips in dispute", "Table"]
    )
    entries = study.scheme.view_entries(view)
    with raters:
        left, right = st.columns([6, 5], gap="large")
        with left:
            pairs = [pair.document() for pair in report.pairs]
            st.plotly_chart(charts.kappa_map(list(report.raters), pairs), key=f"kappa-{view}")
            st.caption("Cohen's kappa of each pair: 1 is always the same answer, 0 is what chance would give.")
        with right:
            st.plotly_chart(charts.label_counts(entries, report.counts, unit="answers"), key=f"counts-{view}")
            st.caption("How often each label was given.")
    with labels:
        _mixed(entries, report, view)
    with disputed:
        _disputed(study, report)
    with table:
        st.dataframe([_coefficient_row(name, found) for name, found in report.coefficients.items()], hide_index=True)
        rows = [_pair_row(pair) for pair in report.pairs]
        st.dataframe(rows, hide_index=True)
        widgets.table_download(rows, f"agreement-{view}.csv")


def _answer(reports: "dict[str, Agreement]", report: "Agreement") -> None:
    alpha = report.coefficients["alpha"]
    left, right = st.columns([5, 6], gap="large")
    with left:
        st.markdown(f"### {trust(alpha)}")
        st.markdown(
            f"Krippendorff's alpha **{estimate_text(alpha, 'clips')}**. "
            f"Raters give the same answer to a clip {share_text(report.coefficients['percent'], 'clips')}."
        )
        resampled = f"Intervals are over {amount(report.groups, report.group_word)}."
        caution = f" Mind: {report.caution}." if report.caution else ""
        st.caption(f"{amount(report.answers, 'answer')} by {amount(len(report.raters), 'rater')}. {resampled}{caution}")
    with right:
        views = [(f"{name} labels", one.coefficients["alpha"]) for name, one in reports.items()]
        marks = {"tentative": TENTATIVE, "reliable": RELIABLE}
        st.plotly_chart(charts.intervals(views, axis="Krippendorff's alpha", marks=marks), key=f"alphas-{report.view}")


def _mixed(entries: charts.Entries, report: "Agreement", view: str) -> None:
    total = sum((pair.table + pair.table.T for pair in report.pairs), np.zeros((len(entries), len(entries))))
    figure = charts.confusion(entries, total, rows="one rater said", columns="another said", unit="pairs of answers")
    st.plotly_chart(figure, key=f"mixed-{view}", width=720)
    st.caption(
        "Every two answers to the same clip. The darker a cell off the diagonal, the oftener the two are mixed up."
    )


def _disputed(study: Study, report: "Agreement") -> None:
    if not report.disputed:
        st.caption("No disagreement: every clip got the same answer from all its raters.")
        return
    rows = {row.clip.clip_id: row for row in cached_reads.clip_rows(study)}
    names = {entry.name: charts.signed(entry) for entry in study.scheme.view_entries(report.view)}
    said = {
        dispute.clip_id: ", ".join(f"{names[label]} × {count}" for label, count in dispute.votes.items())
        for dispute in report.disputed
    }
    left, right = st.columns([5, 6], gap="medium")
    with left:
        st.caption("Click a row, then ↑ and ↓ to play them in turn.")
        event = st.dataframe(
            [{"clip": clip, "was called": words} for clip, words in said.items()],
            hide_index=True,
            on_select="rerun",
            selection_mode="single-cell",
            key=f"disputed-{report.view}",
        )
    cells: list[Any] = event["selection"]["cells"]
    with right:
        chosen = list(said)[cells[0][0]] if cells else next(iter(said))
        clip_panel.show(study, rows[chosen], autoplay=bool(cells))


def _coefficient_row(name: str, found: "Estimate | NoEstimate") -> dict[str, str]:
    from workbench.agreement import COEFFICIENTS

    one = COEFFICIENTS[name]
    chance = "yes" if one.corrected else "no"
    said = estimate_text(found, "clips")
    return {"coefficient": one.title, "value": said, "corrected for chance": chance, "source": one.source}


def _pair_row(pair: "Pair") -> dict[str, Any]:
    known = pair.kappa["value"] is not None
    same = float(np.trace(pair.table)) / pair.n if pair.n else None
    return {
        "rater": pair.a,
        "and": pair.b,
        "clips both heard": pair.n,
        "same answer": share(same),
        "kappa": number(pair.kappa["value"]),
        "95 % from": number(pair.kappa["low"]) if known else "–",  # type: ignore[typeddict-item]
        "to": number(pair.kappa["high"]) if known else "–",  # type: ignore[typeddict-item]
    }
