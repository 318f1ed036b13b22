"""What an audience's last call did, and since when a platform answers nothing of what it asks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Makes the columns: nothing is known of what was before."""
    for name in ("last_call", "unanswered"):
        op.add_column("ads_audience", sa.Column(name, sa.Text, nullable=False, server_default=""))
