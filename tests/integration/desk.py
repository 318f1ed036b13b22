"""A router on a real Redis, two integrations that want everything and one that wants group `sales`."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from workers import outcomes
from workers.integrations import Scope
from workers.lanes import Lanes, Operation, unpack
from workers.lanes.keys import Keys
from workers.lanes.lease import ROUTE, Leases
from workers.routing.router import Router
from workers.routing.routes import Routes

if TYPE_CHECKING:
    import redis


def followed(key: str, scope: Scope) -> SimpleNamespace:
    """What routing needs of an integration."""
    return SimpleNamespace(key=key, scope=scope, on_enter="flag", on_leave="keep")


class Desk:
    """A router for two integrations that want everything and one that wants group `sales`."""

    def __init__(self, client: redis.Redis, namespace: str) -> None:
        self.redis: Any = client
        self.keys = Keys(namespace)
        client.hset(self.keys.config, "revision", 1)
        scopes = {"a": Scope("main"), "b": Scope("main"), "sales": Scope("main", "groups", frozenset({"sales"}))}
        self.integrations: dict[str, Any] = {k: followed(k, s) for k, s in scopes.items()}
        client.sadd(self.keys.integrations, *scopes)
        for key in scopes:
            client.hset(self.keys.integration(key), mapping={"size": 1000, "timeout": 1000, "clear": 1, "active": 1})

    def follow(self, count: int) -> None:
        """In their place, so many integrations that want everything: i0, i1, ..."""
        self.integrations = {f"i{n}": followed(f"i{n}", Scope("main")) for n in range(count)}
        self.redis.sadd(self.keys.integrations, *self.integrations)
        for key in self.integrations:
            self.redis.hset(self.keys.integration(key), mapping={"size": 1000, "timeout": 1000, "active": 1})

    def router(self, owner: str = "router") -> Router:
        lanes = Lanes(self.redis, self.keys.namespace, 1, owner)
        return Router(lanes, Routes(self.integrations, "main"), Leases(lambda: lanes))

    def push(self, *events: dict[str, Any] | bytes) -> None:
        with self.redis.pipeline(transaction=False) as pipe:
            for event in events:
                data = event if isinstance(event, bytes) else json.dumps(event).encode()
                pipe.xadd(self.keys.events, {"event": data})
            pipe.execute()

    def push_as(self, stream_id: str, event: dict[str, Any], **fields: str) -> None:
        """Pushes one event with an id of its producer's own."""
        self.redis.xadd(self.keys.events, {"event": json.dumps(event), **fields}, id=stream_id)

    def dies(self, name: str) -> None:
        """A router takes the lease, ends with its process, and the lease runs out."""
        assert Lanes(self.redis, self.keys.namespace, 1, name).take_lease(ROUTE, name, "t") is not None
        self.redis.hset(self.keys.lease(ROUTE), "until", 0)

    def route(self) -> int:
        return self.router().turn("t", 30)

    def operations(self, integration: str, segment: str) -> list[Operation]:
        chunks = self.redis.lrange(self.keys.chunks(integration, segment), 0, -1)
        return [operation for chunk in chunks for operation in unpack(chunk)[1]]

    def ids(self, integration: str = "a", segment: str = "7") -> list[str]:
        return [json.loads(o.body)["_id"] if o.body else str(o.kind) for o in self.operations(integration, segment)]

    def records(self) -> list[Any]:
        return [outcomes.decode(fields[b"r"]) for _, fields in self.redis.xrange(self.keys.outcomes)]


def add(*ids: str, segment: int = 7, kind: str = "add", **more: Any) -> dict[str, Any]:
    return {"type": kind, "segment": {"id": segment, **more}, "profiles": [{"_id": i} for i in ids]}
