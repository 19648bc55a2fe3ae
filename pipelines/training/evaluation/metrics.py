"""Numbers of a finished model: accuracy, macro-F1, per-class table, confusion and chance, with intervals by group."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.schema import Estimate, NoEstimate
from pipelines.statistics import group_intervals
from pipelines.units import Float64Array, LabelName

Numbers = npt.NDArray[np.int64]


def evaluate(
    truth: Numbers,
    predicted: Numbers,
    groups: Sequence[str],
    labels: Sequence[LabelName],
    *,
    common: LabelName,
) -> dict[str, Any]:
    """All metrics of test rows, for JSON; estimates as fractions.

    `truth` [n] and `predicted` [seeds, n] are label numbers; `groups` [n] is what intervals leave out; `common` is the
    training part's most frequent label. With several seeds a metric is the mean over seeds, and the interval is of
    that mean; the per-class table is of all seeds' answers together. Precision is null where a label was never
    predicted, recall where it never occurs. Macro-F1 is over labels that occur or are predicted, as in scikit-learn.
    """
    seeds, n = predicted.shape
    k = len(labels)
    cells = np.zeros((n, seeds, k, k))
    row, seed = np.meshgrid(np.arange(n), np.arange(seeds), indexing="ij")
    cells[row, seed, truth[row], predicted.T] = 1

    def estimate(statistic: Any) -> Estimate | NoEstimate:
        return group_intervals.of_sums(cells, groups, statistic, "share")

    pooled = cells.sum(axis=(0, 1)).astype(int)
    always = np.full(n, list(labels).index(common))
    return {
        "accuracy": estimate(lambda sums: accuracy(sums).mean(axis=1)),
        "macro_f1": estimate(lambda sums: macro_f1(sums).mean(axis=1)),
        "per_class": [
            {
                "label": label,
                "precision": _counted(
                    estimate(lambda sums, i=i: precision(sums.sum(axis=1))[:, i]), pooled[:, i].sum()
                ),
                "recall": _counted(estimate(lambda sums, i=i: recall(sums.sum(axis=1))[:, i]), pooled[i].sum()),
                "f1": estimate(lambda sums, i=i: f1(sums.sum(axis=1))[:, i]),
                "support": int(pooled[i].sum() // seeds),
            }
            for i, label in enumerate(labels)
        ],
        "confusion": {"labels": list(labels), "rows": "true", "columns": "predicted", "counts": pooled.tolist()},
        "chance": {
            "uniform": 1 / k,
            "most_common": {
                "label": common,
                "accuracy": group_intervals.mean(truth == always, groups, "share"),
            },
        },
        "seeds": {
            "n": seeds,
            "accuracy": [float(value) for value in (predicted == truth).mean(axis=1)] if n else [],
            "spread": float((predicted == truth).mean(axis=1).std(ddof=1)) if seeds > 1 and n else None,
        },
        "interval": "95 %, jackknife over groups",
    }


def accuracy(counts: Float64Array) -> Float64Array:
    """Share on the diagonal of confusion counts [..., k, k]; NaN where there are none."""
    return _ratio(np.trace(counts, axis1=-2, axis2=-1), counts.sum(axis=(-2, -1)))


def precision(counts: Float64Array) -> Float64Array:
    """Of what was predicted as each label, the share that is it; [..., k], NaN where never predicted."""
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-2))


def recall(counts: Float64Array) -> Float64Array:
    """Of what is each label, the share that was found; [..., k], NaN where it never occurs."""
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1))


def f1(counts: Float64Array) -> Float64Array:
    """2 tp / (2 tp + fp + fn) per label; [..., k], NaN for a label that neither occurs nor is predicted."""
    return _ratio(2 * np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1) + counts.sum(axis=-2))


def macro_f1(counts: Float64Array) -> Float64Array:
    """Mean F1 over the labels that occur or are predicted; [...]."""
    each = f1(counts)
    known = ~np.isnan(each)
    return _ratio(np.where(known, each, 0.0).sum(axis=-1), known.sum(axis=-1))


def table(metrics: Mapping[str, Any], published: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Per label: precision, recall, f1 as the paper's tables 3 and 4 have them, support, and `published_*` or None."""
    printed = {row["label"]: row for row in (published or {}).get("classes", ())}
    return [
        {
            "label": row["label"],
            **{name: row[name]["value"] for name in ("precision", "recall", "f1")},
            "support": row["support"],
            **{f"published_{name}": printed.get(row["label"], {}).get(name) for name in ("precision", "recall", "f1")},
        }
        for row in metrics["per_class"]
    ]


def _ratio(part: Float64Array, whole: Float64Array) -> Float64Array:
    whole = np.asarray(whole, dtype=np.float64)
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0))


def _counted(estimate: Estimate | NoEstimate, n: int) -> Estimate | NoEstimate:
    """The same estimate with the n it is a share of."""
    estimate["n"] = int(n)
    return estimate
