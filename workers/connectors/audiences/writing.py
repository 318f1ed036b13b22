"""Brings a shipment into the store: who holds what from now on, and what is therefore owed to the platform.

One transaction: the audience's row is locked first, so that nobody else changes its members meanwhile, and the fence is
asked with that lock in hand. Told twice it is the same; what a lane has handed over is owed by the store from then on.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.connectors.audiences.store import members
from workers.connectors.audiences.store.audiences import NEW, forget_members, open_audiences, owe, rename
from workers.connectors.audiences.store.database import takes_nul
from workers.connectors.contract import Receipt, Rejection
from workers.outcomes import QueryRun
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from workers.connectors.audiences.records import Platform
    from workers.connectors.audiences.store.audiences import Audience
    from workers.connectors.audiences.store.members import Written
    from workers.connectors.audiences.store.sealing import Seal
    from workers.connectors.contract import Fence, Shipment
    from workers.connectors.identifiers import Identifier, Record

PIECE_SECONDS = 60.0
"""What a piece of a change of all members may take."""
NO_IDENTIFIER = "no identifier"
"""The code of a profile of whom nothing can be sent."""
BAD_KEY = "bad key"
"""The code of a profile that the store cannot name."""
LONGEST_KEY = 2_000
"""Bytes of a key: what PostgreSQL keeps in an index ends at 2,704 (its manual, "B-Tree Indexes": a third of a page)."""


@dataclass(slots=True)
class _Told:
    """What a shipment's groups come to: of each profile the last word."""

    last: dict[str, Record] = field(default_factory=dict)
    left_first: dict[str, Record] = field(default_factory=dict)
    present: dict[str, bool] = field(default_factory=dict)
    lists: set[str] = field(default_factory=set)
    runs: dict[str, int] = field(default_factory=Counter)
    left_out: int = 0
    rejected: list[Rejection] = field(default_factory=list)


class StoreWriter:
    """Writes the shipments of one connector.

    connector  its key
    on_delete  what becomes of an audience whose segment was deleted, by integration: "empty", "keep", "delete"
    """

    def __init__(self, connector: str, platform: Platform, seal: Seal, on_delete: Mapping[str, str]) -> None:
        self._connector = connector
        self._platform = platform
        self._seal = seal
        self._on_delete = on_delete
        self._list_of = {kind: each.list for each in platform.fields.values() for kind in each.kinds}

    def write(self, connection: Connection, shipment: Shipment, fence: Fence, now_ms: int) -> Receipt:
        """All of the shipment, within the connection's transaction."""
        started = time.perf_counter()
        told = self._told(shipment, takes_nul=takes_nul(connection))
        place = (self._connector, shipment.integration, shipment.segment)
        found = open_audiences(connection, place, told.lists, shipment.name or "", now_ms)
        fence()
        for one in found.values():
            if shipment.name and one.name != shipment.name:
                rename(connection, one.id, shipment.name, now_ms)
        if shipment.event is not None:
            changed = self._answer(connection, shipment, found, fence, now_ms)
            return Receipt((_run(shipment.event.kind.value, 0, changed, started),))
        written = [self._write_list(connection, name, one, told, now_ms) for name, one in found.items()]
        left = sum(one.left for one in written)
        came = sum(one.changed for one in written) - left
        rows = {QueryKind.ADD.value: came, QueryKind.REMOVE.value: left}
        runs = tuple(_run(kind, profiles, rows[kind], started) for kind, profiles in told.runs.items())
        return Receipt(runs, rejected=tuple(told.rejected))

    def _answer(
        self, connection: Connection, shipment: Shipment, found: Mapping[str, Audience], fence: Fence, now_ms: int
    ) -> int:
        """A segment event; returns the members that it takes away: of millions each piece has its time."""
        event = shipment.event
        policy = self._on_delete.get(shipment.integration, "empty")
        gone = event is not None and event.kind is QueryKind.SEGMENT_DELETE
        clears = event is not None and event.kind is QueryKind.CLEAR
        if not clears and not (gone and policy != "keep"):
            return 0
        leaving = "delete" if gone and policy == "delete" else ""
        return sum(
            forget_members(connection, one.id, now_ms, leaving=leaving, goes_on=lambda: fence(PIECE_SECONDS))
            for one in found.values()
        )

    def _told(self, shipment: Shipment, *, takes_nul: bool) -> _Told:
        told = _Told()
        if not shipment.groups:
            return told
        assert shipment.fields is not None  # noqa: S101 - an ad integration has them
        for kind, group in shipment.groups:
            told.runs[kind.value] += len(group)
            for member in group:
                key = profile_name(member.key)
                if kind is QueryKind.ADD and (unfit := _unfit(key)):
                    told.rejected.append(Rejection(member.sequence, BAD_KEY, unfit))
                    continue
                if "\0" in key and not takes_nul:
                    continue  # nobody stands there under it, and nobody can be asked for by it
                record = shipment.fields.record(member.row)
                if key not in told.last and kind is QueryKind.REMOVE:
                    told.left_first[key] = record
                told.last[key], told.present[key] = record, kind is QueryKind.ADD
                told.lists |= {self._list_of.get(each.kind, "") for each in record.identifiers}
                told.left_out += len(record.left_out)
                if kind is QueryKind.ADD and not record.identifiers and not record.withheld:
                    told.rejected.append(Rejection(member.sequence, NO_IDENTIFIER, _why(record)))
        return told

    def _write_list(self, connection: Connection, name: str, audience: Audience, told: _Told, now_ms: int) -> Written:
        """One list's part."""
        wanted = {}
        for key, record in told.last.items():
            mine = self._mine(name, record) if told.present[key] else ()
            wanted[key] = members.Holds(mine, self._companions(record) if mine else None)
        unknown = {key: self._mine(name, record) for key, record in told.left_first.items()}
        if audience.state == NEW:  # nobody is there who could be taken out
            unknown = {}
        done = members.write(connection, audience.id, wanted, unknown, whole_rows=self._platform.whole_rows)
        if done.touched:
            owe(connection, audience.id, now_ms, unknown=done.unknown, left_out=told.left_out)
            told.left_out = 0  # counted once, however many lists there are
        return done

    def _mine(self, name: str, record: Record) -> tuple[members.Kept, ...]:
        """Of a record's identifiers those of one list."""
        return tuple(kept(each, self._seal) for each in record.identifiers if self._list_of.get(each.kind, "") == name)

    def _companions(self, record: Record) -> members.Along | None:
        if not record.companions:
            return None
        text = json.dumps([[each.kind, each.value] for each in record.companions], separators=(",", ":"))
        return members.Along(self._seal.mark(text), self._seal.seal(text))


def kept(identifier: Identifier, seal: Seal) -> members.Kept:
    """An identifier as the store has it: sealed where it goes plain."""
    kind, value, plain = identifier
    if not plain:
        return members.Kept(kind, bytes.fromhex(value), None)
    return members.Kept(kind, seal.mark(f"{kind}\0{value}"), seal.seal(value))


def profile_name(key: tuple[str, ...]) -> str:
    """A key as the store has it: its one field, or JSON of several."""
    return key[0] if len(key) == 1 else json.dumps(key, ensure_ascii=False, separators=(",", ":"))


def _unfit(key: str) -> str:
    """Why a profile cannot stand in the store under this key, in either database; "" where it can.

    Who stands there already, under a key that a file took, can leave.
    """
    if "\0" in key:
        return "its key has a NUL; expected text without one"
    size = len(key.encode("utf-8", "surrogatepass"))
    return f"its key has {size:,} bytes; expected at most {LONGEST_KEY:,}" if size > LONGEST_KEY else ""


def _why(record: Record) -> str:
    """Our sentence; never a value."""
    left_out = "; ".join(f"{field}: {reason}" for field, reason in record.left_out)
    return f"nothing of it can be sent: {left_out}" if left_out else "it has none of the fields that are sent"


def _run(event_type: str, profiles: int, changed: int, started: float) -> QueryRun:
    return QueryRun(event_type, profiles, 1, changed, round((time.perf_counter() - started) * 1e6))
