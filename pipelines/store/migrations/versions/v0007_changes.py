"""What changed, in order, written by the database's own triggers: whoever follows it misses nothing, whoever wrote.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

#: (name, when, what, id). An update that changes nothing that is shown is no change.
_WATCHED = (
    ("incident_new", "AFTER INSERT ON incidents", "incident", "NEW.incident_id"),
    ("incident_changed", "AFTER UPDATE ON incidents", "incident", "NEW.incident_id"),
    ("thread_new", "AFTER INSERT ON threads", "incident", "NEW.incident_id"),
    (
        "thread_changed",
        "AFTER UPDATE OF state, severity, step, silenced, deadline_s, acknowledged_s, on_site_s, closed_s, alarmed_s ON threads",
        "incident",
        "NEW.incident_id",
    ),
    ("alert_new", "AFTER INSERT ON alerts", "alert", "NEW.alert_id"),
    ("alert_changed", "AFTER UPDATE OF state, sent_s, acknowledged_s, closed_s ON alerts", "alert", "NEW.alert_id"),
)
#: So many are kept, looked after once in so many: who was away for longer is told to begin anew.
_KEPT, _EVERY = 100_000, 1_000


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("tx", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("changes_in_order", "changes", ["tx", "seq"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        for name, when, what, key in _WATCHED:
            body = f"INSERT INTO changes (tx, what, id) VALUES (0, '{what}', {key});"
            op.execute(f"CREATE TRIGGER changes_{name} {when} BEGIN {body} END")
        op.execute(
            f"CREATE TRIGGER changes_kept AFTER INSERT ON changes WHEN NEW.seq % {_EVERY} = 0 "
            f"BEGIN DELETE FROM changes WHERE seq <= NEW.seq - {_KEPT}; END"
        )
        return
    op.execute(
        "CREATE FUNCTION changes_note() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE given bigint; BEGIN "
        "INSERT INTO changes (tx, what, id) VALUES (pg_current_xact_id()::text::bigint, TG_ARGV[0], "
        "CASE TG_ARGV[0] WHEN 'alert' THEN to_jsonb(NEW) ->> 'alert_id' ELSE to_jsonb(NEW) ->> 'incident_id' END) "
        f"RETURNING seq INTO given; IF given % {_EVERY} = 0 THEN "
        # Nobody waits for somebody else's clearing up.
        "DELETE FROM changes WHERE seq IN "
        f"(SELECT seq FROM changes WHERE seq <= given - {_KEPT} FOR UPDATE SKIP LOCKED); "
        "END IF; RETURN NULL; END $$"
    )
    for name, when, what, _ in _WATCHED:
        op.execute(f"CREATE TRIGGER changes_{name} {when} FOR EACH ROW EXECUTE FUNCTION changes_note('{what}')")


def downgrade() -> None:
    raise NotImplementedError("a record is not taken apart: restore the copy that was made before")
