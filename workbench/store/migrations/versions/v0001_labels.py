"""Raters, assignments, and annotation events to which one can only add."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NEVER = "annotation events are never changed or removed: add another event"

# INSERT OR REPLACE removes a row without firing a DELETE trigger, so the third guard stands before it.
_SQLITE_GUARDS = tuple(
    f"CREATE TRIGGER annotation_events_{name} BEFORE {moment} BEGIN SELECT RAISE(ABORT, '{_NEVER}'); END"
    for name, moment in {
        "no_update": "UPDATE ON annotation_events",
        "no_delete": "DELETE ON annotation_events",
        "no_replace": """INSERT ON annotation_events WHEN EXISTS (
            SELECT 1 FROM annotation_events WHERE client_id = NEW.client_id OR seq = NEW.seq
        )""",
    }.items()
)

_POSTGRES_GUARDS = (
    f"""CREATE FUNCTION annotation_events_only_grow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '{_NEVER}'; END $$""",
    """CREATE TRIGGER annotation_events_no_change BEFORE UPDATE OR DELETE ON annotation_events
        FOR EACH ROW EXECUTE FUNCTION annotation_events_only_grow()""",
    """CREATE TRIGGER annotation_events_no_truncate BEFORE TRUNCATE ON annotation_events
        FOR EACH STATEMENT EXECUTE FUNCTION annotation_events_only_grow()""",
)

_STANDING = """
CREATE VIEW standing AS
SELECT e.* FROM annotation_events e
JOIN (
    SELECT MAX(seq) AS seq FROM annotation_events GROUP BY scheme, pass, clip_id, rater
) last ON last.seq = e.seq
WHERE e.kind = 'answer'
"""


def upgrade() -> None:
    """Build everything."""
    op.create_table("facts", sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False))
    op.create_table(
        "raters",
        sa.Column("rater", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("created", sa.Text, nullable=False),
        sa.CheckConstraint("kind IN ('person', 'machine', 'reference')"),
        sa.CheckConstraint("role IN ('annotator', 'curator', 'researcher')"),
    )
    op.create_table(
        "assignments",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("clip_id", sa.Text, nullable=False),
        sa.Column("scheme", sa.Text, nullable=False),
        sa.Column("pass", sa.Text, nullable=False),
        sa.Column("rater", sa.Text, sa.ForeignKey("raters.rater"), nullable=False),
        sa.Column("assigned", sa.Text, nullable=False),
        sa.Column("lease_until", sa.Text, nullable=False),
        sa.UniqueConstraint("clip_id", "scheme", "pass", "rater"),
    )
    op.create_table(
        "annotation_events",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("client_id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("token", sa.Text, sa.ForeignKey("assignments.token")),
        sa.Column("clip_id", sa.Text, nullable=False),
        sa.Column("scheme", sa.Text, nullable=False),
        sa.Column("pass", sa.Text, nullable=False),
        sa.Column("rater", sa.Text, sa.ForeignKey("raters.rater"), nullable=False),
        sa.Column("label", sa.Text),
        sa.Column("flags", sa.Text, nullable=False),
        sa.Column("confidence", sa.Float),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("heard_ms", sa.Integer),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("received", sa.Text, nullable=False),
        sa.CheckConstraint("kind IN ('answer', 'undo')"),
        sqlite_autoincrement=True,  # a number is never given twice
    )
    op.create_index("annotation_events_item", "annotation_events", ["scheme", "pass", "clip_id", "rater", "seq"])
    op.create_index("annotation_events_rater", "annotation_events", ["rater"])
    op.execute(_STANDING)
    guards = _SQLITE_GUARDS if op.get_bind().dialect.name == "sqlite" else _POSTGRES_GUARDS
    for guard in guards:
        op.execute(guard)
