"""An integration that was paused for long: upkeep bounds what it owes, and `resume` delivers where things stand now."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from tests.model import Model, profiles
from tests.targets import TargetDatabase
from workers.lanes.chunks import MAX_OPERATIONS

if TYPE_CHECKING:
    from tests.installation import Installation

HOUR_MS = 3_600_000
ROUNDS = 30
MEMBERS = 500


def changes(segment: int) -> list[dict[str, Any]]:
    """Every member comes and goes again and again; at last the even ones are in, of a segment with a name."""
    events: list[dict[str, Any]] = [{"type": "segment_upsert", "segment": {"id": segment, "name": "VIP"}}]
    for n in range(ROUNDS):
        kind = "add" if n % 2 == 0 else "remove"
        events.append({"type": kind, "segment": {"id": segment}, "profiles": profiles(*range(MEMBERS))})
    return [*events, {"type": "add", "segment": {"id": segment}, "profiles": profiles(*range(0, MEMBERS, 2))}]


def test_what_waited_for_an_hour_is_compacted_by_a_worker_and_ends_right(
    installation: Installation, sqlite_url: str
) -> None:
    target = TargetDatabase("sqlite", sqlite_url)
    target.create()
    installation.configure(target.connector() + target.integration())
    assert installation.segsync("apply", "--yes").returncode == 0
    assert installation.segsync("pause", "members").returncode == 0
    events = [event for pair in zip(changes(7), changes(8), strict=True) for event in pair]
    first = round(time.time() * 1000) - HOUR_MS
    for n, event in enumerate(events):
        installation.redis.xadd(installation.keys.events, {"event": json.dumps(event)}, id=f"{first + n}-0")
    pushed = sum(len(event.get("profiles", [0])) for event in events)
    assert pushed > 20_000

    installation.worker()
    installation.ready()
    most = 2 * (MAX_OPERATIONS + 2 * MEMBERS + 1)  # a remove stays before the add that follows it
    installation.wait(lambda: not installation.redis.xlen(installation.keys.events), "a routed intake")
    installation.wait(lambda: 0 < installation.backlog() <= most, f"a backlog of at most {most:,}")
    late = [{"type": "remove", "segment": {"id": 7}, "profiles": profiles(*range(100))}]
    installation.producer.push(late)
    assert target.members() == set()

    assert installation.segsync("resume", "members").returncode == 0
    installation.settle()
    model = Model()
    model.apply([*events, *late])
    assert target.members() == model.members
    assert target.names() == model.names
    with installation.ledger.reading() as connection:
        counted = "SELECT sum(operations), sum(merged), sum(moot) FROM deliveries WHERE outcome = 'delivered'"
        operations, merged, moot = connection.exec_driver_sql(counted).one()
        delivered = connection.exec_driver_sql("SELECT sum(profiles) FROM queries").scalar() or 0
    assert operations == pushed + 100
    assert delivered + merged + moot + 2 == operations  # 2: the segments' own events
    assert 0 < delivered < most
