"""One row may stand for many tries or queries, added up (rule 29); and tries tell which query failed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the two counts (what is there stands for one each), and of which type the query was that failed."""
    for table, column in (("deliveries", "tries"), ("queries", "runs")):
        op.add_column(table, sa.Column(column, sa.BigInteger(), nullable=False, server_default="1"))
    op.add_column("deliveries", sa.Column("event_type", sa.Text(), nullable=False, server_default=sa.text("''")))
