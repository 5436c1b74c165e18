"""What the recorded main stream shows of the moments of an incident's pictures.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("stills", sa.JSON(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("a record is not taken apart: restore the copy that was made before")
