"""datasheet.md: what a release is, for people; after Gebru et al. (2021), Datasheets for Datasets."""

from collections.abc import Mapping
from typing import Any

from pipelines.manifest import read_table
from pipelines.study import Study


def datasheet(study: Study, facts: Mapping[str, Any]) -> str:
    """The datasheet of a release as Markdown; a function of its facts and of the study's source list alone."""
    scheme = facts["scheme"]
    counts = facts["counts"]
    per_label = ", ".join(f"{label} {count}" for label, count in counts["labels"].items())
    parts = [f"# Labels of study '{study.name}'"]
    if facts["simulated"]:
        parts.append(
            f"**Simulated.** Answers by {', '.join(facts['simulated'])} were made by a program. No number here says "
            "anything about people."
        )
    parts.append("## Composition")
    parts.append(f"{counts['clips']} clips of {study.settings.clip.length_s:g} s with one label each: {per_label}.")
    parts.append(
        f"Answered but without a label: {counts['tied']} tied, {counts['no_label_given']} for which every rater gave "
        f"only flags. Waiting for a first answer: {counts['waiting']}. Answers of machines that no longer count: "
        f"{counts['machine_answers_left_out']}. Answers to clips that were withdrawn since: {counts['clips_gone']}. "
        "Nothing else was left out."
    )
    parts.append(
        "No audio is in here: clips.csv names the samples of each source, so that whoever may use the same recording "
        "can make the same clips and check them by pcm_sha256."
    )
    parts.append("## Collection")
    parts.append(
        f"{counts['annotations']} answers by {counts['raters']} raters to clips heard one by one (pass "
        f"'{facts['pass']}') under the scheme '{scheme['name']}', version {scheme['version']}. Raters are known by "
        "pseudonyms; times and notes are left out."
    )
    parts += ["## The rule", f"{facts['rule']}: {facts['rule_sentence']}."]
    parts += ["## How far to trust it", *_estimates(facts), "## Rights", *_rights(study)]
    return "\n\n".join(parts) + "\n"


def _estimates(facts: Mapping[str, Any]) -> list[str]:
    lines = ["95 % intervals from resampling episodes (the source where the episode is not known)."]
    for view, found in facts["agreement"].items():
        ceiling = facts["human_ceiling"][view]
        lines.append(
            f"- {view}: Krippendorff's alpha {_words(found['alpha'])}; one rater against the majority of the others "
            f"{_words(ceiling['rater'])}"
        )
    return ["\n".join(lines)]


def _words(estimate: Mapping[str, Any]) -> str:
    if estimate["value"] is None:
        return f"not known ({estimate['reason']})"
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f}, n = {estimate['n']})"


def _rights(study: Study) -> list[str]:
    rows = read_table(study.sources_csv) if study.sources_csv.is_file() else []
    grounds = sorted({row.get("rights_basis", "").strip() or study.settings.rights_basis for row in rows} - {""})
    grounds = grounds or [study.settings.rights_basis or "none was stated"]
    lines = [f"The recordings of {len(rows)} sources were used on this ground: {'; '.join(grounds)}."]
    return [*lines, "The recordings belong to their owners; this release gives no right to them."]
