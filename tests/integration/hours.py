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
    """Eight hours go by at most, until nothing is owed: turns come, jobs are applied, and looked at."""
    for _ in range(4):
        fake.work()
        fake.advance(7_200)
        place.redis.delete(place.keys.budget(key), place.keys.looks(key))
        store = runtime.targets.get(key).store  # type: ignore[attr-defined]
        with store.changing() as connection:
            connection.exec_driver_sql("UPDATE ads_audience SET due_ms = 1, written_ms = written_ms - 7200000")
            connection.exec_driver_sql("UPDATE ads_call SET poll_ms = 1, made_ms = made_ms - 7200000")
            connection.exec_driver_sql("UPDATE ads_login SET listed_ms = 0")
        tend_again(place.redis, place.keys, key, 0)
        drain(runtime)
        with store.reading() as connection:
            owed = connection.exec_driver_sql("SELECT id FROM ads_identifier WHERE owed OR call IS NOT NULL LIMIT 1")
            if not fake.busy and owed.first() is None:
                return
