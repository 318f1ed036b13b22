"""From events to rows, in one process and without Celery: the target ends as the events describe."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add, clear, delete, remove, upsert

if TYPE_CHECKING:
    from tests.integration.jobs import Job


HOSTILE = [
    "O'Brien",
    'x", NOW()),(666,"evil',
    "back\\slash\\",
    "'; DROP TABLE member; --",
    "%s %(a)s :name ? {segment_id} {end}",
    "\u02bc\uff07 \U0001f600 na\u00efve",
    "line\nbreak\ttab",
]


def test_all_five_kinds_of_events(job: Job) -> None:
    job.push(upsert(7, "VIP"), add(7, "A", "B", "C"), remove(7, "B"), add(8, "Z"), upsert(8, "x"), delete(8))
    job.ends_right()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_stored_as_it_is(job: Job, hostile: str) -> None:
    job.push(upsert(7, hostile), add(7, hostile, "other"), add(8, hostile), remove(8, hostile))
    job.ends_right()


def test_a_remove_before_a_delete_still_runs(job: Job) -> None:
    """The documented delete query touches only `segments`: a removal made moot would leave the row for ever."""
    job.push(upsert(7, "VIP"), add(7, "A"))
    job.drain()
    job.push(remove(7, "A"), delete(7))
    job.ends_right()
    assert job.model.members == set()


def test_an_upsert_before_a_clear_still_runs(job: Job) -> None:
    job.push(upsert(7, "VIP"), add(7, "A"), clear(7))
    job.ends_right()
    assert job.target.names() == {"7": "VIP"}


def test_without_a_clear_query_adds_before_a_clear_are_delivered(job: Job) -> None:
    job.configure(leave_out=("clear",))
    job.push(add(7, "A", "B"), clear(7), add(7, "C"))
    job.drain()
    assert job.target.members() == {("7", "A"), ("7", "B"), ("7", "C")}


def test_two_profiles_sharing_one_key(job: Job) -> None:
    """remove(1, A), add(2, A) leaves A; the other way round it does not."""
    first, second = {"_id": "1", "CustomID": "A"}, {"_id": "2", "CustomID": "A"}
    job.push({"type": "remove", "segment": {"id": 7}, "profiles": [first]})
    job.push({"type": "add", "segment": {"id": 7}, "profiles": [second, {"_id": "3", "CustomID": "A"}]})
    job.push({"type": "add", "segment": {"id": 8}, "profiles": [second]})
    job.push({"type": "remove", "segment": {"id": 8}, "profiles": [first]})
    job.ends_right()
    assert job.model.members == {("7", "A")}


def test_a_missing_key_goes_to_quarantine_alone(job: Job) -> None:
    for kind in ("add", "remove"):
        bad = [{"_id": "1"}, {"_id": "2", "CustomID": None}, {"_id": "3", "CustomID": ""}, {"_id": "4", "CustomID": []}]
        job.installation.producer.push([{"type": kind, "segment": {"id": 7}, "profiles": bad}])
    job.push(add(7, "A"))
    job.runtime.route("t", 5)
    job.drain()
    assert job.target.members() == {("7", "A")}


def test_numbers_arrive_as_they_were_written(job: Job) -> None:
    """An integer of 30 digits and a decimal of 20 (Producer would send what Python made of them, so: raw)."""
    big, fine = "123456789012345678901234567890", "0.12345678901234567890"
    profiles_ = f'[{{"_id":"1","CustomID":{big}}},{{"_id":"2","CustomID":{fine}}}]'
    raw = f'{{"type":"add","segment":{{"id":7}},"profiles":{profiles_}}}'
    job.installation.redis.xadd(job.installation.keys.events, {"event": raw})
    job.drain()
    assert job.target.members() == {("7", big), ("7", fine)}


@pytest.mark.parametrize(
    "target",
    ["postgresql", *(pytest.param(each, marks=pytest.mark.long) for each in ("sqlite", "mysql"))],
    indirect=True,
)
def test_one_event_of_100_000_profiles(job: Job) -> None:
    raw = json.dumps(add(7, *range(100_000)))
    job.installation.redis.xadd(job.installation.keys.events, {"event": raw})
    job.model.apply([add(7, *range(100_000))])
    job.ends_right()


def test_one_at_a_time(job: Job) -> None:
    job.configure(leave_out=("batch",), **job.target.single_queries())
    job.push(add(7, "A"), remove(7, "A"), add(7, "A"), add(7, "B"), remove(7, "B"))
    job.ends_right()


@pytest.mark.parametrize("seed", range(3))
def test_any_mix_of_events_ends_as_the_model_says(job: Job, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(5):
        job.push(*(random_event(chance) for _ in range(chance.randint(1, 300))))
        if chance.random() < 0.5:
            job.drain()
    job.ends_right()


def random_event(chance: random.Random) -> dict[str, Any]:
    segment = chance.randint(1, 4)
    keys = [f"K{chance.randint(1, 40)}" for _ in range(chance.randint(0, 5))]
    keys = list(dict.fromkeys(keys))
    pick = chance.random()
    if pick < 0.55:
        return add(segment, *keys)
    if pick < 0.88:
        return remove(segment, *keys)
    if pick < 0.93:
        return clear(segment)
    return upsert(segment, chance.choice(HOSTILE)) if pick < 0.98 else delete(segment)


def test_what_came_of_it_stands_in_the_ledger(job: Job) -> None:
    job.push(add(7, "A", "B"), add(7, "A"), remove(7, "B"))
    job.drain()
    job.runtime.drain_outcomes(10)
    with job.installation.ledger.reading() as connection:
        rows = connection.exec_driver_sql("SELECT event_type, profiles, statements FROM queries ORDER BY event_type")
        assert rows.all() == [("add", 1, 1), ("remove", 1, 1)]
        rows = connection.exec_driver_sql("SELECT outcome, operations, merged FROM deliveries")
        assert rows.all() == [("delivered", 4, 2)]
