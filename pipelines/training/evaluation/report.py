"""A run in words: the sentence on top, the leak verdict beside it, and the tables as the paper has them."""

from collections.abc import Mapping
from typing import Any

from pipelines.training.evaluation.metrics import table


def headline(facts: Mapping[str, Any]) -> str:
    """One sentence: accuracy with its interval and n, what guessing gives, what raters reach."""
    test = facts["split"]["parts"]["test"]
    word = facts["data"]["group_word"]
    accuracy = facts["metrics"]["accuracy"]
    common = facts["metrics"]["chance"]["most_common"]
    rows = (
        f"{test['rows']} test rows ({test['clips']} clips"
        if test["rows"] != test["clips"]
        else f"{test['clips']} test clips ("
    )
    groups = f"{len(test['groups'])} {word}{'s' if len(test['groups']) != 1 else ''}"
    joined = f"{rows}, {groups})" if test["rows"] != test["clips"] else f"{rows}{groups})"
    sentence = (
        f"{percent(accuracy)} of {joined} right; always saying '{common['label']}' gives {percent(common['accuracy'])}"
    )
    ceiling = facts["ceiling"]["test"]
    if ceiling is not None and ceiling["rater"]["value"] is not None:
        who = "simulated rater" if ceiling["simulated"] else "rater"
        sentence += (
            f"; against the other raters' label, one {who} is right {percent(ceiling['rater'])}, "
            f"the model {percent(ceiling['model'])}"
        )
    return sentence + "."


def percent(estimate: Mapping[str, Any]) -> str:
    """`43.1 % (95 % interval 38.0 to 49.5)`, or why there is none."""
    if estimate["value"] is None:
        return f"– ({estimate['reason']})"
    if estimate["low"] is None:
        return f"{100 * estimate['value']:.1f} % ({estimate['reason']})"
    low, high = 100 * estimate["low"], 100 * estimate["high"]
    return f"{100 * estimate['value']:.1f} % (95 % interval {low:.1f} to {high:.1f})"


def markdown(facts: Mapping[str, Any]) -> str:
    """report.md of a run."""
    recipe, metrics, published = facts["recipe"], facts["metrics"], facts["published"]
    lines = [f"# {recipe['title']}", "", f"Run `{facts['run_id']}` on {facts['data']['name']}.", ""]
    lines += [f"**{facts['leak']['sentence']}**" if facts["leak"]["found"] else facts["leak"]["sentence"], ""]
    lines += [headline(facts), "", *class_table(facts), ""]
    lines += [
        f"Accuracy {percent(metrics['accuracy'])}, macro-F1 {percent(metrics['macro_f1'])}; intervals are over groups."
    ]
    seeds = metrics["seeds"]
    if seeds["n"] == 1:
        lines.append(f"One seed ({facts['seeds'][0]}) only: another seed would give another number.")
    else:
        lines.append(
            f"Mean of {seeds['n']} seeds; accuracy by seed {', '.join(f'{value:.3f}' for value in seeds['accuracy'])} "
            f"(standard deviation {seeds['spread']:.3f})."
        )
    if published is not None:
        accuracy = f"accuracy {100 * published['accuracy']:.1f} %; " if published.get("accuracy") is not None else ""
        lines += ["", f"Published ({published['source']}, {published['table']}): {accuracy}{published['note']}."]
    lines += ["", "## Data and split", "", *_split_table(facts), ""]
    lines += ["## The human ceiling", "", *_ceiling(facts), ""]
    for name, words in (("flaws", "Flaws that are on"), ("corrections", "Corrected"), ("unstated", "Our choice")):
        if recipe["settings"].get(name):
            lines += [f"## {words}", "", *(f"- {line}" for line in recipe["settings"][name]), ""]
    if facts["notes"]:
        lines += ["## Notes", "", *(f"- {note}" for note in facts["notes"]), ""]
    return "\n".join(lines).rstrip() + "\n"


def class_table(facts: Mapping[str, Any]) -> list[str]:
    """Lines of the per-class table, two decimals as printed in the paper, the published values in brackets."""

    def cell(row: Mapping[str, Any], name: str) -> str:
        own = "–" if row[name] is None else f"{row[name]:.2f}"
        printed = row[f"published_{name}"]
        return own if printed is None else f"{own} [{printed:.2f}]"

    printed = any((facts["published"] or {}).get("classes", ()))
    lines = ["| Label | Precision | Recall | F1 | Test clips |", "|---|---|---|---|---|"]
    if facts["split"]["parts"]["test"]["rows"] != facts["split"]["parts"]["test"]["clips"]:
        lines[0] = lines[0].replace("clips", "rows")
    lines += [
        f"| {row['label'].capitalize()} | {cell(row, 'precision')} | {cell(row, 'recall')} | {cell(row, 'f1')} "
        f"| {row['support']} |"
        for row in table(facts["metrics"], facts["published"])
    ]
    return [*lines, "", "In brackets: as the paper printed it, on other clips."] if printed else lines


def _split_table(facts: Mapping[str, Any]) -> list[str]:
    split, word = facts["split"], facts["data"]["group_word"]
    labels = list(facts["data"]["labels"])
    lines = [
        f"Rule `{split['rule']}`, seed {split['seed']}; validation is {split['validation']}.",
        "",
        f"| Part | Rows | Clips | {word.capitalize()}s | {' | '.join(labels)} |",
        "|---|---|---|---|" + "---|" * len(labels),
    ]
    for part, held in split["parts"].items():
        counts = " | ".join(str(held["labels"][label]) for label in labels)
        lines.append(f"| {part} | {held['rows']} | {held['clips']} | {len(held['groups'])} | {counts} |")
    return lines


def _ceiling(facts: Mapping[str, Any]) -> list[str]:
    ceiling = facts["ceiling"]["test"]
    if ceiling is None:
        return [facts["ceiling"]["reason"]]
    if ceiling["rater"]["value"] is None:
        return [f"None: {ceiling['rater']['reason']}."]
    lines = ["These raters are simulated: this is no human ceiling."] if ceiling["simulated"] else []
    about = (
        f"On the {ceiling['clips']} test clips that at least two raters answered ({ceiling['targets']} targets, "
        f"{ceiling['tied']} tied): {ceiling['rule']}."
    )
    return [
        *lines,
        about,
        "",
        "| | all targets | untied targets |",
        "|---|---|---|",
        f"| one rater | {percent(ceiling['rater'])} | {percent(ceiling['rater_untied'])} |",
        f"| the model | {percent(ceiling['model'])} | {percent(ceiling['model_untied'])} |",
        "",
        f"Model minus rater: {_points(ceiling['model_minus_rater'])}.",
    ]


def _points(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return f"– ({estimate['reason']})"
    if estimate["low"] is None:
        return f"{100 * estimate['value']:+.1f} points ({estimate['reason']})"
    low, high = 100 * estimate["low"], 100 * estimate["high"]
    return f"{100 * estimate['value']:+.1f} points (95 % interval {low:+.1f} to {high:+.1f})"
