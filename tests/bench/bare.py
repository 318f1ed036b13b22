"""The same changes by a driver alone: what any way to the table must at least take."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.bench.measuring import timed
from tests.targets import UPSERT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.targets import TargetDatabase

NOW = {"mysql": "NOW(6)", "postgresql": "now()", "sqlite": "datetime('now')"}
Transaction = list[str]


def transactions(events: Iterable[dict[str, Any]], dialect: str, size: int) -> list[Transaction]:
    """What adds and removes come to: per segment, so many at a time, the last of a key counts, removes before adds."""
    lanes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for event in events:
        operations = [(event["type"], str(profile["CustomID"])) for profile in event["profiles"]]
        lanes[str(event["segment"]["id"])] += operations
    return [
        _transaction(segment, {key: kind for kind, key in operations[start : start + size]}, dialect)
        for segment, operations in lanes.items()
        for start in range(0, len(operations), size)
    ]


def _transaction(segment: str, last: dict[str, str], dialect: str) -> Transaction:
    adds = [f"({segment}, '{key}', {NOW[dialect]})" for key, kind in sorted(last.items()) if kind == "add"]
    removes = [f"'{key}'" for key, kind in sorted(last.items()) if kind == "remove"]
    statements = []
    if removes:
        statements.append(f"DELETE FROM member WHERE segment_id = {segment} AND client_id IN ({', '.join(removes)})")
    if adds:
        values = ",\n".join(adds)
        statements.append(f"INSERT INTO member (segment_id, client_id, updated) VALUES\n{values}\n{UPSERT[dialect]}")
    return statements


def seconds(target: TargetDatabase, wanted: list[Transaction]) -> float:
    """What running them takes, each a transaction, over one link."""
    connection = target.connect()
    try:
        return timed(lambda: _run(connection.cursor(), wanted))
    finally:
        connection.close()


def _run(cursor: Any, wanted: list[Transaction]) -> None:
    for statements in wanted:
        cursor.execute("BEGIN")
        for statement in statements:
            cursor.execute(statement)
        cursor.execute("COMMIT")
