"""Sheets that one shift hands to the next; once written, only who takes one over is filled in.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_GIVEN = "handover_id, from_s, until_s, cameras, sheet, note, sha256, given_by, given_s"
_WHY = "a sheet that was handed over stays as it was signed"


def upgrade() -> None:
    op.create_table(
        "handovers",
        sa.Column(
            "handover_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("from_s", sa.Double(), nullable=False),
        sa.Column("until_s", sa.Double(), nullable=False),
        sa.Column("cameras", sa.JSON(), nullable=True),
        sa.Column("sheet", sa.JSON(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("given_by", sa.String(length=128), nullable=False),
        sa.Column("given_s", sa.Double(), nullable=False),
        sa.Column("taken_by", sa.String(length=128), nullable=True),
        sa.Column("taken_s", sa.Double(), nullable=True),
        sa.Column("remark", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("handover_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("handovers_by_time", "handovers", ["until_s", "handover_id"], unique=False)
    if op.get_bind().dialect.name == "sqlite":
        refuse = f"BEGIN SELECT RAISE(ABORT, '{_WHY}'); END"
        op.execute(f"CREATE TRIGGER handovers_given BEFORE UPDATE OF {_GIVEN} ON handovers {refuse}")
        op.execute(f"CREATE TRIGGER handovers_taken BEFORE UPDATE ON handovers WHEN OLD.taken_s IS NOT NULL {refuse}")
        op.execute(f"CREATE TRIGGER handovers_stay BEFORE DELETE ON handovers {refuse}")
        return
    op.execute(
        "CREATE FUNCTION handovers_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'UPDATE' AND OLD.taken_s IS NULL AND "
        "to_jsonb(NEW) - '{taken_by,taken_s,remark}'::text[] = to_jsonb(OLD) - '{taken_by,taken_s,remark}'::text[] "
        f"THEN RETURN NEW; END IF; RAISE EXCEPTION '{_WHY}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER handovers_stay BEFORE UPDATE OR DELETE ON handovers "
        "FOR EACH ROW EXECUTE FUNCTION handovers_refuse()"
    )
    op.execute(
        "CREATE TRIGGER handovers_not_emptied BEFORE TRUNCATE ON handovers "
        "FOR EACH STATEMENT EXECUTE FUNCTION handovers_refuse()"
    )


def downgrade() -> None:
    raise NotImplementedError("a record is not taken apart: restore the copy that was made before")
