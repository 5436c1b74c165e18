"""The history in columns, marks of what changed since, and indexes for the filters of a list.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "history_days",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("incidents", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("day"),
    )
    op.create_table(
        "stale_days",
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("day", "tx"),
    )
    op.create_index("incidents_by_zone", "incidents", ["zone", "opened_s", "incident_id"], unique=False)
    op.create_index("incidents_by_severity", "incidents", ["severity", "opened_s", "incident_id"], unique=False)
    op.create_index(
        "incidents_by_verdict",
        "incidents",
        ["verdict", "opened_s", "incident_id"],
        unique=False,
        sqlite_where=sa.text("verdict IS NOT NULL"),
        postgresql_where=sa.text("verdict IS NOT NULL"),
    )
    op.create_index(
        "incidents_open",
        "incidents",
        ["opened_s", "incident_id"],
        unique=False,
        sqlite_where=sa.text("closed_s IS NULL"),
        postgresql_where=sa.text("closed_s IS NULL"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _mark_in_sqlite()
    else:
        _mark_in_postgresql()


def _mark_in_sqlite() -> None:
    # One writer at a time: one mark of a day is enough. INSERT OR IGNORE would take the outer statement's way with conflicts.
    def day(of: str) -> str:
        days = f"{of} / 86400"
        return f"CAST({days} AS INTEGER) - ({days} < CAST({days} AS INTEGER))"

    def mark(of: str, source: str = "") -> str:
        known = f"(SELECT 1 FROM stale_days WHERE day = {day(of)} AND tx = 0)"
        where = f"{source} AND NOT EXISTS {known}" if source else f" WHERE NOT EXISTS {known}"
        return f"INSERT INTO stale_days (day, tx) SELECT {day(of)}, 0{where};"

    def of_incident(incident_id: str, more: str = "") -> str:
        return mark("i.opened_s", f" FROM incidents i WHERE i.incident_id = {incident_id}{more}")

    triggers = {
        "incident_new AFTER INSERT ON incidents": mark("NEW.opened_s"),
        "incident_changed AFTER UPDATE ON incidents": mark("OLD.opened_s") + mark("NEW.opened_s"),
        "incident_gone AFTER DELETE ON incidents": mark("OLD.opened_s"),
        "thread_new AFTER INSERT ON threads": of_incident("NEW.incident_id"),
        "thread_changed AFTER UPDATE OF created_s, sent_s, acknowledged_s, on_site_s, closed_s ON threads": of_incident(
            "NEW.incident_id"
        ),
        "crowd_told AFTER INSERT ON incident_events": of_incident("NEW.incident_id", " AND i.kind = 'crowding'"),
    }
    for name, body in triggers.items():
        op.execute(f"CREATE TRIGGER history_{name} BEGIN {body} END")
    op.execute(f"INSERT INTO stale_days (day, tx) SELECT DISTINCT {day('opened_s')}, 0 FROM incidents")


def _mark_in_postgresql() -> None:
    # Each transaction marks for itself: writers do not wait for each other, nor for whoever sums up.
    op.execute(
        "CREATE FUNCTION history_mark(at_s double precision) RETURNS void LANGUAGE sql AS $$ "
        "INSERT INTO stale_days (day, tx) VALUES (floor(at_s / 86400)::integer, pg_current_xact_id()::text::bigint) "
        "ON CONFLICT DO NOTHING $$"
    )
    op.execute(
        "CREATE FUNCTION history_incident() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP <> 'INSERT' THEN PERFORM history_mark(OLD.opened_s); END IF; "
        "IF TG_OP <> 'DELETE' THEN PERFORM history_mark(NEW.opened_s); END IF; "
        "RETURN NULL; END $$"
    )
    op.execute(
        "CREATE FUNCTION history_thread() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM history_mark(i.opened_s) FROM incidents i WHERE i.incident_id = NEW.incident_id; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE FUNCTION history_crowd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "PERFORM history_mark(i.opened_s) FROM incidents i "
        "WHERE i.incident_id = NEW.incident_id AND i.kind = 'crowding'; RETURN NULL; END $$"
    )
    for name, what in {
        "incident AFTER INSERT OR UPDATE OR DELETE ON incidents": "history_incident",
        "thread_new AFTER INSERT ON threads": "history_thread",
        "thread_changed AFTER UPDATE OF created_s, sent_s, acknowledged_s, on_site_s, closed_s ON threads": "history_thread",
        "crowd AFTER INSERT ON incident_events": "history_crowd",
    }.items():
        op.execute(f"CREATE TRIGGER history_{name} FOR EACH ROW EXECUTE FUNCTION {what}()")
    op.execute("INSERT INTO stale_days (day, tx) SELECT DISTINCT floor(opened_s / 86400)::integer, 0 FROM incidents")


def downgrade() -> None:
    raise NotImplementedError("a record is not taken apart: restore the copy that was made before")
