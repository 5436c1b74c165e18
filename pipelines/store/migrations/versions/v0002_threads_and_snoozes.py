"""Threads with their log, snoozes; verdicts that nobody can change or take away.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ROW_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "threads",
        sa.Column("incident_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("chain", sa.String(length=64), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("silenced", sa.Text(), nullable=False),
        sa.Column("created_s", sa.Double(), nullable=False),
        sa.Column("due_s", sa.Double(), nullable=True),
        sa.Column("deadline_s", sa.Double(), nullable=True),
        sa.Column("sent_s", sa.Double(), nullable=True),
        sa.Column("acknowledged_s", sa.Double(), nullable=True),
        sa.Column("acknowledged_by", sa.String(length=128), nullable=True),
        sa.Column("on_site_s", sa.Double(), nullable=True),
        sa.Column("on_site_by", sa.String(length=128), nullable=True),
        sa.Column("closed_s", sa.Double(), nullable=True),
        sa.Column("closed_by", sa.String(length=128), nullable=True),
        sa.Column("alarmed_s", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("incident_id"),
    )
    op.create_index(
        "threads_due",
        "threads",
        ["due_s"],
        unique=False,
        sqlite_where=sa.text("due_s IS NOT NULL"),
        postgresql_where=sa.text("due_s IS NOT NULL"),
    )
    op.create_index(
        "threads_open",
        "threads",
        ["severity", "created_s"],
        unique=False,
        sqlite_where=sa.text("closed_s IS NULL"),
        postgresql_where=sa.text("closed_s IS NULL"),
    )
    op.create_table(
        "thread_log",
        sa.Column("log_id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("incident_id", sa.String(length=64), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("who", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=False),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("log_id"),
    )
    op.create_index("thread_log_by_incident", "thread_log", ["incident_id", "log_id"], unique=False)
    op.create_table(
        "snoozes",
        sa.Column("snooze_id", _ROW_ID, autoincrement=True, nullable=False),
        sa.Column("camera", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.String(length=128), nullable=False),
        sa.Column("from_s", sa.Double(), nullable=False),
        sa.Column("until_s", sa.Double(), nullable=False),
        sa.Column("ended_s", sa.Double(), nullable=True),
        sa.Column("ended_by", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("snooze_id"),
    )
    op.create_index("snoozes_by_end", "snoozes", ["until_s"], unique=False)
    _keep_verdicts()


def _keep_verdicts() -> None:
    # A mark "false alarm" on possible bullying must outlive whoever wrote it; the database itself refuses the rest.
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER verdicts_are_kept_{verb.lower()} BEFORE {verb} ON verdicts "
                "BEGIN SELECT RAISE(ABORT, 'verdicts are added, never changed or removed'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION verdicts_are_kept() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION 'verdicts are added, never changed or removed'; END $$"
    )
    op.execute(
        "CREATE TRIGGER verdicts_are_kept BEFORE UPDATE OR DELETE ON verdicts "
        "FOR EACH ROW EXECUTE FUNCTION verdicts_are_kept()"
    )


def downgrade() -> None:
    raise NotImplementedError("a record is not taken apart: restore the copy that was made before")
