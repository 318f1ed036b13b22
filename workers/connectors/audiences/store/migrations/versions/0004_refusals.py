"""Which entry of the quarantine tells of what a platform refused; what is refused already gets one."""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the table; 3 is REFUSED."""
    op.create_table(
        "ads_refusal",
        sa.Column("identifier", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("audience", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("entry", "told", "before")),
        sa.Column("retries", sa.BigInteger, nullable=False),
    )
    op.create_index("ads_refusal_entry", "ads_refusal", ["entry"])
    # Stores count their identifiers by themselves, and a ledger may have several: so an entry's uid begins at random.
    uid = sa.literal(secrets.token_hex(6)) + sa.cast(sa.column("id"), sa.Text)
    columns: tuple[sa.ColumnElement[Any], ...] = (
        sa.column("id"),
        sa.column("audience"),
        uid,
        sa.literal(""),
        sa.literal(""),
        sa.literal(0),
    )
    refused = sa.select(*columns).select_from(sa.table("ads_identifier")).where(sa.column("there") == 3)  # noqa: PLR2004
    names = ("identifier", "audience", "entry", "told", "before", "retries")
    made = sa.table("ads_refusal", *(sa.column(name) for name in names))
    op.execute(made.insert().from_select(names, refused))
