"""How much was written for each connector, so that an older copy of the store is noticed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Makes the table; a connector without a row was never counted."""
    op.create_table(
        "ads_written",
        sa.Column("connector", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("counted", sa.BigInteger, nullable=False),
    )
