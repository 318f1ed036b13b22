"""Records into the ledger: each once, any of them, fast, and people's data only into the quarantine."""

from __future__ import annotations

import random
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import inspect, select, table, text
from sqlalchemy.event import listen

from tests.integration.ledger.records import ADD, NOON, delivery, entry, failure, rows
from workers.ledger import database as ledger_module
from workers.ledger.errors import LedgerError
from workers.ledger.tables import deliveries, quarantine, queries
from workers.outcomes import Cleared, Delivery, Quarantined, QueryRun, Resolved

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.ledger.database import Ledger
    from workers.outcomes import Record

LONG = random.Random(7).randbytes(50_000).decode("latin-1")
"""Text that does not shrink when it is compressed: PostgreSQL indexes 2,704 bytes."""


def test_a_record_is_stored_as_it_is(ledger: Ledger) -> None:
    sent, kept = delivery(), entry()

    ledger.write([sent, kept])

    (row,) = rows(ledger, deliveries)
    assert {"id": 1, **{name: getattr(sent, name) for name in row if name != "id"}} == row
    (query,) = rows(ledger, queries)
    assert query == {
        "delivery": 1,
        "position": 0,
        "integration": "crm",
        "event_type": "add",
        "started_ms": NOON,
        "waited_ms": 50,
        "profiles": 8,
        "statements": 1,
        "rows": 8,
        "duration_us": 900,
        "runs": 1,
        "unsent": 0,
    }
    (row,) = rows(ledger, quarantine)
    ours = {"id": 1, "source": "lane", "state": "open", "changed_ms": None, "changed_by": "", "note": ""}
    assert ours | {name: getattr(kept, name) for name in row if name not in ours} == row


def test_writing_twice_is_writing_once(ledger: Ledger) -> None:
    records: list[Record] = [delivery(queries=[ADD, ADD]), failure(), entry(), entry(integration=None)]

    assert ledger.write(records) == 4
    before = [rows(ledger, table) for table in (deliveries, queries, quarantine)]
    assert ledger.write(records) == 0

    assert [rows(ledger, table) for table in (deliveries, queries, quarantine)] == before
    assert [len(table) for table in before] == [2, 2, 2]


def test_only_what_is_new_is_written(ledger: Ledger) -> None:
    """A batch that was written in part before, and that holds a record twice."""
    known, new = delivery(), delivery(queries=[ADD, ADD])
    ledger.write([known])

    assert ledger.write([known, new, new]) == 1

    assert len(rows(ledger, deliveries)) == 2
    assert [row["position"] for row in rows(ledger, queries)] == [0, 0, 1]


def test_nothing_to_write(ledger: Ledger) -> None:
    assert ledger.write([]) == 0


def test_all_or_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "quarantine_row", lambda _: {"uid": "x", "payload": b"ann@example.com"})

    with pytest.raises(LedgerError):
        ledger.write([delivery(), entry()])

    assert rows(ledger, deliveries) == []
    assert rows(ledger, queries) == []


def test_an_error_shows_neither_rows_nor_statements(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL prints the failing row, SQLAlchemy statement and parameters."""
    monkeypatch.setattr(ledger_module, "quarantine_row", lambda _: {"uid": "x", "payload": b"ann@example.com"})

    with pytest.raises(LedgerError) as caught:
        ledger.write([entry()])

    shown = repr(caught.value) + "".join(traceback.format_exception(caught.value))
    assert not any(secret in shown for secret in ("ann@example.com", b"ann@example.com".hex(), "INSERT"))
    assert caught.value.code in ("SQLITE_CONSTRAINT_NOTNULL", "23502")


def test_two_writers_of_the_same_records_write_them_once(ledger: Ledger) -> None:
    """As when a drainer's lease ran out while it was stalled."""
    batches: list[list[Record]] = [[delivery(), entry(), failure()] for _ in range(40)]

    def write(_: int) -> int:
        return sum(ledger.write(batch) for batch in batches)

    with ThreadPoolExecutor(3) as pool:
        new = sum(pool.map(write, range(3)))

    assert new == 120
    assert [len(rows(ledger, table)) for table in (deliveries, queries, quarantine)] == [80, 40, 40]


numbers = st.integers(-(2**63), 2**64 - 1)
texts = st.text(st.characters() | st.sampled_from("\0\ud800\udfff"), max_size=300)
hostile_queries = st.builds(QueryRun, texts, numbers, numbers, numbers, numbers)
hostile_deliveries: st.SearchStrategy[Record] = st.builds(
    Delivery, *[texts] * 7, *[numbers] * 8, code=texts, reason=texts, queries=st.lists(hostile_queries, max_size=3)
)
perhaps = st.none() | texts
hostile_entries: st.SearchStrategy[Record] = st.builds(
    Quarantined,
    texts,
    *[perhaps] * 4,
    texts,
    numbers,
    texts,
    texts,
    st.binary(max_size=50),
    numbers,
    texts,
    texts,
    slot=texts,
    event_us=st.none() | numbers,
    retries=numbers,
    replaces=texts,
)
hostile_changes: st.SearchStrategy[Record] = st.builds(Resolved, *[texts] * 2, numbers, *[texts] * 3) | st.builds(
    Cleared, *[texts] * 3, numbers
)


@given(st.lists(hostile_deliveries | hostile_entries | hostile_changes, max_size=5))
def test_any_record_can_be_written_and_counted(ledger: Ledger, records: list[Record]) -> None:
    """NUL, lone surrogates, numbers beyond 64 bits: one that cannot be written would stop all that follow it."""
    ledger.write(records)

    for record in records:
        assert ledger.write([record]) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"segment": "nul \0 and \ud800", "reason": "\udfff" * 9_999},
        {"integration": "x" * 100_000},
        {"segment": "\U0001f600" * 255, "integration": "\U0001f600" * 255},
        {"started_ms": 2**64 - 1},
        {"waited_ms": -(2**63), "operations": 2**64 - 1},
        {"uid": "\0" * 100},
    ],
)
def test_a_hostile_delivery_is_mended(ledger: Ledger, change: dict[str, object]) -> None:
    hostile = delivery(**change)

    assert ledger.write([hostile, delivery()]) == 2
    assert ledger.write([hostile]) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"detail": "\0" * 100_000, "profile": "\ud800", "sequence": ""},
        {"payload": bytes(range(256)) * 40, "size": 2**64 - 1},
        {"payload": b"", "at_ms": -(2**63)},
        {"integration": LONG},
        {"uid": LONG, "integration": None, "segment": None, "event_type": None, "profile": None},
    ],
)
def test_a_hostile_entry_is_mended(ledger: Ledger, change: dict[str, object]) -> None:
    hostile = entry(**change)

    assert ledger.write([hostile]) == 1

    assert rows(ledger, quarantine)[0]["payload"] == hostile.payload


def test_uids_that_differ_where_they_are_mended_stay_two(ledger: Ledger) -> None:
    cut = "x" * 300
    alike = ["a\0", "a\ufffd", "a\ud800", "a\udfff", cut + "1", cut + "2"]

    assert ledger.write([delivery(uid=uid) for uid in alike]) == len(alike)


def test_people_s_data_is_only_in_the_quarantine(ledger: Ledger) -> None:
    planted = "ann.planted@example.com"
    kept = entry(profile=planted, payload=planted.encode(), detail=f"Duplicate entry '{planted}'")

    ledger.write([delivery(), failure(), kept])

    with ledger.reading() as connection:
        names = set(inspect(connection).get_table_names())
        found = {
            name: str(connection.execute(select(text("*")).select_from(table(name))).all()).count(planted)
            for name in names
        }
    assert {name for name, count in found.items() if count} == {"quarantine"}
    assert {"deliveries", "queries", "quarantine"} <= names


def test_ids_of_the_quarantine_are_short_and_in_order(ledger: Ledger) -> None:
    ledger.write([entry(profile=str(number)) for number in range(3)])

    assert [(row["id"], row["profile"]) for row in rows(ledger, quarantine)] == [(1, "0"), (2, "1"), (3, "2")]


@pytest.mark.parametrize("make", [delivery, entry])
def test_many_records_take_few_statements(ledger: Ledger, make: Callable[[], Record]) -> None:
    """Five hundred at once cost as many round trips as one: how long that takes, `make bench-parts` compares."""
    statements: list[str] = []
    with ledger.writing() as writer:
        listen(writer._connection, "before_cursor_execute", lambda *told: statements.append(told[2]))
        assert writer.write([make()]) == 1
        one = len(statements)
        assert writer.write([make() for _ in range(500)]) == 500

    assert len(statements) - one <= 2 * one
