"""A clear that is too far away is looked for seldom: each look reads as much as a hand-out may hold (rule 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.crowd import commands
from tests.integration.lanes.test_scripts import NOW, Bench
from workers.events.event import Kind
from workers.lanes import More, store

if TYPE_CHECKING:
    import pytest

OPERATIONS = 2_000
SIZE = 10


def reads_of_a_settlement(client: Any, namespace: str, *, clear: bool) -> int:
    """How often chunks are read for the second batch of a long lane."""
    client.flushall()
    bench = Bench(client, namespace, size=SIZE)
    bench.append(OPERATIONS, chunk=SIZE)
    if clear:
        bench.append(1, kind=Kind.CLEAR)
    claimed = bench.claim()
    ends = [f"{NOW:013d}{number:07d}{0:07d}" for number in (SIZE, 2 * SIZE)]
    assert isinstance(bench.settle(claimed, ends[0], SIZE, held=0, next_ms=NOW), More)
    client.config_resetstat()
    assert isinstance(bench.settle(claimed, ends[1], SIZE, held=0, next_ms=NOW, before=ends[0]), More)
    return commands(client).get("lrange", 0)


def test_a_settlement_reads_no_more_for_a_clear_that_is_too_far_away(
    own_redis: Any, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each read four megabytes, and threw them away."""
    monkeypatch.setattr(store, "BUDGET_BYTES", 20_000)
    client = own_redis.client()
    without, with_one = (reads_of_a_settlement(client, namespace, clear=clear) for clear in (False, True))
    client.close()
    assert with_one == without
