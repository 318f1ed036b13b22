"""Statements that were not sent, since the list that is all of them came out empty."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Adds the count; nobody counted what came before."""
    for table in ("queries", "hours"):
        op.add_column(table, sa.Column("unsent", sa.BigInteger(), nullable=False, server_default="0"))
