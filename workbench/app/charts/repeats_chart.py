"""Which stretch repeats where, drawn by plotly: a row per recording in order of airing, a bar per repeated stretch."""

import plotly.graph_objects as go

from pipelines.ingest.repeats.figure_files import LONGEST_LABEL
from pipelines.ingest.repeats.timeline import OUTLINE_COLOR, STYLES, RepeatTimeline, hover_lines

WHOLE = "rgba(128,128,128,0.16)"
KEPT = "rgba(0,0,0,0)"
OUTLINED = "#777777"
LINK = "rgba(128,128,128,0.45)"


def repeats_figure(picture: RepeatTimeline) -> go.Figure:
    """Bars are filled and patterned where no clip may stand, only outlined where the earliest place is kept.

    Pointing at one names all its other places; thin lines join the places of recaps and re-uploads (a song's stand
    under each other anyway). Time is in seconds under three minutes, else in minutes.
    """
    rows = {row.source_id: number for number, row in enumerate(picture.rows)}
    longest_s = max((row.seconds for row in picture.rows), default=1.0)
    unit_s, unit = (60.0, "minutes") if longest_s >= 180 else (1.0, "seconds")
    figure = go.Figure()
    figure.add_bar(
        y=list(rows.values()),
        x=[row.seconds / unit_s for row in picture.rows],
        orientation="h",
        marker={"color": WHOLE, "line": {"width": 0}},
        width=0.62,
        customdata=[
            f"{row.source_id}: {row.masked_s / unit_s:.1f} of {row.seconds / unit_s:.1f} {unit} masked"
            for row in picture.rows
        ],
        hovertemplate="%{customdata}<extra></extra>",
        showlegend=False,
    )
    _links(figure, picture, rows, unit_s)
    for kind, (word, sign, colour, pattern, _) in STYLES.items():
        ink = "#FFFFFF" if kind == "opening" else "#111111"
        shown = [
            (group, place)
            for group in picture.groups
            if group.kind == kind
            for place in group.occurrences
            if place.source_id in rows
        ]
        if not shown:
            continue
        name = f"{sign} {word}"
        # Of many colours the legend would draw none: a bar that is nowhere stands for them.
        entry = {"color": colour, "pattern": {"shape": pattern, "fgcolor": "#FFFFFF", "size": 7, "solidity": 0.2}}
        figure.add_bar(y=[0], x=[None], orientation="h", name=name, legendgroup=kind, marker=entry)
        figure.add_bar(
            y=[rows[place.source_id] for _, place in shown],
            x=[(place.end_s - place.start_s) / unit_s for _, place in shown],
            base=[place.start_s / unit_s for _, place in shown],
            orientation="h",
            width=0.62,
            name=name,
            legendgroup=kind,
            showlegend=False,
            marker={
                "color": [colour if place.is_masked else KEPT for _, place in shown],
                "pattern": {
                    "shape": [pattern if place.is_masked else "" for _, place in shown],
                    "fgcolor": "#FFFFFF",
                    "size": 7,
                    "solidity": 0.2,
                },
                "line": {"color": OUTLINE_COLOR, "width": 1},
            },
            text=[sign for _ in shown],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            constraintext="none",
            insidetextfont={"size": 11, "color": [ink if place.is_masked else OUTLINED for _, place in shown]},
            customdata=["<br>".join(hover_lines(group, place)) for group, place in shown],
            hovertemplate="%{customdata}<extra></extra>",
        )
    figure.update_layout(
        barmode="overlay",
        height=90 + max(3, len(rows)) * (24 if len(rows) <= 20 else 17),
        margin={"l": 10, "r": 10, "t": 36, "b": 10},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom", "x": 0},
        hoverlabel={"namelength": -1, "align": "left"},
        bargap=0.2,
    )
    figure.update_xaxes(title=unit, range=[0, longest_s * 1.01 / unit_s], zeroline=False)
    figure.update_yaxes(
        tickvals=list(rows.values()),
        ticktext=[name if len(name) <= LONGEST_LABEL else f"{name[: LONGEST_LABEL - 1]}…" for name in rows],
        range=[max(3, len(rows)) - 0.4, -0.6],
        showgrid=False,
        automargin=True,
    )
    return figure


def _links(figure: go.Figure, picture: RepeatTimeline, rows: dict[str, int], unit_s: float) -> None:
    """From the earliest place of a recap or re-upload to each later one."""
    xs: list[float | None] = []
    ys: list[float | None] = []
    for group in picture.groups:
        if group.kind not in ("recap", "reupload"):
            continue
        first, *later = [place for place in group.occurrences if place.source_id in rows]
        for place in later:
            xs += [first.start_s / unit_s, place.start_s / unit_s, None]
            ys += [rows[first.source_id], rows[place.source_id], None]
    if xs:
        line = {"color": LINK, "width": 1}
        figure.add_scatter(x=xs, y=ys, mode="lines", line=line, hoverinfo="skip", showlegend=False)
