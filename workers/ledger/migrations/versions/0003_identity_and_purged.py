"""Which ledger this is and whose; and sums of what is purged, so that statistics of the past stay as they were."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Makes the tables."""
    identity = op.create_table("ledger_identity", sa.Column("id", sa.Text, primary_key=True))
    op.bulk_insert(identity, [{"id": secrets.token_hex(12)}])
    op.create_table(
        "ledger_installations",
        sa.Column("namespace", sa.Text, primary_key=True),
        sa.Column("installation", sa.Text, nullable=False),
    )
    op.create_table(
        "purged",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("integration", sa.Text, nullable=True),
        sa.Column("event_type", sa.Text, nullable=True),
        sa.Column("code", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("many", sa.BigInteger, nullable=False),
    )
    op.create_index("purged_at", "purged", ["at_ms"])
