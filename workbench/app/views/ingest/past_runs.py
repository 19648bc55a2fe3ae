"""What the last runs did: a quiet table, for whoever comes in the morning."""

import streamlit as st

from pipelines.study import Study
from workbench.app.formatting import duration
from workbench.app.page import widgets
from workbench.app.views.ingest import ingest_reads

HEIGHT = 250


def show(study: Study) -> None:
    """The table, folded away until somebody wants it; nothing where no run is told of."""
    rows = ingest_reads.past(study)
    if not rows:
        return
    with st.expander("Last runs", icon=":material/history:", key="last-runs"):
        table = [
            {
                "when": f"{row.started:%-d %b %H:%M}",
                "what": row.what,
                "took": duration(row.took_s),
                "new sound": duration(row.heard_s) if row.is_ingest and row.sound_s else "–",
                "of": duration(row.sound_s) if row.sound_s else "–",
                "clips": row.clips,
                "left": row.left,
                "what failed": row.problem,
            }
            for row in rows
        ]
        st.dataframe(table, hide_index=True, height=min(HEIGHT, 38 + 35 * len(table)), key="runs-table")
        st.caption("Runs with nothing to do, and killed runs, are not listed. “left”: clips that left.")
        widgets.table_download(table, "runs.csv")
