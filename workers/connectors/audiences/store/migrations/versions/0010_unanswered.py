"""Since when a platform answers nothing of what an audience asks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Makes the column: nothing is known of what was asked before."""
    op.add_column("ads_audience", sa.Column("unanswered", sa.Text, nullable=False, server_default=""))
