"""The first version: deliveries, queries and the quarantine."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TEXT = sa.Text()
NUMBER = sa.BigInteger()
SERIAL = NUMBER.with_variant(sa.Integer(), "sqlite")


def _columns(type_: sa.types.TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, type_, nullable=False) for name in names]


def upgrade() -> None:
    """Makes the three tables and their indexes."""
    _deliveries()
    _queries()
    _quarantine()


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", SERIAL, primary_key=True),
        *_columns(TEXT, "uid", "integration", "connector", "segment", "outcome", "first", "last"),
        *_columns(NUMBER, "operations", "merged", "moot", "quarantined", "attempt"),
        *_columns(NUMBER, "started_ms", "duration_us", "waited_ms"),
        *_columns(TEXT, "code", "reason"),
    )
    failed = sa.text("outcome != 'delivered'")
    op.create_index("deliveries_once", "deliveries", ["started_ms", "uid"], unique=True)
    op.create_index("deliveries_failed", "deliveries", ["started_ms"], sqlite_where=failed, postgresql_where=failed)


def _queries() -> None:
    op.create_table(
        "queries",
        sa.Column("delivery", NUMBER, sa.ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        *_columns(TEXT, "integration", "event_type"),
        *_columns(NUMBER, "started_ms", "waited_ms", "profiles", "statements", "rows", "duration_us"),
    )
    op.create_index("queries_started", "queries", ["started_ms"])


def _quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column("id", SERIAL, primary_key=True),
        sa.Column("uid", TEXT, nullable=False, unique=True),
        *_columns(TEXT, "source", "state"),
        sa.Column("changed_ms", NUMBER),
        *_columns(TEXT, "changed_by", "note"),
        *[sa.Column(name, TEXT) for name in ("integration", "segment", "event_type", "profile")],
        *_columns(TEXT, "sequence"),
        *_columns(NUMBER, "at_ms"),
        *_columns(TEXT, "code", "reason"),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        *_columns(NUMBER, "size"),
        *_columns(TEXT, "sha256", "detail", "slot"),
        sa.Column("event_us", NUMBER),
        *_columns(NUMBER, "retries"),
        *_columns(TEXT, "replaces"),
        sqlite_autoincrement=True,
    )
    still = sa.text("state = 'open'")
    op.create_index("quarantine_at", "quarantine", ["at_ms"])
    op.create_index("quarantine_open", "quarantine", ["integration", "id"], sqlite_where=still, postgresql_where=still)
    lane, still = ["integration", "segment"], sa.text("state IN ('open', 'retried')")
    op.create_index("quarantine_unresolved", "quarantine", lane, sqlite_where=still, postgresql_where=still)
