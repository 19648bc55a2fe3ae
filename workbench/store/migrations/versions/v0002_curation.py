"""What curators do by hand (picks, nominations, speakers, what was listened to), to which one can only add."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NEVER = "curation events are never changed or removed: add another event"

# INSERT OR REPLACE removes a row without firing a DELETE trigger, so the third guard stands before it.
_SQLITE_GUARDS = tuple(
    f"CREATE TRIGGER curation_events_{name} BEFORE {moment} BEGIN SELECT RAISE(ABORT, '{_NEVER}'); END"
    for name, moment in {
        "no_update": "UPDATE ON curation_events",
        "no_delete": "DELETE ON curation_events",
        "no_replace": """INSERT ON curation_events WHEN EXISTS (
            SELECT 1 FROM curation_events WHERE client_id = NEW.client_id OR seq = NEW.seq
        )""",
    }.items()
)

_POSTGRES_GUARDS = (
    f"""CREATE FUNCTION curation_events_only_grow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '{_NEVER}'; END $$""",
    """CREATE TRIGGER curation_events_no_change BEFORE UPDATE OR DELETE ON curation_events
        FOR EACH ROW EXECUTE FUNCTION curation_events_only_grow()""",
    """CREATE TRIGGER curation_events_no_truncate BEFORE TRUNCATE ON curation_events
        FOR EACH STATEMENT EXECUTE FUNCTION curation_events_only_grow()""",
)


def upgrade() -> None:
    """Add the table and its guards."""
    op.create_table(
        "curation_events",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("client_id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("rater", sa.Text, sa.ForeignKey("raters.rater"), nullable=False),
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
        sa.CheckConstraint("kind IN ('pick', 'unpick', 'nominate', 'speaker', 'skip', 'mined', 'undo')"),
        sqlite_autoincrement=True,  # a number is never given twice
    )
    op.create_index("curation_events_source", "curation_events", ["source_id", "seq"])
    guards = _SQLITE_GUARDS if op.get_bind().dialect.name == "sqlite" else _POSTGRES_GUARDS
    for guard in guards:
        op.execute(guard)
