"""How far the clocks could be trusted, with each incident.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("clock", sa.JSON(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("a record is not taken apart: restore the copy that was made before")
