"""How far raters agree."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workbench.cli.console import JsonOption, StudyOption, say, show

if TYPE_CHECKING:
    from pipelines.schema import Estimate, NoEstimate
    from workbench.agreement import Agreement


def agreement(
    annotations: Annotated[
        Path | None, typer.Option("--annotations", help="A table of answers instead of the study's own.")
    ] = None,
    labels: Annotated[str, typer.Option(help="With --annotations: its labels in order, such as a,b,c.")] = "",
    scale: Annotated[str, typer.Option(help="nominal, ordinal or interval.")] = "nominal",
    counts: Annotated[bool, typer.Option("--counts", help="The table has one column of counts per label.")] = False,
    where: Annotated[
        list[str] | None, typer.Option(help="Only rows whose column=value; * matches anything. May be repeated.")
    ] = None,
    scheme: Annotated[
        str | None,
        typer.Option(help="One view of the labels: the scheme, such as five, or a coarser one. All if left out."),
    ] = None,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Can these labels be trusted? Alpha, percent agreement and kappa per pair, each with a 95 % interval.

    Example: workbench agreement --study night --scheme binary
    """
    from pipelines.errors import ConfigError

    if annotations is None:
        if labels or counts or where or scale != "nominal":
            raise ConfigError("--labels, --counts, --where and --scale describe a table: name it with --annotations")
        found, told = _of_study(study, scheme)
    else:
        wanted = tuple(part.strip() for part in labels.split(",") if part.strip())
        found, told = _of_table(annotations, wanted, scale, counts, where or [], scheme, study)
    views = {view: report.document() for view, report in found.items()}
    document = {"ok": True, **told, **views}
    if len(views) == 1:  # a script that asks for one view need not name it again
        document |= next(iter(views.values()))
    show(document, as_json=as_json, people=lambda: _tell(found, told))


def _of_study(name: str | None, scheme: str | None) -> "tuple[Mapping[str, Agreement], dict[str, Any]]":
    from pipelines.study import open_study
    from workbench.agreement.study_agreement import study_agreement
    from workbench.labels.valid_answers import counted
    from workbench.store import open_store

    study = open_study(name)
    with open_store(study) as store:
        chosen = counted(study, store)
        found = study_agreement(study, store, scheme)
    told: dict[str, Any] = {"study": study.name, "simulated": list(chosen.simulated)}
    return found, told | {"left_out": {"machine": chosen.machine_left_out, "clips_gone": chosen.gone}}


def _of_table(
    path: Path,
    labels: tuple[str, ...],
    scale_name: str,
    is_counts: bool,
    where: list[str],
    view: str | None,
    study: str | None,
) -> "tuple[Mapping[str, Agreement], dict[str, Any]]":
    from pipelines.errors import ConfigError
    from pipelines.schemes import load_scheme
    from pipelines.study import open_study
    from workbench.agreement import agreement as measure
    from workbench.agreement import read_table

    scale = read_table.checked_scale(scale_name)
    scheme = open_study(study).scheme if study else load_scheme("five")
    if view is not None:
        scheme.view_labels(view)
    chosen = read_table.conditions(where)
    if is_counts:
        ratings = read_table.read_counts(path, scheme, labels=labels, where=chosen)
    else:
        ratings = read_table.read_votes(path, scheme, labels=labels, where=chosen, strict=view is not None)
    fits = set(ratings.labels) <= set(scheme.label_names)
    if view is not None and not fits:
        raise ConfigError(
            f"--scheme {view} is for the labels {', '.join(scheme.label_names)}: leave it out, or --labels"
        )
    if scale == "ordinal" and not labels and not fits and not _are_numbers(ratings.labels):
        raise ConfigError("--scale ordinal needs the order of the labels: give it with --labels low,middle,high")
    told = {"file": path.name}
    if not fits or scale != "nominal":
        return {read_table.OWN: measure(ratings, read_table.OWN, scale=scale)}, told
    views = scheme.views if view is None else (view,)
    return {
        name: measure(ratings.collapsed(scheme.mapping(name), scheme.view_labels(name)), name) for name in views
    }, told


def _are_numbers(labels: tuple[str, ...]) -> bool:
    try:
        return bool([float(label) for label in labels])
    except ValueError:
        return False


def _tell(found: "Mapping[str, Agreement]", told: Mapping[str, Any]) -> None:
    if told.get("simulated"):
        say(f"Simulated raters are among these: {', '.join(told['simulated'])}.")
    from workbench.app.formatting import amount

    for view, report in found.items():
        who = f"{amount(len(report.raters), 'rater')}, " if report.raters else ""
        items, answers = amount(report.items, "item"), amount(report.answers, "answer")
        say(f"{view}: {items}, {who}{answers} ({_counts(report)})")
        from workbench.agreement import COEFFICIENTS

        for name, estimate in report.coefficients.items():
            say(f"  {COEFFICIENTS[name].title:22} {_words(estimate)}")
        for pair in report.pairs:
            say(f"  kappa {pair.a} and {pair.b}: {_words(pair.kappa)}")
        if report.pairs_left_out:
            say(f"  and {report.pairs_left_out} more pairs, which share fewer items")
        if report.disputed:
            worst = ", ".join(dispute.clip_id for dispute in report.disputed[:3])
            say(f"  most disputed: {worst}")
        if report.caution:
            say(f"  Note: {report.caution}.")


def _counts(report: "Agreement") -> str:
    return ", ".join(f"{label} {count}" for label, count in report.counts.items())


def _words(estimate: "Estimate | NoEstimate") -> str:
    if estimate["value"] is None:
        return f"none: {estimate['reason']}"
    from pipelines.statistics.group_intervals import interval_text

    return f"{estimate['value']:.3f} ({interval_text(estimate)}), n = {estimate['n']}"
