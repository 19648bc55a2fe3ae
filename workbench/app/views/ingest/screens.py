"""The screens: how every window scored, where the limit stands, what another one would keep, and how that sounds."""

import time
from collections.abc import Mapping
from math import isfinite, log10
from typing import TYPE_CHECKING

import streamlit as st

from pipelines.study import ScreenThresholds, Study
from pipelines.units import ClipId, SourceId
from workbench.app.charts import ingest_charts
from workbench.app.components.sound_list import Heard, sounds
from workbench.app.formatting import amount, clock, number
from workbench.app.page import widgets
from workbench.app.page.session import Session
from workbench.app.server import served_study
from workbench.app.views.ingest import ingest_reads
from workbench.app.views.ingest.ingest_reads import Now
from workbench.curation import window_audio
from workbench.jobs import jobs
from workbench.jobs.jobs import Job
from workbench.labels.answered_clips import leaving_words
from workbench.status import ingest_status

if TYPE_CHECKING:
    from pipelines.ingest.selection.threshold_preview import Candidates, Side

LIMITS: "dict[Side, str]" = {"min": "at least", "max": "at most"}
EACH_SIDE = 10


def show(study: Study, session: Session, page: Now) -> None:
    """One screen at a time: its histogram and its limit on the left, what stands beside the limit on the right."""
    from pipelines.ingest.selection.screens import SCREENS, effective_thresholds

    found = ingest_reads.candidates(study)
    if found is None or not len(found):
        widgets.empty(
            "Here stands how every window scored, and what would be kept if a limit were moved.",
            "Nothing is decoded for that. Every ingest keeps all windows with their scores; this machine has none of "
            "this study, or of an older version.",
            f"workbench ingest --study {study.name}",
        )
        return
    now = effective_thresholds(study.settings)
    left, right = st.columns([7, 5], gap="medium")
    with left:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            names = list(SCREENS)
            asked = st.query_params.get("screen", "")
            name = st.selectbox(
                "Screen",
                names,
                index=names.index(asked) if asked in names else 0,
                format_func=_title,
                key="screen-name",
                label_visibility="collapsed",
            )
            st.query_params["screen"] = name
            side = _side(name, now[name])
        limit = _limit(found, name, side, now[name])
        _preview(study, page, found, name, side, limit, now[name])
    with right:
        _beside(study, session, found, name, side, limit)


def _title(name: str) -> str:
    from pipelines.ingest.selection.screens import SCREENS

    says = SCREENS[name].description
    return f"{says[0].upper()}{says[1:]}"


def _side(name: str, bounds: ScreenThresholds) -> "Side":
    """Which of the two limits is moved: the one that the screen has, else as asked."""
    first: Side = "max" if bounds.min is None and bounds.max is not None else "min"
    chosen: Side = st.segmented_control(
        "Limit",
        list(LIMITS),
        default=first,
        required=True,
        format_func=LIMITS.__getitem__,
        key=f"side-{name}",
        label_visibility="collapsed",
    )
    return chosen


def _limit(found: "Candidates", name: str, side: "Side", bounds: ScreenThresholds) -> float | None:
    """The slider and the number beside it, kept the same; None where there is no limit."""
    from pipelines.ingest.selection.threshold_preview import score_range

    low, high = score_range(found, name)
    slider, exact = f"slider-{name}-{side}", f"exact-{name}-{side}"
    if exact not in st.session_state:
        st.session_state[exact] = getattr(bounds, side)
    for shown in (getattr(bounds, side), st.session_state[exact]):
        if shown is not None:
            low, high = min(low, shown), max(high, shown)
    step = 10.0 ** round(_log10((high - low) / 200))
    if slider not in st.session_state:
        open_end = low if side == "min" else high
        known = st.session_state[exact]
        st.session_state[slider] = open_end if known is None else known
    one, two = st.columns([7, 3], vertical_alignment="bottom")
    with one:
        st.slider(
            f"Keep windows with {LIMITS[side]}",
            low,
            high,
            step=step,
            format="%.3g",
            key=slider,
            on_change=lambda: st.session_state.update({exact: round(st.session_state[slider], 6)}),
        )
    with two:
        limit: float | None = st.number_input(
            "exactly",
            value=None,
            step=step,
            format=f"%.{max(0, -round(_log10(step)))}f",
            key=exact,
            placeholder="no limit",
            help="Empty: no limit",
            on_change=lambda: _follow(slider, exact, low, high, side),
        )
    return limit


def _follow(slider: str, exact: str, low: float, high: float, side: "Side") -> None:
    value = st.session_state[exact]
    if value is None:
        value = low if side == "min" else high
    st.session_state[slider] = min(high, max(low, value))


def _log10(value: float) -> float:
    return log10(value) if value > 0 else 0.0


def _preview(
    study: Study,
    page: Now,
    found: "Candidates",
    name: str,
    side: "Side",
    limit: float | None,
    now: ScreenThresholds,
) -> None:
    from pipelines.ingest.selection.manual_picks import read_picks
    from pipelines.ingest.selection.screens import SCREENS
    from pipelines.ingest.selection.speaker_quotas import read_clip_speakers
    from pipelines.ingest.selection.threshold_preview import histogram, move_limit, preview_thresholds

    bounds = move_limit(now, side, limit)
    said = read_clip_speakers(study, found.rows_by_source.keys())
    told = preview_thresholds(found, study.settings, {name: bounds}, picks=read_picks(study), speakers=said)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"Keeps **{number(told.n_kept)}** clips (was {number(told.n_kept_before)}), "
            f"loses {number(len(told.lost))}, gains {number(len(told.gained))}.",
            width="stretch",
        )
        _undo(study, page, name, now)
        busy = page.running is not None
        if st.button(
            f"Apply: {ingest_status.bounds_words(bounds)}", type="primary", key="apply", disabled=busy or bounds == now
        ):
            apply(study, name, bounds, now)
            st.rerun()
    with_answers = len(ingest_reads.answered(study).intersection(told.lost))
    if words := leaving_words(len(told.lost), with_answers, is_done=False):
        st.warning(words, icon=":material/label:")
    figure = ingest_charts.scores(histogram(found, name, told.kept), bounds, says=SCREENS[name].description)
    st.plotly_chart(figure, key="scores", config={"displayModeBar": False})
    st.caption(f"Current thresholds: {ingest_status.bounds_words(now)}.")
    if bounds.review_min is not None or bounds.review_max is not None:
        left = amount(told.statuses.get("review", 0), "window")
        st.caption(f"Shaded: for manual review. All screens together leave {left} so.")


def apply(study: Study, name: str, bounds: ScreenThresholds, before: ScreenThresholds) -> Job:
    """Put the bounds of one screen in force, as a person would type it; nothing is decoded but what is newly kept."""
    from pipelines.ingest.selection.screens import SCREENS

    words = ["clips", "screen", name]
    if bounds == SCREENS[name].thresholds:  # then the study has nothing of its own to say
        words.append("--default")
    else:
        for key, value in bounds.model_dump().items():
            words += [f"--{key.replace('_', '-')}", "none" if value is None else repr(value)]
    words += ["--seen", before.model_dump_json()]  # somebody else's page may have moved it since this one was drawn
    about = {"screen": name, "before": before.model_dump(), "after": bounds.model_dump()}
    title = f"Keep {ingest_status.bounds_words(bounds)}"
    return jobs.start(study, [*words, "--set", "--study", study.name, "--json"], title, about=about)


def _undo(study: Study, page: Now, name: str, now: ScreenThresholds) -> None:
    """The former value, one click away, for as long as the newest change of this screen is in force."""
    made = (job for job in page.jobs if job.about.get("screen") == name)
    job = next(made, None)
    if job is None or not job.is_over or ScreenThresholds(**job.about["after"]) != now:
        return
    before = ScreenThresholds(**job.about["before"])
    if before != now:
        words = f"Undo: {ingest_status.bounds_words(before)}"
        st.button(words, icon=":material/undo:", key="undo", on_click=_take_back, args=(study, name, before, now))


def _take_back(study: Study, name: str, before: ScreenThresholds, now: ScreenThresholds) -> None:
    """Put the former bounds in force, and show them from now on, also before they are."""
    apply(study, name, before, now)
    for side in LIMITS:
        st.session_state[f"exact-{name}-{side}"] = getattr(before, side)
        st.session_state.pop(f"slider-{name}-{side}", None)


def _beside(study: Study, session: Session, found: "Candidates", name: str, side: "Side", limit: float | None) -> None:
    from pipelines.ingest.selection.threshold_preview import decided_by_screen, nearest_windows

    if limit is None:  # then nothing is refused: the outermost are heard
        known = [score for score in found.scores[name] if isfinite(score)]
        limit = 0.0 if not known else float(min(known) if side == "min" else max(known))
    called = ingest_reads.names(study)
    alone = decided_by_screen(found, study.settings, name)
    passes, fails = nearest_windows(found, study.settings, name, side, limit, most=EACH_SIDE)
    for title, rows, key, empty in (
        ("Just let through", passes, "passes", "No window lies on this side."),
        ("Just refused", fails, "fails", "No window lies on this side."),
    ):
        heard = [_heard(session, found, name, row, called, is_alone=bool(alone[row])) for row in rows]
        sounds(title, heard, key=f"beside-{key}", empty=empty)
    others = "" if alone[[*passes, *fails]].all() else " ✕ another screen refuses it too."
    st.caption(f"Click to hear, then ↑ and ↓.{others}")


def _heard(
    session: Session, found: "Candidates", name: str, row: int, called: Mapping[SourceId, str], *, is_alone: bool
) -> Heard:
    clip_id: ClipId = found.clip_ids[row]
    source = found.source_ids[row]
    mark = "" if is_alone else "✕ "
    return Heard(
        url=window_audio.window_url(served_study.key(), session.rater, clip_id, time.time()),
        value=number(float(found.scores[name][row])),
        words=f"{clock(float(found.start_s[row]))} {mark}{called.get(source, source)}",
        door=f"/ingest?clip={clip_id}",
        note=f"{clip_id}: {'kept' if found.status[row] == 'keep' else 'not kept'}",
    )
