"""Redis's answers: what comes of a scan, and of what is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.lanes import answers

if TYPE_CHECKING:
    import redis

MANY = answers.PAGE + 500


def test_a_scan_misses_nothing(redis_client: redis.Redis, namespace: str) -> None:
    fields, members = f"{namespace}:fields", f"{namespace}:members"
    redis_client.hset(fields, mapping={str(n): b"\xff%d" % n for n in range(MANY)})
    redis_client.zadd(members, {str(n): n / 2 for n in range(MANY)})
    pages = list(answers.scan_fields(redis_client, fields))
    assert len(pages) > 1
    assert {name: value for page in pages for name, value in page.items()} == {
        str(n): b"\xff%d" % n for n in range(MANY)
    }
    found = list(answers.scan_members(redis_client, members))
    assert len(found) > 1
    assert dict(each for page in found for each in page) == {str(n): n / 2 for n in range(MANY)}


def test_members_of_a_sorted_set_are_told_with_their_scores(redis_client: redis.Redis, namespace: str) -> None:
    key = f"{namespace}:members"
    redis_client.zadd(key, {"at": 7, "above": 7.5, "below": 6})
    assert answers.ranked(redis_client, key, 0, 1) == [("below", 6.0), ("at", 7.0)]
    assert answers.score_of(redis_client, key, "above") == 7.5


def test_streams_alone_are_found_by_name(redis_client: redis.Redis, namespace: str) -> None:
    redis_client.xadd(f"{namespace}:events", {"event": "{}"})
    redis_client.set(f"{namespace}:events-no-stream", "1")
    found = [name for page in answers.scan_streams(redis_client, f"{namespace}*") for name in page]
    assert found == [f"{namespace}:events"]


def test_entries_come_with_their_fields_by_turns(redis_client: redis.Redis, namespace: str) -> None:
    key = f"{namespace}:events"
    for n in range(3):
        redis_client.xadd(key, {"event": f"e{n}", "x": "y"}, id=f"{n + 1}-0")
    first, second = answers.entries_of(redis_client, key, 2)
    assert (first.id, first.fields) == ("1-0", (b"event", b"e0", b"x", b"y"))
    assert [each.id for each in answers.entries_of(redis_client, key, 9, first=f"({second.id}")] == ["3-0"]
    assert [each.id for each in answers.entries_of(redis_client, key, 9, last="1-0")] == ["1-0"]
    assert answers.length_of(redis_client, key) == 3


def test_what_is_not_there_is_none_or_empty(redis_client: redis.Redis, namespace: str) -> None:
    nowhere = f"{namespace}:nowhere"
    assert answers.entries_of(redis_client, nowhere, 1) == []
    assert answers.ranked(redis_client, nowhere, 0, -1) == []
    assert answers.score_of(redis_client, nowhere, "x") is None
    assert answers.packed_field_of(redis_client, nowhere, "x") is None
    assert answers.packed_fields_of(redis_client, nowhere) == {}
    assert answers.fields_of(redis_client, nowhere) == {}
