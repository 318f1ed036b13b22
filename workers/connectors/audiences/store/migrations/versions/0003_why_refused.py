"""Why a platform refused an identifier."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the column."""
    op.add_column("ads_identifier", sa.Column("code", sa.Text))
