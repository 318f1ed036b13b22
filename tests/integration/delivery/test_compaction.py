"""A lane that waits for long is bounded by its segment, and nothing that was accepted goes uncounted (rule 31)."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from tests.integration.jobs import Job, clear, upsert
from tests.model import profiles
from workers.control import pause as pausing
from workers.control.drain import drain
from workers.delivery.compaction import Compactor
from workers.integrations import Ordering
from workers.lanes.chunks import MAX_OPERATIONS
from workers.ledger.tables import deliveries, quarantine, queries

if TYPE_CHECKING:
    from workers.integrations import Integration

HOUR_MS = 3_600_000
FIRST_CHUNK = MAX_OPERATIONS
"""It is never touched."""


@pytest.fixture
def paused(sqlite_job: Job) -> Job:
    """A job whose integration is paused."""
    assert sqlite_job.runtime.lanes
    pausing.pause(sqlite_job.installation.redis, sqlite_job.installation.keys, "members")
    return sqlite_job


def changes(rounds: int, members: int) -> list[dict[str, Any]]:
    """Every member comes and goes again and again; in the end the even ones are in."""
    events = []
    for n in range(rounds):
        kind = "add" if n % 2 == 0 else "remove"
        events.append({"type": kind, "segment": {"id": 7}, "profiles": profiles(*range(members))})
    return [*events, {"type": "add", "segment": {"id": 7}, "profiles": profiles(*range(0, members, 2))}]


def push_in_the_past(job: Job, events: list[dict[str, Any]], hours: int = 1) -> None:
    """As if they had been pushed so long ago; they were accepted in this order."""
    first = round(time.time() * 1000) - hours * HOUR_MS
    job.model.apply(events)
    for n, event in enumerate(events):
        entry = {"event": json.dumps(event)}
        job.installation.redis.xadd(job.installation.keys.events, entry, id=f"{first + n}-0")


def owed(job: Job) -> tuple[int, int]:
    """Operations by the lane's count, and by what its chunks say."""
    redis, keys = job.installation.redis, job.installation.keys
    chunks: Any = redis.lrange(keys.chunks("members", "7"), 0, -1)
    count: Any = redis.hget(keys.lane("members", "7"), "count")
    return int(count), sum(int(chunk[54:60]) for chunk in chunks)


def test_a_paused_lane_keeps_the_last_operations_of_each_key(paused: Job) -> None:
    events = [upsert(7, "VIP"), *changes(30, 500)]
    push_in_the_past(paused, events)
    pushed = sum(len(event.get("profiles", [0])) for event in events)

    drain(paused.runtime, 300)

    left, in_chunks = owed(paused)
    assert left == in_chunks == paused.installation.backlog()
    # A remove stays before the add that follows it, and of each key what it falls back to.
    assert left <= FIRST_CHUNK + 3 * 500
    assert paused.runtime.redis.scard(f"{paused.installation.keys.namespace}:long") == 0

    pausing.resume(paused.installation.redis, paused.installation.keys, "members")
    paused.ends_right()
    paused.runtime.drain_outcomes(10)
    with paused.runtime.ledger.reading() as connection:
        counted = select(func.sum(deliveries.c.operations), func.sum(deliveries.c.merged))
        operations, merged = connection.execute(counted).one()
        delivered = connection.execute(select(func.sum(queries.c.profiles))).scalar()
    assert operations == pushed
    assert (delivered or 0) + merged + 1 == pushed  # 1: the segment's own event


def test_where_the_last_of_a_key_is_refused_the_one_before_it_is_delivered(paused: Job) -> None:
    """As if they had been taken one by one, though hours of changes of that key were merged."""
    queries = paused.target.queries()
    add = queries["add"].replace("{$lead._event_time}", "'{$lead.note}'")
    paused.configure(add=add, ordering='"exact"')  # a trigger may change keys, so that nothing is merged otherwise
    paused.runtime.follow()
    paused.target.run(
        "CREATE TRIGGER bad BEFORE INSERT ON member WHEN NEW.updated = 'bad' BEGIN SELECT RAISE(ABORT, 'bad'); END"
    )
    notes = [*(str(n) for n in range(12_000)), "good", *["bad"] * 9]
    push_in_the_past(paused, [{"type": "add", "segment": {"id": 7}, "profiles": profiles(*range(1_000))}])
    changed = [{"_id": "p", "CustomID": "A", "note": note} for note in notes]
    paused.push({"type": "add", "segment": {"id": 7}, "profiles": changed})

    drain(paused.runtime, 300)
    assert owed(paused)[0] <= FIRST_CHUNK + 2
    pausing.resume(paused.installation.redis, paused.installation.keys, "members")
    paused.drain()

    assert ("7", "A", "good") in paused.target.run("SELECT segment_id || '', client_id, updated FROM member")
    paused.runtime.drain_outcomes(10)
    with paused.runtime.ledger.reading() as connection:
        assert connection.execute(select(func.count()).select_from(quarantine)).scalar() == 1


def test_a_clear_takes_nothing_away_before_it_has_run(paused: Job) -> None:
    """A revision without its query comes before the integration goes on: all that stands before it is owed."""
    push_in_the_past(paused, [{"type": "add", "segment": {"id": 7}, "profiles": profiles(*range(12_000))}, clear(7)])
    drain(paused.runtime, 300)
    paused.configure(leave_out=("clear",))
    paused.runtime.follow()
    pausing.resume(paused.installation.redis, paused.installation.keys, "members")

    paused.drain()

    assert len(paused.target.members()) == 12_000


def test_a_lane_that_has_just_grown_is_left_to_its_deliverer(paused: Job) -> None:
    paused.push(*changes(30, 500))

    drain(paused.runtime, 300)

    assert owed(paused)[0] == 30 * 500 + 250


def test_a_lane_whose_deliverer_is_at_work_is_not_touched_where_it_stands(paused: Job) -> None:
    """The claim is taken while compaction has read, and before it writes: nothing of what was handed out changes."""
    push_in_the_past(paused, changes(30, 500))
    lanes = paused.runtime.lanes
    paused.runtime.route("t", 5)
    pausing.resume(paused.installation.redis, paused.installation.keys, "members")
    integrations: dict[str, Integration] = dict(paused.runtime.applied.settings.integrations)
    claimed = lanes.claim("crm", "token", 4)

    gone = Compactor(lanes, integrations, lambda _: Ordering.EXACT).run(5)

    redis, keys = paused.installation.redis, paused.installation.keys
    chunks: Any = redis.lrange(keys.chunks("members", "7"), 0, -1)
    handed_out = claimed.chunks  # type: ignore[union-attr]
    assert gone > 0
    assert chunks[: len(handed_out)] == handed_out


def test_it_is_looked_at_again_only_when_it_has_doubled(paused: Job) -> None:
    push_in_the_past(paused, changes(30, 500), hours=2)
    drain(paused.runtime, 300)
    long = f"{paused.installation.keys.namespace}:long"

    push_in_the_past(paused, changes(10, 500), hours=1)
    paused.runtime.route("t", 5)
    assert paused.installation.redis.scard(long) == 0

    push_in_the_past(paused, changes(20, 500), hours=0)
    paused.runtime.route("t", 5)
    assert paused.installation.redis.scard(long) == 1


def test_where_profiles_go_one_at_a_time_nothing_is_merged(paused: Job) -> None:
    """A lane may have been noted before a revision made it so (rule 15)."""
    push_in_the_past(paused, changes(30, 500))
    paused.runtime.route("t", 5)
    integrations = paused.runtime.applied.settings.integrations
    single = {key: replace(each, batched=False) for key, each in integrations.items()}

    assert Compactor(paused.runtime.lanes, single, lambda _: Ordering.EXACT).run(5) == 0
    assert owed(paused)[0] == 30 * 500 + 250
