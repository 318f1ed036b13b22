"""How far an audience's members are replaced, and what a login was not granted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Makes the columns: no audience is being replaced, and of no login it is known that it lacks a right."""
    for name in ("replaces", "replaced"):
        op.add_column("ads_audience", sa.Column(name, sa.Text, nullable=False, server_default=""))
    op.add_column("ads_audience", sa.Column("replace_ms", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("ads_login", sa.Column("lacks", sa.Text, nullable=False, server_default=""))
