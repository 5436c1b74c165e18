"""Alerts that wait for a digest; a quick way to the threads that reached nobody.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_GATHERED = sa.text("digest IS NOT NULL")
_UNSENT = sa.text("sent_s IS NULL AND alarmed_s IS NULL")


def upgrade() -> None:
    op.add_column("alerts", sa.Column("digest", sa.String(length=36), nullable=True))
    op.create_index(
        "alerts_in_digest",
        "alerts",
        ["digest", "recipient", "created_s"],
        unique=False,
        sqlite_where=_GATHERED,
        postgresql_where=_GATHERED,
    )
    op.add_column("threads", sa.Column("told_s", sa.Double(), nullable=True))
    op.create_index(
        "threads_unsent", "threads", ["told_s"], unique=False, sqlite_where=_UNSENT, postgresql_where=_UNSENT
    )


def downgrade() -> None:
    raise NotImplementedError("a record is not taken apart: restore the copy that was made before")
