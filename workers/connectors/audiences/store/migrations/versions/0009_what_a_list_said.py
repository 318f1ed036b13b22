"""What a platform's list said last of all audiences of a login, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Makes the columns: nobody has asked yet."""
    op.add_column("ads_login", sa.Column("listed", sa.Text, nullable=False, server_default=""))
    op.add_column("ads_login", sa.Column("listed_ms", sa.BigInteger, nullable=False, server_default="0"))
