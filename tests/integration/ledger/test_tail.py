"""What counters are fed with: each delivery once, whatever fails in between."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.integration.ledger.records import delivery
from workers.ledger.database import Ledger
from workers.ledger.errors import LedgerError
from workers.ledger.tail import Tail

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_look_that_fails_has_seen_is_counted_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger, tail = Ledger(f"sqlite:///{path}"), Tail()
    ledger.upgrade()
    assert tail.read(ledger).deliveries == []

    ledger.write([delivery(), delivery()])
    with closing(sqlite3.connect(path)) as file:
        file.execute("ALTER TABLE queries RENAME TO away")
        with pytest.raises(LedgerError):
            tail.read(ledger)
        file.execute("ALTER TABLE away RENAME TO queries")

    found = tail.read(ledger)
    assert (len(found.deliveries), len(found.queries)) == (2, 2)
    assert tail.read(ledger).deliveries == []
