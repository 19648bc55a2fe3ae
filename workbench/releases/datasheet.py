"""datasheet.md: what a release is, for people; after Gebru et al. (2021), Datasheets for Datasets."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from pipelines.manifest import read_table
from pipelines.schema import Clip, Estimate, NoEstimate
from pipelines.statistics.group_intervals import interval_text
from pipelines.study import Study
from pipelines.units import SourceId


def datasheet(study: Study, facts: Mapping[str, Any], clips: Sequence[Clip]) -> str:
    """The datasheet of a release of `clips` as Markdown; a function of its arguments and the study's source list."""
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
    parts += ["## How far to trust it", *_estimates(facts), "## Rights", *_rights(study, clips)]
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


def _words(estimate: Estimate | NoEstimate) -> str:
    if estimate["value"] is None:
        return f"not known ({estimate['reason']})"
    return f"{estimate['value']:.3f} ({interval_text(estimate)}, n = {estimate['n']})"


def _rights(study: Study, clips: Sequence[Clip]) -> list[str]:
    """What was collected under what: a row per ground, over the sources that these clips are of."""
    rows = read_table(study.sources_csv) if study.sources_csv.is_file() else []
    listed = {row.get("source_id", ""): row for row in rows}
    of_source = Counter(clip.source_id for clip in clips)
    grounds: dict[tuple[str, str, str], list[SourceId]] = {}
    for name in sorted(of_source):
        row = listed.get(name, {})
        ground = row.get("rights_basis", "").strip() or study.settings.rights_basis or "none was stated"
        where = (urlsplit(row.get("uri", "")).hostname or "") if row.get("kind") == "url" else "a file of the curator"
        grounds.setdefault((ground, row.get("licence", "").strip(), where or "not known"), []).append(name)
    lines = [
        "| used on this ground | licence as stated | from | sources | hours | clips |",
        "|---|---|---|---|---|---|",
    ]
    for (ground, licence, where), names in sorted(grounds.items()):
        hours = sum(_hours(listed.get(name, {})) for name in names)
        cells = (
            ground,
            licence or "none was found",
            where,
            len(names),
            f"{hours:.2f}",
            sum(of_source[n] for n in names),
        )
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |")
    return [
        f"The clips were cut from {len(of_source)} recordings, collected like this:",
        "\n".join(lines),
        "The recordings belong to their owners; this release gives no right to them.",
    ]


def _hours(row: Mapping[str, str]) -> float:
    samples, rate_hz = row.get("decoded_samples", ""), row.get("sample_rate_hz", "")
    return int(samples) / int(rate_hz) / 3600 if samples.isdecimal() and rate_hz.isdecimal() and int(rate_hz) else 0.0
