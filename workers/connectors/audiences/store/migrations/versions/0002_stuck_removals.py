"""Identifiers that a platform does not take out are found without a look at all others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the index; 5 is STUCK."""
    stuck = sa.text("there = 5")
    op.create_index("ads_identifier_stuck", "ads_identifier", ["audience"], sqlite_where=stuck, postgresql_where=stuck)
