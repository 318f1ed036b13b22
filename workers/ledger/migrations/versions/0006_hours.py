"""Sums of deliveries by the hour, from all that there are; and from when on there are single deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workers.ledger.sums import HOUR_MS, cause_key, rounded_column

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Makes the tables and fills them."""
    op.add_column("ledger_identity", sa.Column("kept_ms", sa.BigInteger, nullable=True))
    keys = (sa.Column("hour", sa.BigInteger), sa.Column("integration", sa.Text), sa.Column("event_type", sa.Text))
    numbers = ("queries", "statements", "rows", "profiles", "merged", "moot", "longest_ms")
    hours = op.create_table(
        "hours",
        *keys,
        sa.Column("waited_ms", sa.BigInteger),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in numbers),
        sa.PrimaryKeyConstraint("hour", "integration", "event_type", "waited_ms"),
    )
    texts = ("integration", "event_type", "outcome", "code", "reason")
    failed = op.create_table(
        "failed_hours",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("hour", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in texts),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("tries", "first_ms", "last_ms")),
        sa.Column("segment", sa.Text, nullable=False),
    )
    op.create_index("failed_hours_hour", "failed_hours", ["hour"])
    _fill_hours(hours)
    _fill_failed(failed)


def _fill_hours(hours: sa.Table) -> None:
    wait = rounded_column(sa.column("waited_ms", sa.BigInteger))
    done = """
        SELECT started_ms, integration, event_type, waited_ms, runs, statements, rows, profiles,
               0 AS merged, 0 AS moot, waited_ms AS longest_ms
        FROM queries UNION ALL
        SELECT d.started_ms, d.integration, CASE WHEN MIN(q.event_type) = MAX(q.event_type) THEN MIN(q.event_type)
               ELSE '' END, d.waited_ms, 0, 0, 0, 0, d.merged, d.moot, 0
        FROM deliveries d LEFT JOIN queries q ON q.delivery = d.id
        WHERE d.outcome = 'delivered' AND d.merged + d.moot > 0
        GROUP BY d.id, d.started_ms, d.integration, d.waited_ms, d.merged, d.moot"""
    columns = ", ".join(column.name for column in hours.columns)
    op.execute(
        f"INSERT INTO hours ({columns}) "
        f"SELECT started_ms / {HOUR_MS}, integration, event_type, {wait}, SUM(runs), SUM(statements), SUM(rows), "
        f"SUM(profiles), SUM(merged), SUM(moot), MAX(longest_ms) FROM ({done}) AS done GROUP BY 1, 2, 3, 4"
    )


def _fill_failed(failed: sa.Table) -> None:
    grouped = sa.text(
        f"SELECT started_ms / {HOUR_MS} AS hour, integration, event_type, outcome, code, reason, SUM(tries) AS tries, "
        "MIN(started_ms) AS first_ms, MAX(started_ms) AS last_ms, MAX(segment) AS segment "
        "FROM deliveries WHERE outcome <> 'delivered' GROUP BY 1, 2, 3, 4, 5, 6"
    )
    rows = [dict(row) | {"tries": int(row["tries"])} for row in op.get_bind().execute(grouped).mappings()]
    if rows:
        op.bulk_insert(failed, [row | {"key": cause_key(row)} for row in rows])
