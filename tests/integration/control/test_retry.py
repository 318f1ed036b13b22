"""`segsync retry`: what waits for its next try is tried at once, and nothing else is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.place import integration
from workers.control.drain import drain
from workers.control.pause import UnknownIntegration
from workers.control.retry import Sooner, retry
from workers.lanes.clock import redis_ms

if TYPE_CHECKING:
    from tests.integration.place import Place
    from workers.runtime import Runtime

FAR_MS = 300_000


@pytest.fixture
def owing(place: Place) -> Runtime:
    """A lane of ten operations, which is due at once."""
    runtime = place.publish(integration())
    place.add("7", 10)
    runtime.route("t", 5)
    return runtime


def hold(place: Place, key: str) -> None:
    until = redis_ms(place.redis) + FAR_MS
    fields: dict[Any, Any] = {
        "hold": "the table is missing",
        "hold_code": "sqlite 1",
        "hold_until": until,
        "hold_id": "x",
    }
    place.redis.hset(key, mapping=fields)


@pytest.mark.parametrize("name", ["crm", "db"])
@pytest.mark.parametrize("held", ["crm", "db"])
def test_a_hold_is_probed_at_once(place: Place, owing: Runtime, held: str, name: str) -> None:
    hold(place, place.keys.integration("crm") if held == "crm" else place.keys.connector("db"))
    assert drain(owing).batches == 0

    assert retry(place.redis, place.keys, name).holds == 1
    assert drain(owing).batches == 1
    assert len(place.rows()) == 10


def test_a_lane_that_failed_is_tried_at_once(place: Place, owing: Runtime) -> None:
    until = redis_ms(place.redis) + FAR_MS
    place.redis.hset(place.keys.lane("crm", "7"), mapping={"retry": until, "attempts": 3})
    place.redis.zadd(place.keys.full("crm"), {"7": until})
    assert drain(owing).batches == 0

    assert retry(place.redis, place.keys, "crm") == Sooner(holds=0, lanes=1)
    assert drain(owing).batches == 1


def test_what_waits_for_its_timeout_goes_on_waiting(place: Place) -> None:
    runtime = place.publish(integration(timeout="10m"))
    place.add("7", 3)
    runtime.route("t", 5)

    assert retry(place.redis, place.keys, "crm") == Sooner(holds=0, lanes=0)
    assert drain(runtime).batches == 0


def test_another_connector_s_integrations_are_left(place: Place, owing: Runtime) -> None:
    hold(place, place.keys.integration("crm"))
    place.redis.sadd(place.keys.connectors, "other")

    assert retry(place.redis, place.keys, "other") == Sooner(holds=0, lanes=0)
    assert drain(owing).batches == 0


def test_a_name_that_nobody_has_is_told(place: Place, owing: Runtime) -> None:
    assert owing
    with pytest.raises(UnknownIntegration, match="no integration and no connector 'crn'; did you mean 'crm'"):
        retry(place.redis, place.keys, "crn")
