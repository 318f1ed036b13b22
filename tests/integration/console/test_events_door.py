"""POST /api/events: all of it, or told how much; nothing twice with a key; never more than is bounded."""

from __future__ import annotations

import gzip
import json
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from segsync import CHUNK_EVENTS
from tests.integration.console.entering import console_of, token_table
from tests.integration.console.test_api import Program
from tests.waiting import until
from workers.console.api import events as door
from workers.console.api import events_body
from workers.console.api.events_body import MOST_PACKED
from workers.console.failures import TooLarge

if TYPE_CHECKING:
    import httpx2

    from tests.integration.place import Place

SHOP = token_table("shop", "shop-text", "push")


class Shop:
    """Pushes to a place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.client = Program(console_of(place, SHOP), "shop-text").client

    def push(self, body: bytes, kind: str = "application/x-ndjson", **headers: str) -> httpx2.Response:
        told = {"content-type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/api/events", content=body, headers=told)

    def events(self) -> list[Any]:
        entries: Any = self.place.redis.xrange(self.place.keys.events)
        return [json.loads(fields[b"event"]) for _, fields in entries]


@pytest.fixture
def shop(place: Place) -> Shop:
    """A shop that may push."""
    return Shop(place)


def event(number: int = 0) -> dict[str, Any]:
    return {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": str(number), "id": str(number)}]}


def lines(count: int) -> bytes:
    return b"".join(json.dumps(event(n)).encode() + b"\r\n" for n in range(count))


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param(lines(3), {}, id="lines"),
        pytest.param(b"\xef\xbb\xbf\n" + lines(3) + b"\n\n", {}, id="a mark and blank lines"),
        pytest.param(gzip.compress(lines(3)), {"content_encoding": "gzip"}, id="gzip"),
        pytest.param(gzip.compress(lines(1)) + gzip.compress(json.dumps(event(1)).encode() + b"\n" + json.dumps(event(2)).encode()), {"content_encoding": "gzip"}, id="gzip in parts"),  # noqa: E501
        pytest.param(json.dumps([event(n) for n in range(3)]).encode(), {"kind": "application/json; charset=utf-8"}, id="an array"),  # noqa: E501
    ],
)  # fmt: skip
def test_events_are_pushed_in_order(shop: Shop, body: bytes, headers: dict[str, str]) -> None:
    answer = shop.push(body, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == 3
    assert shop.events() == [event(n) for n in range(3)]


def test_each_mistake_is_told_with_its_place_and_nothing_is_pushed(shop: Shop) -> None:
    bad = [b'{"type": "ad", "segment": {"id": 7}}', b"{", b'{"type": "clear", "segment": {}}']
    answer = shop.push(lines(2) + b"\n" + b"\n".join(bad))
    assert answer.status_code == 400
    told = answer.json()
    assert (told["error"], told["accepted"]) == ("3 mistakes; nothing was pushed", 0)
    assert [(each["line"], each.get("where")) for each in told["mistakes"]] == [
        (4, "type"),
        (5, None),
        (6, "segment.id"),
    ]
    array = shop.push(json.dumps([event(), {"type": "x"}]).encode(), "application/json")
    assert array.json()["mistakes"][0]["item"] == 2
    assert shop.events() == []


WRONG: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"{}", {"kind": "application/xml"}, 415, "expected application/x-ndjson"),
    (b"{}", {"kind": ""}, 415, "expected application/x-ndjson"),
    (b"{}", {"content_encoding": "br"}, 415, "Content-Encoding 'br': expected gzip or none"),
    (b"{}", {"content_encoding": "gzip"}, 400, "the body is no gzip"),
    (gzip.compress(lines(9))[:-9], {"content_encoding": "gzip"}, 400, "the gzip ends before its end"),
    (gzip.compress(lines(9)) + b"x" * 20, {"content_encoding": "gzip"}, 400, "the body is no gzip"),
    (b"7", {"kind": "application/json"}, 400, "the body is no array of events"),
    (b"[{}", {"kind": "application/json"}, 400, "the body is no array of events"),
    (b"{}", {"idempotency_key": "x" * 256}, 400, "Idempotency-Key: expected at most 255 characters"),
]


def test_what_is_no_body_is_told(shop: Shop) -> None:
    for body, headers, code, said in WRONG:
        answer = shop.push(body, **headers)
        assert answer.status_code == code, answer.text
        assert said in answer.json()["error"]
    assert shop.events() == []


def test_what_is_too_large_is_not_unpacked_to_its_end(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shop.push(b" " * (MOST_PACKED + 1)).status_code == 413
    monkeypatch.setattr("workers.console.api.events_body.MOST_UNPACKED", 100_000)
    assert shop.push(gzip.compress(b" " * 100_000), content_encoding="gzip").status_code == 200
    assert shop.push(gzip.compress(b" " * 100_001), content_encoding="gzip").status_code == 413
    bomb = gzip.compress(b" " * 60_000)
    assert shop.push(bomb + bomb, content_encoding="gzip").status_code == 413


def test_a_bomb_takes_no_more_memory_than_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.console.api.events_body.MOST_UNPACKED", 100_000)
    bomb = gzip.compress(b" " * 20_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            events_body.unpacked(bomb, "gzip")
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "kind"), [(b"x\n" * 5 + b"x", "application/x-ndjson"), (b"[" + b"{}," * 5 + b"{}]", "application/json")]
)
def test_more_events_than_are_looked_at_are_refused_before_each_is_kept(
    shop: Shop, body: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_body, "MOST_EVENTS", 5)
    answer = shop.push(body, kind)
    assert (answer.status_code, answer.json()["error"]) == (400, events_body.TOO_MANY)
    monkeypatch.setattr(events_body, "MOST_EVENTS", 6)
    assert len(shop.push(body, kind).json()["mistakes"]) == 6


def test_an_array_of_more_objects_than_events_could_have_is_not_decoded(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_body, "MOST_OBJECTS", 5)
    assert shop.push(b"[" + b"{}," * 5 + b"{}]", "application/json").json()["error"] == events_body.TOO_MANY


def test_of_many_mistakes_the_first_are_told_and_all_are_counted(shop: Shop) -> None:
    told = shop.push(b"x\n" * 150).json()
    assert (told["error"], len(told["mistakes"])) == ("150 mistakes; nothing was pushed", 100)


def test_a_full_intake_says_when_to_come_again_and_what_was_taken(shop: Shop) -> None:
    shop.place.redis.hset(shop.place.keys.limits, "intake", CHUNK_EVENTS)
    answer = shop.push(lines(CHUNK_EVENTS + 5))
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["accepted"] == CHUNK_EVENTS
    assert "the intake is full: 1000 events are waiting, 1000 may" in answer.json()["error"]
    assert len(shop.events()) == CHUNK_EVENTS


def test_the_same_call_again_goes_on_and_pushes_nothing_twice(shop: Shop) -> None:
    body, key = lines(CHUNK_EVENTS + 5), {"idempotency_key": "export 17"}
    shop.place.redis.hset(shop.place.keys.limits, "intake", CHUNK_EVENTS)
    assert shop.push(body, **key).status_code == 429
    shop.place.redis.hdel(shop.place.keys.limits, "intake")
    for known in (CHUNK_EVENTS, CHUNK_EVENTS + 5):
        answer = shop.push(gzip.compress(body), content_encoding="gzip", **key)
        assert answer.json() == {"accepted": CHUNK_EVENTS + 5, "known_before": known}
    assert shop.events() == [event(n) for n in range(CHUNK_EVENTS + 5)]
    other = shop.push(lines(1), **key)
    assert (other.status_code, len(shop.events())) == (422, CHUNK_EVENTS + 5)
    assert shop.push(lines(1), idempotency_key="export 18").status_code == 200


def test_two_that_send_the_same_call_at_once_push_it_once(shop: Shop) -> None:
    answers: list[int] = []
    body = lines(3 * CHUNK_EVENTS)
    threads = [
        threading.Thread(target=lambda: answers.append(shop.push(body, idempotency_key="k").status_code))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(answers) <= {200, 409}
    assert 200 in answers
    assert len(shop.events()) == 3 * CHUNK_EVENTS


def test_only_so_many_are_read_at_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    going, go_on = list[int](), threading.Event()
    real = events_body.items_of

    def slow(content: bytes, kind: str) -> list[Any]:
        going.append(1)
        assert go_on.wait(30)
        return real(content, kind)

    monkeypatch.setattr(door, "items_of", slow)
    threads = [threading.Thread(target=shop.push, args=(lines(1),)) for _ in range(door.AT_ONCE)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(going) == door.AT_ONCE)
        answer = shop.push(b"", "application/xml")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    finally:
        go_on.set()
        for thread in threads:
            thread.join(30)


def test_a_large_event_is_split_as_the_client_does(shop: Shop) -> None:
    profiles = [{"_id": str(n), "id": str(n)} for n in range(10_001)]
    answer = shop.push(json.dumps({"type": "add", "segment": {"id": 7}, "profiles": profiles}).encode())
    assert answer.json()["accepted"] == 1
    assert [len(each["profiles"]) for each in shop.events()] == [10_000, 1]
