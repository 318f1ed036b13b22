"""Clears for segments that an `apply` has taken out of scope, where `on_leave = "clear"` (rule 49).

What `apply` notes is put into the lanes as the router puts it: under the router's own lease, behind all that has been
routed. Nothing is routed there any more by then, so the clear is a lane's last word.
"""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from workers.events.event import Kind
from workers.lanes.answers import field_of, first_of, packed_field_of
from workers.lanes.chunks import Operation
from workers.lanes.clock import redis_ms
from workers.lanes.lease import ROUTE
from workers.routing.position import Position, place
from workers.routing.routes import Routes, Wanted, restore
from workers.routing.transfer import Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.integrations import Integration
    from workers.lanes import Lanes
    from workers.lanes.lease import Leases

LEAVING: Final = ""
"""No integration's key: stands among those that are verified, so that somebody is woken for what has left."""
AT_ONCE: Final = 500
"""Lanes that one step touches."""
PUBLISHED_MS: Final = 600_000
"""A segment that is followed for so long after it was noted has not been left: that `apply` failed, or it is back."""
LOOK_SECONDS: Final = 0.02
"""Between two looks whether the router has left its lease."""


class Leaving:
    """Puts the clears that are noted into their lanes, by one revision."""

    def __init__(
        self, lanes: Lanes, integrations: Mapping[str, Integration], default_database: str, leases: Leases
    ) -> None:
        self._lanes = lanes
        self._integrations = integrations
        self._routes = Routes(integrations, default_database)
        self._leases = leases

    def clear(self, seconds: float) -> int:
        """For about so long, as far as the router gives way; returns how many. Stale, redis.RedisError."""
        keys, redis = self._lanes.keys, self._lanes.redis
        ends, many = time.monotonic() + seconds, 0
        while found := first_of(redis, keys.leaving, AT_ONCE):
            with self._leases.hold(ROUTE, secrets.token_hex(8)) as held:
                put = None if held is None else self._put(held.owner, found)
            if put is not None:
                many += put
                if put < len(found):
                    break  # the others wait for their `apply`
            if time.monotonic() >= ends:
                break
            if put is None:
                time.sleep(LOOK_SECONDS)
        return many

    def _put(self, owner: str, noted: list[str]) -> int | None:
        """How many of these are done with; None where it is not the time for it."""
        keys, redis = self._lanes.keys, self._lanes.redis
        text, now = field_of(redis, keys.intake, "position") or "", redis_ms(redis)
        position = Position.from_text(text)
        if position.within:  # an event is moved in part, and its rest has this very sequence
            return None
        load, done = Transfer(position, text), []
        for each in noted:
            integration, segment = json.loads(each)
            wanted = self._wanted(integration, segment)
            if wanted is None:
                if now - (redis.zscore(keys.leaving, each) or 0) > PUBLISHED_MS:
                    done.append(each)
                continue
            done.append(each)
            if wanted.targets:
                load.begin(place(load.sequence, now, 0, now))
                ms, n, _ = load.sequence
                load.add(wanted, Operation(ms, n, 0, int(Kind.CLEAR), None, b""))
        move = replace(load.move(owner), position=str(replace(position, sequence=load.sequence)))
        if move.runs and self._lanes.append(move) is None:
            return None
        if done:
            redis.zrem(keys.leaving, *done)
        return len(done)

    def _wanted(self, integration: str, segment: str) -> Wanted | None:
        """Where a clear goes: nowhere, if the setting is another by now; None while the segment is followed."""
        facts = packed_field_of(self._lanes.redis, self._lanes.keys.segments, segment)
        known = self._routes.known(restore(segment, facts or b"{}"))
        if integration in known.targets:
            return None
        made = self._integrations.get(integration)
        clears = made is not None and made.on_leave == "clear"
        return Wanted(segment, known.segment.name, (integration,) if clears else ())
