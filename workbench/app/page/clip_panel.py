"""One clip, for those who may: hear it, see it, its answers, its history."""

import streamlit as st

from pipelines.study import Study
from workbench.app.charts import charts
from workbench.app.formatting import amount, duration
from workbench.app.page import cached_reads, widgets
from workbench.curation.clip_table import ClipRow


def show(study: Study, row: ClipRow, *, autoplay: bool = False) -> None:
    """The clip's sound, picture, answers and the events that led to them."""
    clip = row.clip
    path = study.clip_path(clip.clip_id)
    labels = {entry.name: charts.signed(entry) for entry in study.scheme.labels}
    flags = {flag.name: flag.text["en"] for flag in study.scheme.flags}
    st.markdown(f"**{clip.clip_id}** · {duration(clip.start_s)} into *{clip.source_id}* · {clip.rate_hz / 1000:g} kHz")
    widgets.hear(path, autoplay=autoplay)
    if path.is_file():
        st.plotly_chart(cached_reads.clip_figure(path), key=f"picture-{clip.clip_id}", config={"displayModeBar": False})
    if not row.answers:
        st.caption("Nobody has answered to it yet.")
        return
    said = [f"{labels[label]} × {count}" for label, count in row.votes.items()]
    said += [f"{flags.get(flag, flag)} × {count}" for flag, count in row.flags.items()]
    st.markdown(f"{amount(row.answers, 'answer')}: {', '.join(said)}")
    history = cached_reads.history(study, clip.clip_id)
    st.dataframe(
        [
            {
                "when": event.time.astimezone().strftime("%Y-%m-%d %H:%M"),
                "who": event.rater,
                "what": "took it back" if event.kind == "undo" else labels.get(event.label or "", "no emotion"),
                "flags": ", ".join(flags.get(flag, flag) for flag in event.flags),
                "note": event.note or "",
            }
            for event in history
        ],
        hide_index=True,
        height="content",
    )
    widgets.simulated_note(not cached_reads.machines().isdisjoint(event.rater for event in history))
