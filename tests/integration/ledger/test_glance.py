"""What `status` sees of an SQLite ledger at a glance is what the ledger's own code says; else it sees nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, update

from tests.integration.ledger.records import entry
from workers.ledger.database import Ledger
from workers.ledger.glance import Glance, glance
from workers.ledger.identity import id_of
from workers.ledger.known import KnownLedger
from workers.ledger.tables import STATES, installations, quarantine
from workers.quarantine.entries import count_open

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A name that a URI would read otherwise."""
    return f"sqlite:///{tmp_path / 'a #b.db'}"


def known(ledger: Ledger, counted: int) -> KnownLedger:
    return KnownLedger(id_of(ledger), ledger.place, "here", None, counted)


def test_open_entries_are_those_that_the_ledger_counts(url: str) -> None:
    ledger = Ledger(url)
    ledger.upgrade()
    entries = [entry(uid=f"{state}-{where}", integration=where) for state in STATES for where in ("crm", None)]
    ledger.write([*entries, entry(), entry(integration="erp")])
    with ledger.changing() as connection:
        for state in STATES:
            mine = quarantine.c.uid.in_([f"{state}-crm", f"{state}-None"])
            connection.execute(update(quarantine).where(mine).values(state=state))
        connection.execute(insert(installations).values(namespace="mine", installation="i1", counted=3))
    counts = count_open(ledger)
    assert counts == {"crm": 2, "erp": 1, None: 1}
    assert glance(url, "mine", known(ledger, 3)) == Glance(counts, "i1")
    assert glance(url, "another", None) == Glance(counts, "")


def test_another_ledger_and_an_older_copy_are_looked_at_closely(url: str) -> None:
    ledger = Ledger(url)
    ledger.upgrade()
    with ledger.changing() as connection:
        connection.execute(insert(installations).values(namespace="mine", installation="i1", counted=3))
    assert glance(url, "mine", known(ledger, 4)) is None
    assert glance(url, "mine", KnownLedger("other", "", "", None, 0)) is None
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as file:
        file.execute("UPDATE ledger_version SET version_num = '9999'")
        file.commit()
    assert glance(url, "mine", None) is None


def test_what_is_no_file_of_ours_is_looked_at_closely_and_not_made(tmp_path: Path) -> None:
    missing, other = tmp_path / "missing.db", tmp_path / "other.db"
    other.write_text("no database")
    urls = [f"sqlite:///{missing}", f"sqlite:///{other}", "sqlite:///relative.db", "sqlite:////tmp/%61.db"]
    assert [glance(url, "mine", None) for url in (*urls, "postgresql://u@127.0.0.1:1/d")] == [None] * 5
    assert not missing.exists()
