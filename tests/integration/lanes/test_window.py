"""What waits for its integration's window, by a clock that the test sets (rule 56)."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import workers.lanes
from tests.integration.lanes.crew import Crew
from tests.integration.lanes.scripted_clock import START_MS, ScriptedClock
from tests.integration.lanes.test_scripts import Bench
from workers.events.event import Kind
from workers.lanes import Claimed, Idle, Rest, store
from workers.windows import DailyWindow

if TYPE_CHECKING:
    import redis

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
MIDNIGHT_MS = START_MS // DAY_MS * DAY_MS
NIGHT = DailyWindow(22 * 60, 6 * 60, "UTC")


class Night(Bench):
    """An integration that may be told from 22:00 to 06:00."""

    def __init__(self, client: ScriptedClock, namespace: str, window: DailyWindow = NIGHT, **more: int) -> None:
        super().__init__(client, namespace, **more)  # type: ignore[arg-type]
        self.clock = client
        self.be_at(12)
        client.hset(self.keys.integration("crm"), "window", window.for_scripts(self.clock.now_ms))

    def be_at(self, hour: float) -> None:
        self.clock.now_ms = MIDNIGHT_MS + hour * HOUR_MS


@pytest.fixture
def night(redis_client: redis.Redis, namespace: str) -> Night:
    return Night(ScriptedClock(redis_client), namespace)


def test_nothing_is_handed_out_while_it_is_closed_and_the_pulse_sleeps_until_it_opens(night: Night) -> None:
    lanes = night.lanes()
    night.append(10, "full", ms=MIDNIGHT_MS)
    night.append(1, "cleared", Kind.CLEAR, ms=MIDNIGHT_MS)
    for hour in (12, 15, 21.999):
        night.be_at(hour)
        assert isinstance(lanes.claim("db", "t", 4), Idle)
        assert lanes.tick(f"a{hour}:", "pulse").wakes == []
    # What comes meanwhile makes nothing due sooner.
    night.append(10, "full", ms=MIDNIGHT_MS)
    assert lanes.tick("b:", "pulse").sleep_ms == 3_600
    night.be_at(22)
    assert len(lanes.tick("c:", "pulse").wakes) == 2
    assert {night.claim("one").segment, night.claim("two").segment} == {"full", "cleared"}


def test_what_is_at_work_when_it_closes_is_settled_and_then_rests(night: Night) -> None:
    night.be_at(5.9999)
    night.append(30, ms=MIDNIGHT_MS)
    claimed = night.claim()
    first = night.lane()["to"]
    night.be_at(6)
    middle = f"{first[:13]}{10:07d}{0:07d}"
    assert isinstance(night.settle(claimed, middle, 10, held=10), Rest)
    assert isinstance(night.lanes("two").claim("db", "t", 4), Idle)
    night.be_at(22)
    assert night.claim("two").done == middle


def test_a_failed_try_is_tried_again_in_the_window_that_comes(night: Night) -> None:
    night.be_at(5.9999)
    night.append(30, ms=MIDNIGHT_MS)
    night.claim()
    night.be_at(6)
    night.release("failed", delay_ms=1000)
    night.be_at(7)
    assert night.lanes().tick("a:", "pulse").wakes == []
    assert isinstance(night.lanes("two").claim("db", "t", 4), Idle)
    night.be_at(22)
    assert night.claim("two").attempts == 1


def test_a_held_integration_is_probed_in_its_window(night: Night) -> None:
    night.be_at(5.9999)
    night.append(30, ms=MIDNIGHT_MS)
    night.claim()
    night.release("failed", level="integration", delay_ms=60_000, code="x", reason="y", connector="db")
    night.be_at(7)
    assert isinstance(night.lanes("two").claim("db", "t", 4), Idle)
    assert night.lanes().tick("a:", "pulse").wakes == []
    night.be_at(22)
    assert night.claim("two").probing


def test_others_on_its_connector_go_on(night: Night) -> None:
    night.redis.hset(night.keys.integration("crm"), "window", "")
    night.append(10)
    night.redis.hset(night.keys.integration("crm"), "window", NIGHT.for_scripts(MIDNIGHT_MS))
    other: dict[Any, Any] = {"connector": "db", "size": 10, "timeout": 1000, "active": 1}
    night.redis.hset(night.keys.integration("other"), mapping=other)
    night.redis.sadd(night.keys.integrations, "other")
    move_to_other(night)
    claimed = night.lanes().claim("db", "t", 4)
    assert isinstance(claimed, Claimed)
    assert claimed.integration == "other"
    assert isinstance(night.lanes().claim("db", "t", 4), Idle)


def move_to_other(night: Night) -> None:
    """The same chunk in a lane of `other`."""
    keys, client = night.keys, night.redis
    client.copy(keys.chunks("crm", "7"), keys.chunks("other", "7"))
    client.copy(keys.lane("crm", "7"), keys.lane("other", "7"))
    client.zadd(keys.full("other"), {"7": MIDNIGHT_MS})
    client.zadd(keys.next("db"), {"other": MIDNIGHT_MS})


def test_all_that_comes_in_two_days_is_told_at_night_and_in_its_order(
    redis_client: redis.Redis, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LONGEST_SLEEP_MS", 6 * HOUR_MS)
    night = Night(ScriptedClock(redis_client), namespace, DailyWindow(22 * 60, 23 * 60, "UTC"), size=1, timeout=0)
    for key in (night.keys.integration("crm"), night.keys.connector("db")):
        night.redis.hset(key, "pace", 6 * MINUTE_MS)  # ten statements in each night
    crew = Crew(night, night.clock)
    for half in range(4):
        night.be_at(12 * (half + 1))
        for segment in "567":
            night.append(2, segment, ms=round(night.clock.now_ms))
        crew.run(MIDNIGHT_MS + 12 * (half + 2) * HOUR_MS)
    crew.run(MIDNIGHT_MS + 9 * DAY_MS)
    assert sum(map(len, crew.settled.values())) == 24
    assert all(told == sorted(told) for told in crew.settled.values())
    times = [at % DAY_MS for at in crew.sent]
    assert all(22 * HOUR_MS <= at < 23 * HOUR_MS for at in times)
    assert len({at // DAY_MS for at in crew.sent}) > 1, "more than one night was needed"


def test_scripts_and_people_have_the_same_windows(redis_client: redis.Redis, namespace: str) -> None:
    clock = ScriptedClock(redis_client)
    folder = Path(workers.lanes.__file__).parent / "scripts"
    text = "".join((folder / f"{part}.lua").read_text() for part in ("common", "sparing"))
    opens_at = clock.register_script(f"{text}\nreturn string.format('%.0f', opens_at(ARGV[3]))")
    chance = random.Random(3)
    changes = {"Europe/Berlin": (1_774_746_000_000, 1_792_890_000_000), "America/New_York": (1_772_953_200_000,)}
    for number in range(160):
        zone = chance.choice((*changes, "UTC", "Australia/Lord_Howe"))
        first = chance.randrange(1440)
        at = 1_774_000_000_000 + chance.randrange(20) * 10 * DAY_MS + chance.randrange(9 * DAY_MS)
        if number % 2 and zone in changes:  # in the night in which its clocks are changed
            first, at = chance.randrange(60, 200), chance.choice(changes[zone]) - chance.randrange(3 * HOUR_MS)
        window = DailyWindow(first, (first + chance.randrange(1, 1440)) % 1440, zone)
        clock.now_ms = at
        # What scripts compute with was told months before.
        arguments: list[Any] = [namespace, 1, window.for_scripts(at - chance.choice((0, 200 * DAY_MS)))]
        assert float(opens_at(arguments)) == window.opens_ms(at), (window, at)
