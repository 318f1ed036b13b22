"""Records as deliverers and the router make them, and a look at what the ledger holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import structs
from sqlalchemy import select

from workers.outcomes import Delivery, Quarantined, QueryRun, Resynced, new_uid

if TYPE_CHECKING:
    from sqlalchemy import Table

    from workers.ledger.database import Ledger

NOON = 1_700_049_600_000
"""Milliseconds: 2023-11-15 12:00 UTC."""

ADD = QueryRun(event_type="add", profiles=8, statements=1, rows=8, duration_us=900)


def delivery(**changes: Any) -> Delivery:
    """A delivery of ten operations in one add query."""
    usual = Delivery(
        uid=new_uid(),
        integration="crm",
        connector="db",
        segment="7",
        outcome="delivered",
        first="170004960000000000000000000",
        last="170004960000000000000000009",
        operations=10,
        merged=1,
        moot=0,
        quarantined=1,
        attempt=1,
        started_ms=NOON,
        duration_us=1_200,
        waited_ms=50,
        queries=[ADD],
    )
    return structs.replace(usual, **changes)


def failure(outcome: str = "retry", **changes: Any) -> Delivery:
    """A try that the target refused."""
    usual = delivery(outcome=outcome, code="mysql 1213", reason="deadlock", queries=[])
    return structs.replace(usual, **changes)


def entry(**changes: Any) -> Quarantined:
    """A profile that could not be stored."""
    usual = Quarantined(
        uid=new_uid(),
        integration="crm",
        segment="7",
        event_type="add",
        profile="61f0",
        sequence="170004960000000000000000003",
        at_ms=NOON,
        code="mysql 1406",
        reason="a value is too long for its column",
        payload=b'{"_id":"61f0"}',
        size=14,
        sha256="ab" * 32,
        detail="Data too long for column 'clientId'",
    )
    return structs.replace(usual, **changes)


def resynced(**changes: Any) -> Resynced:
    """A verification that found nothing."""
    usual = Resynced(
        uid=new_uid(),
        run="3",
        integration="crm",
        segment="7",
        kind="verify",
        mode="diff",
        by="ann",
        asked_ms=NOON - 1_000,
        ended_ms=NOON,
        members=8,
        rows=8,
        added=0,
        removed=0,
        kept=0,
        unusable=0,
        quarantined=0,
        outcome="equal",
    )
    return structs.replace(usual, **changes)


def rows(ledger: Ledger, table: Table[Any]) -> list[dict[str, Any]]:
    """Everything in a table, in the order it was written."""
    with ledger.reading() as connection:
        found = connection.execute(select(table).order_by(*table.primary_key)).mappings()
        return [dict(row) for row in found]
