"""One window, kept or not: its sound, every score with the limit that it met, and what became of it."""

import streamlit as st

from pipelines.errors import MediaError
from pipelines.study import Study
from workbench.app.formatting import duration, literal, number
from workbench.app.page import links
from workbench.app.page.cached_reads import Stamp, stamp
from workbench.app.page.session import Session
from workbench.app.views.ingest import ingest_reads
from workbench.curation import window_audio
from workbench.status import ingest_status

ARMS = {"model": "", "random": " It came in by lot.", "picked": " It was picked by hand."}


def show(study: Study, session: Session, clip_id: str) -> None:
    """The window named in the URL."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{literal(clip_id)}**", width="stretch")
            if st.button("Close", icon=":material/close:", key="close-window"):
                del st.query_params["clip"]
                st.rerun()
        found = ingest_reads.candidates(study)
        row = found.clip_ids.index(clip_id) if found is not None and clip_id in found.clip_ids else None
        if found is None or row is None:
            st.caption("This study has no window of this name on this machine.")
            return
        name = ingest_reads.names(study).get(found.source_ids[row], found.source_ids[row])
        left, right = st.columns([4, 7], gap="medium")
        with left:
            st.markdown(f"{duration(float(found.start_s[row]))} into {literal(name)}")
            try:
                st.audio(_sound(study, clip_id, stamp(study.clip_path(clip_id))), format="audio/wav")
            except MediaError as error:
                st.caption(f"{str(error)[0].upper()}{str(error)[1:]}.")
            if found.status[row] == "keep":
                st.markdown(f"● **Kept.**{ARMS.get(found.arms[row], '')}")
                links.link(session, "clips", "Its answers and their history", clip=clip_id)
            else:
                word = "For a person to decide" if found.status[row] == "review" else "Not kept"
                st.markdown(f"✕ **{word}:**")
                st.markdown(
                    "\n".join(f"- {ingest_status.reason_words(code, study.settings)}" for code in found.reasons[row])
                )
        with right:
            st.dataframe(_scores(study, clip_id, row), hide_index=True, height=190)


def _scores(study: Study, _clip_id: str, row: int) -> list[dict[str, str]]:
    from pipelines.ingest.selection.screens import SCREENS, effective_thresholds, failed_screens

    found = ingest_reads.candidates(study)
    if found is None:
        return []
    bounds = effective_thresholds(study.settings)
    against = {one.reason.rpartition("_")[0] for one in failed_screens(found.windows[row].scores, bounds)}
    return [
        {
            "what is measured": screen.description,
            "this window": number(found.windows[row].scores[name]),
            "kept": ingest_status.bounds_words(bounds[name]),
            "": "✕" if name in against else "",
        }
        for name, screen in SCREENS.items()
    ]


@st.cache_data(show_spinner=False, max_entries=64)
def _sound(_study: Study, clip_id: str, changed: Stamp) -> bytes:  # noqa: ARG001
    return window_audio.window_wav(_study, clip_id)
