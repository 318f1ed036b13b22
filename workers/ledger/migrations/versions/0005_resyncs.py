"""Runs of resyncs that are over."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Makes the table."""
    texts = ("run", "integration", "segment", "kind", "mode", "by")
    numbers = ("asked_ms", "ended_ms", "members", "rows", "added", "removed", "kept", "unusable", "quarantined")
    op.create_table(
        "resyncs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("uid", sa.Text, nullable=False, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in numbers),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )
    op.create_index("resyncs_ended", "resyncs", ["ended_ms"])
