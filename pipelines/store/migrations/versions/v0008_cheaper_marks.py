"""The triggers that mark a day as changed do nothing for what changes no figure, and less for what does.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

from typing import Final

from alembic import op

revision = "0008"
down_revision = "0007"

_MOMENTS: Final = ("sent_s", "acknowledged_s", "on_site_s", "closed_s")
#: A thread to which nothing has happened yet.
_ANSWERED: Final = " OR ".join(f"NEW.{name} IS NOT NULL" for name in _MOMENTS)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _in_sqlite()
    else:
        _in_postgresql()


def _in_sqlite() -> None:
    op.execute("DROP TRIGGER history_thread_new")
    op.execute("DROP TRIGGER history_incident_changed")

    def day(of: str) -> str:
        days = f"{of} / 86400"
        return f"CAST({days} AS INTEGER) - ({days} < CAST({days} AS INTEGER))"

    def mark(of: str, more: str = "") -> str:
        known = f"(SELECT 1 FROM stale_days WHERE day = {day(of)} AND tx = 0)"
        return f"INSERT INTO stale_days (day, tx) SELECT {day(of)}, 0 {more} NOT EXISTS {known};"

    op.execute(
        f"CREATE TRIGGER history_thread_new AFTER INSERT ON threads WHEN {_ANSWERED} BEGIN "
        f"{mark('i.opened_s', 'FROM incidents i WHERE i.incident_id = NEW.incident_id AND')} END"
    )
    moved = "WHERE OLD.opened_s <> NEW.opened_s AND"
    op.execute(
        "CREATE TRIGGER history_incident_changed AFTER UPDATE ON incidents BEGIN "
        f"{mark('NEW.opened_s', 'WHERE')}{mark('OLD.opened_s', moved)} END"
    )


def _in_postgresql() -> None:
    mark = (
        "INSERT INTO stale_days (day, tx) VALUES (floor({of} / 86400)::integer, pg_current_xact_id()::text::bigint) "
        "ON CONFLICT DO NOTHING;"
    )
    op.execute(
        "CREATE OR REPLACE FUNCTION history_incident() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"IF TG_OP <> 'DELETE' THEN {mark.format(of='NEW.opened_s')} END IF; "
        "IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND OLD.opened_s <> NEW.opened_s THEN "
        f"{mark.format(of='OLD.opened_s')} END IF; "
        "RETURN NULL; END $$"
    )
    op.execute("DROP TRIGGER history_thread_new ON threads")
    op.execute(
        f"CREATE TRIGGER history_thread_new AFTER INSERT ON threads FOR EACH ROW WHEN ({_ANSWERED}) "
        "EXECUTE FUNCTION history_thread()"
    )
    op.execute("DROP TRIGGER history_crowd ON incident_events")
    op.execute(
        "CREATE TRIGGER history_crowd AFTER INSERT ON incident_events FOR EACH ROW "
        "WHEN ((NEW.body -> 'data' ->> 'kind') = 'crowding') EXECUTE FUNCTION history_crowd()"
    )


def downgrade() -> None:
    raise NotImplementedError("a record is not taken apart: restore the copy that was made before")
