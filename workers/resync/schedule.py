"""Verifications that nobody asks for: `verify = "1d"` of an integration looks at each of its segments once a day.

They are spread over the time, and wait while any other run goes on or waits for its turn: a round that takes longer
than it should just ends later. An integration that is paused or held, or whose connector is held or out of reach, is
passed over meanwhile; and runs that stand still, be it for a window, a held lane or an integration that is not applied,
keep nobody else's verifications waiting. A round's segments stand in a list; who dies with one in hand leaves it to the
next round. What nothing lists is not verified: each of its segments would fail, round after round.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from workers.lanes.answers import fields_of, first_of, scan_fields, text_of
from workers.lanes.clock import redis_ms
from workers.lanes.runs import ResyncRuns
from workers.resync.readiness import still
from workers.routing.leaving import LEAVING
from workers.routing.routes import Routes, restore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.lanes import Lanes
    from workers.settings import Settings

BY: Final = "schedule"
AT_ONCE: Final = 4
"""Verifications that are asked for together, where many are due: half of the runs that may be open."""
LATER_MS: Final = 10_000
"""Until the next look where others go first."""
SOONEST_MS: Final = 1_000
"""Between two looks: more often nobody needs to be woken."""
PAGE: Final = 1_000
"""Segments that are looked at between two answers of Redis."""


class Schedule:
    """The verifications of one installation, by its applied settings."""

    def __init__(self, lanes: Lanes, settings: Settings) -> None:
        self._redis = lanes.redis
        self._keys = lanes.keys
        self._settings = settings
        self._routes = Routes(settings.integrations, settings.default_database)
        self._runs = ResyncRuns(lanes)
        self._segments = lanes.segments

    def ask(self) -> int:
        """Asks for what is due; returns how many. redis.RedisError, Stale."""
        now, asked = redis_ms(self._redis), 0
        for integration in first_of(self._redis, self._keys.verifications, PAGE, up_to=now):
            if integration == LEAVING and self._redis.exists(self._keys.leaving):
                self._redis.zadd(self._keys.verifications, {LEAVING: now + SOONEST_MS})
                continue
            found = self._settings.integrations.get(integration)
            if found is None or found.verify is None or not found.is_listed:
                keys = self._keys
                self._redis.zrem(keys.verifications, integration)
                self._redis.delete(keys.verify_left(integration), keys.verify_round(integration))
                continue
            rests = still(self._redis, self._keys, integration) or self._is_busy(now)
            many, wait = (0, LATER_MS) if rests else self._step(integration, found.verify * 1000, now)
            asked += many
            self._redis.zadd(self._keys.verifications, {integration: now + max(SOONEST_MS, round(wait))})
        return asked

    def _is_busy(self, now: int) -> bool:
        """Whether a run goes on, or waits for nothing but its turn: one that something is in the way of says what."""
        redis, keys = self._redis, self._keys
        if redis.zcard(keys.runs) > redis.scard(keys.runs_stalled):
            return True
        pipe = redis.pipeline(transaction=False)
        for run in first_of(redis, keys.runs_waiting, PAGE, up_to=now):
            pipe.hget(keys.run(run), "why")
        return not all(pipe.execute())

    def _step(self, integration: str, span_ms: float, now: int) -> tuple[int, float]:
        """Asks for the next ones of a round; how many, and milliseconds until the next look."""
        left_key, round_key = self._keys.verify_left(integration), self._keys.verify_round(integration)
        known = fields_of(self._redis, round_key)
        began, total = int(known.get("began", 0)), int(known.get("total", 0))
        left = self._redis.llen(left_key)
        if not left:
            if began and now - began < span_ms:
                return 0, began + span_ms - now
            self._forget_left(integration)
            total = left = self._fill(integration)
            began = now
            self._redis.hset(round_key, mapping={"began": began, "total": total})
            if not total:
                return 0, span_ms
        due = math.ceil(total * (now - began) / span_ms) - (total - left)
        taken = [text_of(self._redis.lpop(left_key)) for _ in range(min(max(due, 1), AT_ONCE, left))]
        for segment in taken:
            if segment is not None:
                self._runs.ask(integration, segment, BY, "verify")
        return len(taken), span_ms / max(total, 1)

    def _fill(self, integration: str) -> int:
        """Notes all segments that the integration follows; returns how many."""
        key, many = self._keys.verify_left(integration), 0
        for page in self._followed(integration):
            many += len(page)
            if page:
                self._redis.rpush(key, *page)
        return many

    def _followed(self, integration: str) -> Iterator[list[str]]:
        cursor = 0
        while True:
            answer: Any = self._redis.hscan(self._keys.segments, cursor, count=PAGE)
            cursor, page = answer
            yield [name.decode() for name, facts in page.items() if self._follows(integration, name.decode(), facts)]
            if cursor == 0:
                return

    def _forget_left(self, integration: str) -> None:
        """What is followed no more is verified no more, and what was seen there would be told of for ever."""
        for key in (self._keys.runs_differing, self._keys.runs_failing):
            for page in scan_fields(self._redis, key):
                lanes = {lane: lane.partition(":")[2] for lane in page if lane.partition(":")[0] == integration}
                if lanes and (left := self._left(integration, lanes)):
                    self._redis.hdel(key, *left)

    def _left(self, integration: str, lanes: dict[str, str]) -> list[str]:
        """Those of these lanes whose segments are not followed; all segments in one round trip, as runs wait for it."""
        known = self._segments(list(lanes.values()))
        given = zip(lanes.items(), known, strict=True)
        return [lane for (lane, segment), facts in given if not self._follows(integration, segment, facts or b"{}")]

    def _follows(self, integration: str, segment: str, facts: bytes) -> bool:
        return integration in self._routes.known(restore(segment, facts)).targets
