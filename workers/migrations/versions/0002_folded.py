"""One row may stand for many tries or queries: they were added up while the ledger was away (RULES.md 29)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the two counts; what is there stands for one each."""
    for table, column in (("deliveries", "tries"), ("queries", "runs")):
        op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=False, server_default="1"))
