"""What was added to the ledger since the last look, for counters that only grow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select

from workers.ledger.tables import deliveries, queries

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from workers.ledger.database import Ledger

PAGE: Final = 20_000
"""Deliveries that are read at once."""
MOST_PAGES: Final = 10
"""Pages of one look: what is more comes with the next."""


@dataclass(frozen=True, slots=True)
class Added:
    """Rows of the ledger, in the order they were written."""

    deliveries: list[RowMapping]
    queries: list[RowMapping]


class Tail:
    """Reads on from where it read last; begins at the ledger's end. A look that raises LedgerError has read nothing."""

    def __init__(self) -> None:
        self._last: int | None = None

    def read(self, ledger: Ledger) -> Added:
        """What is new; nothing at the first look, from which on it is counted."""
        found, last = Added([], []), self._last
        with ledger.reading() as connection:
            if last is None:
                self._last = int(connection.execute(select(func.max(deliveries.c.id))).scalar() or 0)
                return found
            for _ in range(MOST_PAGES):
                page: Any = select(deliveries).where(deliveries.c.id > last).order_by(deliveries.c.id).limit(PAGE)
                rows = list(connection.execute(page).mappings())
                if not rows:
                    break
                first, last = rows[0]["id"], rows[-1]["id"]
                found.deliveries.extend(rows)
                of_them = select(queries).where(queries.c.delivery.between(first, last))
                found.queries.extend(connection.execute(of_them).mappings())
        self._last = last
        return found
