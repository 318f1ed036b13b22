"""Hours that go by for an ad account of an installation, without waiting for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.control.drain import drain
from workers.lanes.tending import tend_again

if TYPE_CHECKING:
    from tests.fakes.server import FakePlatform
    from tests.integration.place import Place
    from workers.runtime import Runtime


def let_the_platform_work(place: Place, runtime: Runtime, fake: FakePlatform, key: str = "ya") -> None:
    """Eight hours go by: turns come, jobs are applied, and looked at."""
    for _ in range(4):
        fake.work()
        fake.advance(7_200)
        place.redis.delete(place.keys.budget(key))
        with runtime.targets.get(key).store.changing() as connection:  # type: ignore[attr-defined]
            connection.exec_driver_sql("UPDATE ads_audience SET due_ms = 1, written_ms = written_ms - 7200000")
            connection.exec_driver_sql("UPDATE ads_call SET poll_ms = 1, made_ms = made_ms - 7200000")
        tend_again(place.redis, place.keys, key, 0)
        drain(runtime)
