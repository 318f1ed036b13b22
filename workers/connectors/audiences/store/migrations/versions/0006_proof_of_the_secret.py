"""What proves that a process has the secret that a connector's login and ids are sealed with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Makes the table; who has the secret that opens what is there writes the first row."""
    op.create_table(
        "ads_seal",
        sa.Column("connector", sa.Text, primary_key=True),
        sa.Column("proof", sa.LargeBinary, nullable=False),
    )
