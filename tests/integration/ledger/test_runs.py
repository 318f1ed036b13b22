"""Single deliveries, the newest first, however many there are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

from tests.integration.ledger.records import NOON, delivery
from workers.ledger import runs as deliveries
from workers.ledger.runs import runs

if TYPE_CHECKING:
    import pytest

    from workers.ledger.database import Ledger


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def segments(ledger: Ledger, limit: int = 50, **wanted: Any) -> list[str]:
    return [run.segment for run in runs(ledger, limit=limit, **wanted)]


def fill(ledger: Ledger) -> None:
    """Segments 0 to 9, by turns of two integrations; of 8 and 9 both began at the same moment."""
    ledger.write(
        [
            delivery(integration=f"i{n % 2}", segment=str(n), started_ms=NOON + min(n, 8), outcome="delivered")
            for n in range(10)
        ]
    )


def test_the_newest_that_fit_come_first(ledger: Ledger) -> None:
    fill(ledger)
    assert segments(ledger, 3) == ["9", "8", "7"]
    assert segments(ledger, integration="i0") == ["8", "6", "4", "2", "0"]
    assert segments(ledger, segment="5", integration="i1") == ["5"]
    assert [run.segment for run in runs(ledger, since=at(NOON + 2), until=at(NOON + 5))] == ["4", "3", "2"]


def test_only_the_newest_are_searched(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """And those that began as early as the last of them."""
    monkeypatch.setattr(deliveries, "LOOKED_AT", 4)
    fill(ledger)
    assert segments(ledger) == ["9", "8", "7", "6"]
    assert segments(ledger, integration="i0") == ["8", "6"]
    assert segments(ledger, segment="5") == []
    monkeypatch.setattr(deliveries, "LOOKED_AT", 1)
    assert segments(ledger) == ["9", "8"]


def test_what_is_wanted_is_read_along_the_index(ledger: Ledger) -> None:
    """Sorting the newest 200,000 for fifty of them took a second."""
    fill(ledger)
    asked: list[tuple[str, Any]] = []
    with ledger.reading() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
    runs(ledger, integration="i0")
    plans = []
    with ledger.reading() as connection:
        if ledger.dialect == "postgresql":  # so few rows are read in one go otherwise
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            connection.exec_driver_sql("SET LOCAL enable_sort = off")
        explain = "EXPLAIN QUERY PLAN " if ledger.dialect == "sqlite" else "EXPLAIN "
        for statement, parameters in [each for each in asked if "FROM deliveries" in each[0]]:
            found = connection.exec_driver_sql(explain + statement, parameters)
            plans.append(" ".join(str(row) for row in found))
    assert len(plans) == 2
    assert all("deliveries_once" in plan for plan in plans)
    assert not any("CO-ROUTINE" in plan or "Subquery" in plan for plan in plans)
