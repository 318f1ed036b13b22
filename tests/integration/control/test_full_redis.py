"""A Redis that raw XADDs have filled, and ten integrations whose target is away: it grows no more, and drains."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from redis.exceptions import OutOfMemoryError

from tests.integration.place import integration
from tests.waiting import until
from workers.control.drain import drain
from workers.delivery.turn import NothingDue

if TYPE_CHECKING:
    from tests.integration.place import Place
    from workers.runtime import Runtime

INTEGRATIONS = 10
SEGMENTS = 20
ROOM = 10_000_000


def fill(place: Place) -> set[tuple[str, str]]:
    """Pushes until Redis refuses; the rows of what it accepted."""
    accepted: set[tuple[str, str]] = set()
    number = 0
    while True:
        events: list[Any] = []
        for number in range(number + 1, number + 21):  # noqa: B020 - goes on where it was
            profiles = [{"_id": str(n), "id": f"{number}-{n}", "more": "x" * 4_000} for n in range(20)]
            events.append({"type": "add", "segment": {"id": str(number % SEGMENTS)}, "profiles": profiles})
        with place.redis.pipeline(transaction=False) as pipe:
            for event in events:
                pipe.xadd(place.keys.events, {"event": json.dumps(event)})
            answers = pipe.execute(raise_on_error=False)
        for event, answer in zip(events, answers, strict=True):
            if isinstance(answer, bytes):
                accepted |= {(event["segment"]["id"], profile["id"]) for profile in event["profiles"]}
        if any(isinstance(answer, OutOfMemoryError) for answer in answers):
            return accepted


def work(place: Place, runtime: Runtime) -> None:
    """A router and a deliverer take turns."""
    runtime.route("t", 5)
    for _ in range(3):
        if isinstance(runtime.deliver("db", "t", 5), NothingDue):
            break
    place.redis.delete(place.keys.permits("deliver.db"))


def used(place: Place) -> int:
    found: Any = place.redis.info("memory")
    return int(found["used_memory"])


def test_ten_integrations_whose_target_is_away_do_not_overfill_it_and_are_served_when_it_is_back(
    full_place: Place,
) -> None:
    place = full_place
    place.redis.config_set("appendonly", "no")  # rewriting it takes 10 MB at once
    runtime = place.publish(*(integration(f"k{n}").replace("size = 10", "size = 1000") for n in range(INTEGRATIONS)))
    limit = used(place) + ROOM
    place.redis.config_set("maxmemory", limit)
    accepted = fill(place)
    away = place.target.with_suffix(".away")
    place.target.rename(away)
    place.target.mkdir()
    for _ in range(8):
        work(place, runtime)
        assert used(place) < 1.1 * limit
    assert place.redis.xlen(place.keys.events) > 0, "the router has moved everything, and nothing was tested"
    assert place.redis.hget(place.keys.lease("route"), "why") is not None

    place.target.rmdir()
    away.rename(place.target)
    place.redis.hdel(place.keys.connector("db"), "open_until", "hold_until", "hold_id")

    def drained() -> bool:
        drain(runtime, 300)
        assert used(place) < 1.1 * limit
        owed = [place.redis.hget(place.keys.integration(f"k{n}"), "backlog") for n in range(INTEGRATIONS)]
        return not (any(int(each or 0) for each in owed) or place.redis.xlen(place.keys.events))

    until(drained, "a drained Redis", 240)
    assert place.rows() == accepted
