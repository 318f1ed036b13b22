"""Logins, audiences, who is in them, what they were told, and the calls."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text, nullable=False, server_default="") for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger, nullable=False, server_default="0") for name in names]


def upgrade() -> None:
    """Makes the tables."""
    _logins_and_audiences()
    _members()
    _calls()


def _logins_and_audiences() -> None:
    op.create_table(
        "ads_login",
        sa.Column("connector", sa.Text, primary_key=True),
        sa.Column("access", sa.LargeBinary),
        sa.Column("refresh", sa.LargeBinary),
        *_numbers("expires_ms", "ends_ms", "version", "owned_until_ms"),
        *_texts("account", "owner", "code", "reason"),
    )
    op.create_table(
        "ads_audience",
        sa.Column("id", _ID, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("connector", "integration", "segment", "list")),
        sa.Column("generation", sa.BigInteger, nullable=False),
        *_texts("name", "told_name", "remote", "state", "owner", "code", "reason", "waits", "leaving"),
        *_numbers("owned_until_ms", "served_ms", "written_ms", "first_owed_ms", "reminded_ms", "failures"),
        *_numbers("accepted", "applied", "rejected", "unknown_removed", "left_out"),
        sa.Column("due_ms", sa.BigInteger),
        sa.UniqueConstraint("connector", "integration", "segment", "list", "generation"),
    )
    op.create_index("ads_audience_due", "ads_audience", ["connector", "due_ms"])


def _members() -> None:
    op.create_table(
        "ads_identifier",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("audience", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.Column("companions", sa.LargeBinary),
        sa.Column("there", sa.SmallInteger, nullable=False),
        sa.Column("owed", sa.Boolean, nullable=False),
        sa.Column("call", sa.BigInteger),
        *_numbers("sent_ms"),
        sa.UniqueConstraint("audience", "kind", "value"),
    )
    owed, called = sa.text("owed"), sa.text("call IS NOT NULL")
    op.create_index("ads_identifier_owed", "ads_identifier", ["audience"], sqlite_where=owed, postgresql_where=owed)
    op.create_index("ads_identifier_call", "ads_identifier", ["call"], sqlite_where=called, postgresql_where=called)
    op.create_table(
        "ads_holding",
        sa.Column("audience", sa.BigInteger, nullable=False),
        sa.Column("profile", sa.Text, nullable=False),
        sa.Column("identifier", sa.BigInteger, nullable=False),
        sa.Column("companions", sa.LargeBinary),
        sa.PrimaryKeyConstraint("audience", "profile", "identifier"),
    )
    op.create_index("ads_holding_identifier", "ads_holding", ["identifier"])


def _calls() -> None:
    op.create_table(
        "ads_call",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("audience", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("action", "state")),
        *_texts("handle", "code", "reason"),
        *_numbers("rows", "rejected", "made_ms", "ended_ms", "poll_ms", "polls", "seen"),
    )
    still = sa.text("state IN ('calling', 'pending')")
    op.create_index("ads_call_open", "ads_call", ["audience"], sqlite_where=still, postgresql_where=still)
