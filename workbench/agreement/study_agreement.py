"""Agreement of a study's labels as they stand."""

from pipelines.study import Study
from workbench.agreement.ratings import Ratings, from_votes
from workbench.agreement.report import Agreement, agreement
from workbench.labels.valid_answers import Counted, counted
from workbench.store import Store


def study_ratings(study: Study, found: Counted) -> Ratings:
    """The answers that count, grouped as the study's clips are."""
    return from_votes(found.votes, study.scheme.label_names, found.groups)


def study_agreement(
    study: Study, store: Store, view: str | None = None, *, pass_: str = "audio"
) -> dict[str, Agreement]:
    """view → agreement, for every view of the study's scheme or the one asked for. Raises UnknownName, DataError."""
    scheme = study.scheme
    views = scheme.views if view is None else (view,)
    labels = {name: scheme.view_labels(name) for name in views}
    ratings = study_ratings(study, counted(study, store, pass_))
    return {name: agreement(ratings.collapsed(scheme.mapping(name), labels[name]), name) for name in views}
