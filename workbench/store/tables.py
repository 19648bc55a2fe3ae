"""The tables as queries see them. What really exists in a database is made by the migrations alone."""

import sqlalchemy as sa

METADATA = sa.MetaData()

FACTS = sa.Table(
    "facts",
    METADATA,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

RATERS = sa.Table(
    "raters",
    METADATA,
    sa.Column("rater", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("language", sa.Text, nullable=False),
    sa.Column("created", sa.Text, nullable=False),
)

ASSIGNMENTS = sa.Table(
    "assignments",
    METADATA,
    sa.Column("token", sa.Text, primary_key=True),
    sa.Column("clip_id", sa.Text, nullable=False),
    sa.Column("scheme", sa.Text, nullable=False),
    sa.Column("pass", sa.Text, nullable=False),
    sa.Column("rater", sa.Text, nullable=False),
    sa.Column("assigned", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Text, nullable=False),
)

_ANNOTATION_COLUMNS = (
    "client_id", "kind", "token", "clip_id", "scheme", "pass", "rater", "label", "flags", "confidence", "note",
    "heard_ms", "time", "received",
)  # fmt: skip
_NUMBERS: dict[str, type[sa.types.TypeEngine[float]] | type[sa.types.TypeEngine[int]]] = {
    "confidence": sa.Float,
    "heard_ms": sa.Integer,
}


def _annotation_table(name: str) -> sa.Table:
    columns = [sa.Column(column, _NUMBERS.get(column, sa.Text)) for column in _ANNOTATION_COLUMNS]
    return sa.Table(name, METADATA, sa.Column("seq", sa.Integer, primary_key=True), *columns)


#: The whole history; rows are only ever added.
EVENTS = _annotation_table("annotation_events")
#: A view: the last event per rater and item, where that is an answer.
STANDING = _annotation_table("standing")

#: What curators do by hand; rows are only ever added.
CURATION = sa.Table(
    "curation_events",
    METADATA,
    sa.Column("seq", sa.Integer, primary_key=True),
    sa.Column("client_id", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("rater", sa.Text, nullable=False),
    sa.Column("source_id", sa.Text, nullable=False),
    sa.Column("clip_id", sa.Text, nullable=False),
    sa.Column("start_sample", sa.BigInteger),
    sa.Column("n_samples", sa.BigInteger),
    sa.Column("scheme", sa.Text, nullable=False),
    sa.Column("label", sa.Text),
    sa.Column("speaker", sa.Text, nullable=False),
    sa.Column("gender", sa.Text, nullable=False),
    sa.Column("undoes", sa.Text),
    sa.Column("time", sa.Text, nullable=False),
    sa.Column("received", sa.Text, nullable=False),
)
