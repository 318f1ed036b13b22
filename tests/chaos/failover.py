"""A replica is promoted without the tail of what the primary had accepted.

What was accepted after the link was cut is lost, or was delivered before the primary died: each such event may stand
or not. What came before and after must stand, in order.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.chaos.events import Model
from tests.chaos.servers import wait
from tests.servers.redis import RedisServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.faults import Scene
    from tests.chaos.pushing import Accepted

Value = int | str | None


@dataclass(slots=True)
class Doubt:
    """Rows and names that may stand in more than one way, each with all of them; None: not at all."""

    members: dict[tuple[str, str], set[Value]] = field(default_factory=dict)
    names: dict[str, set[Value]] = field(default_factory=dict)


def prepare(scene: Scene) -> None:
    """Starts a replica and waits until it has everything."""
    servers = scene.session.servers
    replica = RedisServer()
    replica.start()
    servers.replica = replica
    client = replica.client()
    client.replicaof("127.0.0.1", servers.redis.port)
    assert wait(lambda: client.info("replication")["master_link_status"] == "up", 20), "the replica is not in step"
    client.close()


def fail_over(scene: Scene) -> None:
    """Cuts the link, lets the primary take more, kills it and promotes the replica."""
    session, servers, pusher = scene.session, scene.session.servers, scene.pusher
    assert pusher is not None
    replica, primary = servers.replica, servers.redis
    assert replica is not None
    client = replica.client()
    client.replicaof("NO", "ONE")
    scene.tell("the link is cut")
    time.sleep(scene.chance.uniform(0.05, 1.0))
    primary.kill()
    time.sleep(0.1)  # the pusher has read its last answers
    scene.tail_ends = len(pusher.accepted)
    scene.tail_after = _last_id(client, session.keys.events)
    client.close()
    servers.redis, servers.replica = replica, None
    servers.proxies["redis"].upstream = replica.port
    servers.proxies["redis"].cut()
    session.reconnect()
    primary.remove()
    scene.tell(f"promoted; the intake ended at {scene.tail_after}, {scene.tail_ends} events were acknowledged")


def _last_id(client: Any, stream: str) -> tuple[int, int]:
    if not client.exists(stream):
        return (0, 0)
    ms, _, n = client.xinfo_stream(stream)["last-generated-id"].decode().partition("-")
    return int(ms), int(n)


def split(scene: Scene, accepted: Sequence[Accepted]) -> tuple[list[Accepted], list[Accepted], list[Accepted]]:
    """What the replica had, what it never saw, and what it was told after it was promoted."""
    old, new = list(accepted[: scene.tail_ends]), list(accepted[scene.tail_ends :])
    kept = [each for each in old if each[1:] <= scene.tail_after]
    tail = [each for each in old if each[1:] > scene.tail_after]
    return kept, tail, new


def doubt(model: Model, tail: Sequence[Accepted], after: Sequence[Accepted]) -> Doubt:
    """What may stand in more than one way, by the model as it was just before the tail."""
    found = Doubt()
    lived = Model(model.dialect, model.has_clear, dict(model.members), dict(model.names))
    for made, ms, n in tail:
        rows, names = dict(lived.members), dict(lived.names)
        lived.apply(made, ms, n)
        for row in rows.keys() ^ lived.members.keys() | {r for r in rows if rows[r] != lived.members.get(r)}:
            found.members.setdefault(row, {model.members.get(row)}).add(lived.members.get(row))
        for name in names.keys() ^ lived.names.keys() | {s for s in names if names[s] != lived.names.get(s)}:
            found.names.setdefault(name, {model.names.get(name)}).add(lived.names.get(name))
    _settle(found, model, after)
    return found


def _settle(found: Doubt, model: Model, after: Sequence[Accepted]) -> None:
    """What is told again afterwards is beyond doubt."""
    for made, _, _ in after:
        if made.elsewhere:
            continue
        if made.kind == "clear" and model.has_clear:
            found.members = {row: ways for row, ways in found.members.items() if row[0] != made.segment}
        elif made.kind in {"segment_upsert", "segment_delete"}:
            found.names.pop(made.segment, None)
        elif made.kind in {"add", "remove"}:
            _settle_keys(found, model, made)


def _settle_keys(found: Doubt, model: Model, made: Any) -> None:
    for _, key in made.keys:
        if key is not None and not model.cause(made.kind, key):
            found.members.pop((made.segment, key), None)
