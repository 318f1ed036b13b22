"""How long statistics take on a large ledger: `python -m tests.bench.ledger SIZE URL`; the URL is an empty database.

The deliveries are made by the database itself, spread over 90 days, 20 integrations and 50 waiting times, and added up
as an upgrade does.
"""

from __future__ import annotations

import statistics
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from alembic import command
from sqlalchemy import text

from workers.ledger import migrations
from workers.ledger.database import Ledger
from workers.ledger.runs import runs
from workers.ledger.statistics import errors, stats

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 11, 15, 12, tzinfo=UTC)
SPAN_MS = 90 * 86_400_000
NUMBERS = {
    "sqlite": "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {size}) SELECT n FROM c)",
    "postgresql": "(SELECT n FROM generate_series(1, {size}) AS n)",
}
DELIVERIES = """INSERT INTO deliveries (id, uid, integration, connector, segment, outcome, first, last, operations,
 merged, moot, quarantined, attempt, started_ms, duration_us, waited_ms, code, reason, tries, event_type)
SELECT n, 'u' || n, 'integration-' || (n % 20), 'crm', '' || (n % 1000),
 CASE WHEN n % 50 = 0 THEN 'retry' ELSE 'delivered' END, '', '', 1000, n % 3, 0, 0, 1, {begin} + n * {span} / {size},
 900, 20 + n % 50 * 7919 % 50 * 40, CASE WHEN n % 50 = 0 THEN 'mysql 1213' ELSE '' END,
 CASE WHEN n % 50 = 0 THEN 'deadlock' ELSE '' END, 1, '' FROM {numbers} AS c"""
QUERIES = """INSERT INTO queries (delivery, position, integration, event_type, started_ms, waited_ms, profiles,
 statements, rows, duration_us, runs) SELECT id, 0, integration, CASE WHEN id % 4 = 0 THEN 'remove' ELSE 'add' END,
 started_ms, waited_ms, 1000, 1, 1000, 800, 1 FROM deliveries WHERE outcome = 'delivered'"""


def fill(ledger: Ledger, size: int) -> None:
    """A ledger of so many deliveries."""
    begin = round(NOON.timestamp() * 1000) - SPAN_MS
    facts = {"begin": begin, "span": SPAN_MS, "size": size, "numbers": NUMBERS[ledger.dialect].format(size=size)}
    with ledger.changing() as connection:
        if ledger.dialect == "postgresql":
            connection.execute(text("SET LOCAL statement_timeout = 0"))
        config = migrations._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        connection.execute(text(DELIVERIES.format(**facts)))
        connection.execute(text(QUERIES))
    ledger.upgrade()
    with ledger.changing() as connection:
        connection.execute(text("ANALYZE"))


def timed(work: Callable[[], object]) -> float:
    """Milliseconds, the median of five."""
    took = []
    for _ in range(5):
        began = time.perf_counter()
        work()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def main(size: int, url: str) -> None:
    """Makes the ledger and tells what each question costs."""
    ledger = Ledger(url)
    began = time.perf_counter()
    fill(ledger, size)
    sys.stdout.write(f"{ledger.dialect}, {size:,} deliveries, made in {time.perf_counter() - began:.0f} s\n")
    day, most, part = timedelta(days=1), timedelta(days=90), timedelta(minutes=17)
    questions: dict[str, Callable[[], object]] = {
        "stats of a day, by the hour": lambda: stats(ledger, NOON - day - part, NOON - part),
        "stats of 90 days, by the day": lambda: stats(ledger, NOON - most, NOON, by="day"),
        "stats of 90 days, in total": lambda: stats(ledger, NOON - most, NOON, by="total"),
        "errors of 90 days": lambda: errors(ledger, NOON - most),
        "runs, the newest 20 of an integration": lambda: runs(ledger, integration="integration-3", since=NOON - day),
    }
    for name, ask in questions.items():
        sys.stdout.write(f"  {name}: {timed(ask):.0f} ms\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
