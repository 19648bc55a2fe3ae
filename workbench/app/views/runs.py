"""Runs: how good is a model, next to people and to chance?"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import streamlit as st

from pipelines.study import Study
from workbench.app.charts import charts
from workbench.app.formatting import ago, amount, duration, number, share, share_text
from workbench.app.page import cached_reads, links, widgets
from workbench.app.page.session import Session

if TYPE_CHECKING:
    from pipelines.training.run import Run


def show(study: Study, session: Session) -> None:
    """The page."""
    widgets.head("Runs", "How good is a model, next to people and to chance?")
    runs = cached_reads.runs(study)
    if not runs:
        widgets.empty(
            "Here every trained model will stand with what it reached: its accuracy and interval, what people reach, "
            "which clips it confuses, and whether it was tested on what it had learnt.",
            "Train one: on the Train page, or with",
            f"workbench train soap_five --study {study.name}",
        )
        links.button(session, "train", "Train a model", key="to-train")
        return
    named = st.query_params.get("run")
    chosen = _table(runs, named)
    _one(cached_reads.run(study, chosen))


def _table(runs: Sequence["Run"], named: str | None) -> str:
    """The runs as a table; returns the id of the one to show: clicked, else in the URL, else the newest."""
    rows = [_row(run) for run in runs]
    event = st.dataframe(
        rows,
        hide_index=True,
        height=38 + 35 * min(4, len(rows)),
        on_select="rerun",
        selection_mode="single-row",
        key="runs-table",
        column_config={"run": st.column_config.TextColumn(width="medium")},
    )
    clicked = event["selection"]["rows"]
    if clicked and clicked[0] < len(runs):
        st.query_params["run"] = runs[clicked[0]].run_id
        return runs[clicked[0]].run_id
    return named or runs[0].run_id


def _row(run: "Run") -> dict[str, str]:
    facts = run.facts
    ceiling = _ceiling(facts)
    return {
        "when": ago(datetime.fromisoformat(facts["created"]).timestamp()),
        "recipe": run.recipe,
        "data": _data(facts),
        "leak": "LEAKS" if run.leak["found"] else "none found",
        "accuracy": _interval(run.metrics["accuracy"]),
        "one rater": _interval(ceiling["rater"]) if ceiling else "–",
        "test clips": number(facts["split"]["parts"]["test"]["clips"]),
        "run": run.run_id,
    }


def _one(run: "Run") -> None:
    facts = run.facts
    if run.leak["found"]:
        st.error(run.leak["sentence"], icon=":material/warning:")
    st.markdown(f"### {facts['recipe']['title']}: {share(run.metrics['accuracy']['value'])} right")
    st.markdown(_headline(facts))
    if not run.leak["found"]:
        st.caption(run.leak["sentence"])
    ceiling = _ceiling(facts)
    names = ["Next to people", "Curves", "Confusion", "Per class", "Sound", "How it was made"]
    people, curves, confusion, classes, sound, made = st.tabs(names, key="about")
    with people:
        st.plotly_chart(charts.intervals(_bars(facts), axis="share right", marks={}), key="next-to")
        if ceiling:
            untied = share_text(ceiling["rater_untied"], "answers")
            st.caption(
                f"Rater and model against the same answers: {ceiling['rule']}. {number(ceiling['tied'])} of "
                f"{number(ceiling['targets'])} were tied; a rater without those {untied}."
            )
        else:
            st.caption(
                f"No human ceiling: {facts['ceiling'].get('reason', 'no clip here was answered by two raters')}."
            )
        for note in facts["notes"]:
            st.caption(f"Note: {note}.")
        widgets.simulated_note(bool(ceiling and ceiling["simulated"]))
    with curves:
        _curves(run, ceiling)
    entries = _entries(run)
    with confusion:
        unit = "test rows" if _has_copies(facts) else "clips"
        figure = charts.confusion(
            entries, facts["metrics"]["confusion"]["counts"], rows="label", columns="the model said", unit=unit
        )
        st.plotly_chart(figure, key="confusion", width=760)
    with classes:
        _classes(run, entries)
    with sound:
        _sound(run)
    with made:
        _made(run)


def _headline(facts: Mapping[str, Any]) -> str:
    metrics = facts["metrics"]
    common = metrics["chance"]["most_common"]
    unit = "test rows with copies" if _has_copies(facts) else "test clips"
    said = f"**{share_text(metrics['accuracy'], unit)}**, on {_data(facts)}."
    said += f" Always saying *{common['label']}* would be right {share(common['accuracy']['value'])} of the time."
    ceiling = _ceiling(facts)
    if ceiling and ceiling["rater"]["value"] is not None:
        who = "One simulated rater" if ceiling["simulated"] else "One rater"
        said += (
            f" {who} agrees with the others {share(ceiling['rater']['value'])} of the time, the model "
            f"{share(ceiling['model']['value'])}."
        )
    return said if metrics["seeds"]["n"] > 1 else f"{said} One seed only: another would give another number."


def _bars(facts: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    metrics, ceiling = facts["metrics"], _ceiling(facts)
    bars = [("the model, against the label", metrics["accuracy"])]
    if ceiling:
        who = "one simulated rater" if ceiling["simulated"] else "one rater"
        bars += [
            ("the model, against the other raters", ceiling["model"]),
            (f"{who}, against the others", ceiling["rater"]),
        ]
    common = metrics["chance"]["most_common"]
    return [*bars, (f"always saying {common['label']}", common["accuracy"])]


def _curves(run: "Run", ceiling: Mapping[str, Any] | None) -> None:
    rows = run.table("history")
    seed = rows[0]["seed"]
    mine = [row for row in rows if row["seed"] == seed]
    names = ("loss", "accuracy", "val_loss", "val_accuracy")
    history = {name: [float(row[name]) for row in mine if row.get(name)] for name in names}
    figure = charts.training_curves(
        history,
        chance=run.metrics["chance"]["most_common"]["accuracy"]["value"],
        ceiling=ceiling["rater"]["value"] if ceiling else None,
        ceiling_name="one simulated rater" if ceiling and ceiling["simulated"] else "human ceiling",
    )
    st.plotly_chart(figure, key="curves")
    kept = run.facts["training"]["epoch_kept"][0]
    st.caption(f"Seed {seed}; the weights of epoch {kept} were kept. Validation is {run.facts['split']['validation']}.")


def _classes(run: "Run", entries: Sequence[Any]) -> None:
    from pipelines.training.evaluation.metrics import table

    named = {entry.name: charts.signed(entry) for entry in entries}
    published = run.facts["published"]
    has_published = bool((published or {}).get("classes"))
    rows = []
    for row in table(run.metrics, published):
        line = {"label": named.get(row["label"], row["label"])}
        line |= {name.capitalize() if name != "f1" else "F1": _two(row[name]) for name in ("precision", "recall", "f1")}
        line["clips" if not _has_copies(run.facts) else "rows"] = number(row["support"])
        if has_published:
            line |= {f"paper's {name}": _two(row[f"published_{name}"]) for name in ("precision", "recall", "f1")}
        rows.append(line)
    st.dataframe(rows, hide_index=True)
    st.markdown(f"Macro-F1 {share_text(run.metrics['macro_f1'], 'rows' if _has_copies(run.facts) else 'clips')}")
    if published:
        accuracy = f", accuracy {share(published['accuracy'])}" if published.get("accuracy") is not None else ""
        st.caption(f"Paper: {published['source']}{accuracy}. {published.get('note', '')}. Its clips were other clips.")
    widgets.table_download(rows, f"{run.run_id}-classes.csv")


def _sound(run: "Run") -> None:
    folder = run.folder / "comparison"
    if not (folder / "comparison.json").is_file():
        widgets.empty(
            "Here the spectrograms of what was learnt from will stand beside acted speech.",
            "They are drawn when an acted corpus is known on this machine as a model is trained.",
            "workbench corpus add NAME PATH",
        )
        return
    made = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    with st.container(horizontal=True):
        emotion = st.segmented_control(
            "Emotion", made["emotions"], default=made["emotions"][0], required=True, key="sound"
        )
        style = st.segmented_control("Style", list(widgets.STYLES), default="fair", required=True, key="sound-style")
    grids = [grid for grid in made["grids"] if (grid["style"], grid["emotion"]) == (widgets.STYLES[style], emotion)]
    for column, grid in zip(st.columns(max(1, len(grids))), grids, strict=True):
        with column:
            st.image(str(folder / grid["png"]), caption=grid["caption"])


def _made(run: "Run") -> None:
    facts = run.facts
    training, versions = facts["training"], facts["versions"]
    st.markdown(
        f"{amount(training['parameters'], 'parameter')}, {duration(training['seconds'])} of training, "
        f"seeds {', '.join(str(seed) for seed in facts['seeds'])}."
    )
    st.dataframe(
        [
            {
                "part": {"train": "training", "valid": "validation", "test": "test"}[part],
                f"{facts['data']['group_word']}s": len(held["groups"]),
                "clips": held["clips"],
                "rows with copies": held["rows"],
            }
            for part, held in facts["split"]["parts"].items()
        ],
        hide_index=True,
    )
    st.code(
        "\n".join(
            [
                f"run         {run.run_id}",
                f"recipe      {run.recipe}",
                f"data        {facts['data']['digest']}",
                *(f"{name:<12}{version}" for name, version in versions.items()),
            ]
        ),
        language=None,
    )
    with st.container(horizontal=True):
        st.download_button("Recipe (TOML)", (run.folder / "recipe.toml").read_text(), "recipe.toml", on_click="ignore")
        predictions = (run.folder / "predictions.csv").read_text()
        st.download_button("Predictions (CSV)", predictions, f"{run.run_id}-predictions.csv", on_click="ignore")
        st.download_button("Report (Markdown)", run.report, f"{run.run_id}.md", on_click="ignore")


def _data(facts: Mapping[str, Any]) -> str:
    origin = facts["data"]["origin"]
    if origin.get("kind") == "release":
        return f"{facts['data']['name']}, release {origin['name']}"
    return str(facts["data"]["name"])


def _ceiling(facts: Mapping[str, Any]) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = facts["ceiling"]["test"]
    return found if found is not None and found["rater"]["value"] is not None else None


def _has_copies(facts: Mapping[str, Any]) -> bool:
    test = facts["split"]["parts"]["test"]
    return bool(test["rows"] != test["clips"])


def _entries(run: "Run") -> charts.Entries:
    """Names, colours and signs of the labels in the order of the run's own tables, as its scheme had them then."""
    view = run.facts["recipe"]["settings"]["data"]["view"]
    entries: dict[str, Any] = {entry.name: entry for entry in run.scheme.view_entries(view)}
    return [entries[label] for label in run.metrics["confusion"]["labels"]]


def _interval(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return "–"
    if estimate["low"] is None:
        return f"{share(estimate['value'])} (no interval)"
    return f"{share(estimate['value'])} ({100 * estimate['low']:.3g} to {100 * estimate['high']:.3g})"


def _two(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
