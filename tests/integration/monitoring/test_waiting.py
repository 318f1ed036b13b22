"""What `status` and its kin say of an integration that is outside of its window, or whose connector has a rate."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import integration
from workers.control.drain import drain
from workers.lanes import Claimed, Lanes
from workers.lanes.messages import Release
from workers.monitoring import status
from workers.monitoring.consumers import Consumers
from workers.monitoring.lane_list import read_near
from workers.monitoring.whereabouts import find
from workers.windows import DailyWindow

if TYPE_CHECKING:
    from tests.integration.place import Place
    from workers.monitoring.states import IntegrationStatus
    from workers.runtime import Runtime

LATE = timedelta(hours=3)
"""What was pushed so long ago."""


def hours(begin: int, end: int) -> str:
    """From so many hours from now to so many."""
    now = datetime.now(UTC)
    return f"{now + timedelta(hours=begin):%H:%M}-{now + timedelta(hours=end):%H:%M}"


def with_window(text: str, *more: str) -> str:
    lines = "\n".join(('key = "id"', f'window = "{text}"', *more))
    return integration().replace('key = "id"', lines)


def owe(place: Place, text: str, *more: str) -> Runtime:
    """An integration with a window owes what came three hours ago."""
    runtime = place.publish(with_window(text, *more))
    add = {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": "1", "id": "1"}]}
    came = int((time.time() - LATE.total_seconds()) * 1000)
    place.redis.xadd(place.keys.events, {"event": json.dumps(add)}, id=f"{came}-0")
    runtime.route("t", 5)
    return runtime


def read(runtime: Runtime) -> tuple[IntegrationStatus, list[str]]:
    found = status.read(runtime, lambda: Consumers(1, {}), patience=0)
    (one,) = found.integrations
    return one, [topic for topic in found.topics if topic.startswith("crm")]


def test_outside_of_its_window_it_waits_and_nobody_is_alarmed(place: Place) -> None:
    closed = hours(2, 4)
    one, needs = read(owe(place, closed, 'max_lag = "1m"'))
    assert (one.state, needs) == ("waiting", [])
    assert one.reason == f"for its window {closed} UTC, until {closed[:5]}"
    assert 3_500 < (one.next_try_s or 0) <= 7_200
    assert (one.lag_s, one.late_s) == (0.0, 0.0)


def test_within_it_what_has_waited_is_late_from_its_beginning_on(place: Place) -> None:
    one, needs = read(owe(place, hours(-1, 1), 'max_lag = "2h"'))
    assert (one.state, needs) == ("active", [])
    assert one.oldest_age_s is not None
    assert one.lag_s < one.oldest_age_s - 3_600
    place.redis.hset(place.keys.integration("crm"), "max_lag", "60")
    _, needs = read(owe(place, hours(-2, 1), 'max_lag = "1m"'))
    assert needs == ["crm late"]


def test_what_fails_is_no_alarm_while_it_is_closed_and_what_is_held_still_is(place: Place) -> None:
    runtime = owe(place, hours(-1, 1))
    lanes = Lanes(place.redis, place.keys.namespace, runtime.applied.revision, "one")
    claimed = lanes.claim("db", "t", 4)
    assert isinstance(claimed, Claimed)
    lanes.release(Release("crm", "7", claimed.claim, "failed", 1_000, 1, code="sqlite 1", reason="gone"))
    place.redis.hset(place.keys.lane("crm", "7"), "failing", int((time.time() - 600) * 1000))
    assert read(runtime)[1] == ["crm retrying"]
    closed = DailyWindow.read(hours(2, 4), "UTC")
    assert closed is not None
    place.redis.hset(place.keys.integration("crm"), "window_words", closed.words)
    assert (read(runtime)[0].state, read(runtime)[1]) == ("waiting", [])
    place.redis.hset(place.keys.lane("crm", "7"), "hold", "gone")
    one, needs = read(runtime)
    assert (one.state, needs) == ("held", ["crm held"])
    assert (one.next_try_s or 0) > 3_500


def test_its_lanes_are_due_when_it_opens_and_why_says_so(place: Place) -> None:
    runtime = owe(place, hours(2, 4))
    (lane,) = read_near(runtime, "crm").lanes
    assert 3_500 < (lane.due_in_s or 0) <= 7_200
    found = find(runtime, "crm", "7", "1")
    assert "crm waits for its window" in found.verdict
    assert not found.needs


def test_the_lanes_of_what_waits_for_someone_are_not_due_now(place: Place) -> None:
    runtime = owe(place, hours(-1, 1))
    place.redis.hset(place.keys.integration("crm"), mapping={
        "hold": "gone", "hold_until": int(time.time() * 1000) + 50_000, "hold_since": 1, "hold_code": "x"})  # fmt: skip
    (lane,) = read_near(runtime, "crm").lanes
    assert (lane.due_in_s or 0) > 20
    place.redis.hset(place.keys.integration("crm"), "paused", 1)
    (lane,) = read_near(runtime, "crm").lanes
    assert lane.due_in_s is None


def test_drain_leaves_what_waits_for_its_window(place: Place) -> None:
    runtime = owe(place, hours(2, 4))
    assert drain(runtime).batches == 0
    runtime = place.publish(with_window(hours(-1, 1)))
    assert drain(runtime).batches == 1
    assert place.rows() == {("7", "1")}


def test_upkeep_tells_scripts_of_changes_of_clocks_that_have_come_closer(place: Place) -> None:
    runtime = place.publish(with_window("22:00-06:00 Europe/Berlin"))
    key = place.keys.integration("crm")
    fresh = place.redis.hget(key, "window")
    place.redis.hset(key, "window", "1320 360 60")
    runtime.upkeep("t", 0.1, rest=1.0, rest_of_ledger=1.0)
    assert place.redis.hget(key, "window") == fresh


@pytest.mark.parametrize(("rate", "owed"), [("600/s", 40), ("4/s", 4)])
def test_a_connector_with_a_rate_drains_all_the_same(place: Place, rate: str, owed: int) -> None:
    text = integration().replace('batch = { size = 10, timeout = "100ms" }\n', "")
    for query in ("{for $i, $lead = $batch}", "{autocomma}{end}"):
        text = text.replace(query, "")
    text = text.replace("$lead.id", "lead.id").replace('IN ({batch_in "id"})', "= '{lead.id}'")
    place.write(text)
    place.file.write_text(place.file.read_text().replace("statement_timeout", f'rate = "{rate}"\nstatement_timeout', 1))
    file = place.file.read_text()
    runtime = place.publish_text(file)
    place.add("7", owed)
    began = time.monotonic()
    assert drain(runtime).batches == owed
    assert len(place.rows()) == owed
    # One to begin with, and what half a second has saved.
    per_second = float(rate.split("/", maxsplit=1)[0])
    assert time.monotonic() - began >= (owed - 1) / per_second - 0.5
    one, _ = read(runtime)
    assert one.rate_per_s == per_second


def test_who_is_late_for_want_of_its_rate_is_told_so(place: Place) -> None:
    runtime = owe(place, hours(-4, 1))
    place.redis.hset(place.keys.integration("crm"), "pace", 200)
    found = status.read(runtime, lambda: Consumers(1, {}), patience=0)
    assert any("its connector's `rate` of 5/s lets no more through" in need for need in found.needs)
