"""How often who writes has counted, so that a copy of a ledger is noticed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the column."""
    op.add_column("ledger_installations", sa.Column("counted", sa.BigInteger, nullable=True))
