"""Places (camera, rule, level, zone, kind, the camera's name), each once, and one index of incidents by them instead of four.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_COLUMNS: Final = ("camera", "rule", "severity", "zone", "kind", "camera_name")
_NAMES: Final = ", ".join(_COLUMNS)
_NEW: Final = ", ".join(f"NEW.{name}" for name in _COLUMNS)
_KNOWN: Final = " AND ".join(f"{name} = NEW.{name}" for name in _COLUMNS)
_MOVED: Final = " OR ".join(f"OLD.{name} <> NEW.{name}" for name in _COLUMNS)
_NOTE: Final = f"INSERT INTO places ({_NAMES}) SELECT {_NEW} WHERE NOT EXISTS (SELECT 1 FROM places WHERE {_KNOWN})"


def upgrade() -> None:
    op.create_table(
        "places",
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("camera_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*_COLUMNS),
    )
    op.execute(f"INSERT INTO places ({_NAMES}) SELECT DISTINCT {_NAMES} FROM incidents")
    for name in ("camera", "kind", "zone", "severity"):
        op.drop_index(f"incidents_by_{name}", "incidents")
    op.create_index(
        "incidents_by_place",
        "incidents",
        ["camera", "rule", "severity", "opened_s", "incident_id", "verdict", "drill"],
        unique=False,
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER places_new AFTER INSERT ON incidents BEGIN {_NOTE}; END")
        op.execute(f"CREATE TRIGGER places_changed AFTER UPDATE ON incidents WHEN {_MOVED} BEGIN {_NOTE}; END")
        return
    op.create_index(
        "incidents_by_beginning",
        "incidents",
        ["incident_id"],
        unique=False,
        postgresql_ops={"incident_id": "varchar_pattern_ops"},
    )
    op.execute(
        "CREATE FUNCTION places_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"{_NOTE} ON CONFLICT DO NOTHING; RETURN NULL; END $$"
    )
    each = "FOR EACH ROW"
    op.execute(f"CREATE TRIGGER places_new AFTER INSERT ON incidents {each} EXECUTE FUNCTION places_note()")
    op.execute(
        f"CREATE TRIGGER places_changed AFTER UPDATE ON incidents {each} WHEN ({_MOVED}) EXECUTE FUNCTION places_note()"
    )


def downgrade() -> None:
    raise NotImplementedError("a record is not taken apart: restore the copy that was made before")
