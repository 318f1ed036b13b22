"""The producers' client on a real Redis."""

from __future__ import annotations

import asyncio
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from segsync import AsyncProducer, IntakeFull, InvalidEvent, Producer, PushFailed
from tests.fake_redis import waited_for
from tests.waiting import until
from workers.events.parsing import parse
from workers.settings.local import RedisSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.redis import RedisServer

CLEAR: dict[str, Any] = {"type": "clear", "segment": {"id": 7}}


Make = Callable[..., Producer]
"""A Producer, or an AsyncProducer that is waited for."""


def _async(*given: Any, **more: Any) -> Producer:
    return waited_for(lambda: AsyncProducer(*given, **more))


@pytest.fixture(params=[Producer, _async], ids=["", "async"])
def make(request: pytest.FixtureRequest) -> Make:
    made: Make = request.param
    return made


@pytest.fixture
def producer(make: Make, redis_server: RedisServer, redis_client: redis.Redis, namespace: str) -> Iterator[Producer]:  # noqa: ARG001 - removes what the test leaves
    with make(redis_server.url, namespace=namespace) as made:
        yield made


def entries(client: redis.Redis, namespace: str) -> list[tuple[str, bytes]]:
    found = cast("list[tuple[bytes, dict[bytes, bytes]]]", client.xrange(f"{namespace}:events"))
    assert all(list(fields) == [b"event"] for _, fields in found)
    return [(entry_id.decode(), fields[b"event"]) for entry_id, fields in found]


def clears(count: int) -> Iterator[dict[str, Any]]:
    return ({"type": "clear", "segment": {"id": each}} for each in range(count))


def test_what_is_pushed_stands_in_the_intake_in_order(
    producer: Producer, redis_client: redis.Redis, namespace: str
) -> None:
    ids = [
        *producer.segment_upsert(7, name="VIP", database="main"),
        *producer.add(7, ({"_id": each, "a": "ü"} for each in range(10_001))),
        *producer.push(clears(2500)),
        *producer.push(['{"type": "segment_delete", "segment": {"id": 7}}']),
    ]

    found = entries(redis_client, namespace)
    assert [entry_id for entry_id, _ in found] == ids
    events = [parse(event) for _, event in found]
    assert [event.kind.label for event in events] == [
        "segment_upsert",
        "add",
        "add",
        *["clear"] * 2500,
        "segment_delete",
    ]
    assert [event.segment.id for event in events[3:-1]] == [str(each) for each in range(2500)]
    assert found[-1][1] == b'{"type": "segment_delete", "segment": {"id": 7}}'


def test_nothing_given_is_nothing_sent(producer: Producer, redis_client: redis.Redis, namespace: str) -> None:
    assert producer.push([]) == []

    assert entries(redis_client, namespace) == []


def test_a_redis_that_forgot_the_script_is_told_again(producer: Producer, redis_client: redis.Redis) -> None:
    producer.clear(7)
    redis_client.script_flush()

    assert len(producer.clear(7)) == 1


def test_a_client_that_speaks_text_will_do(
    redis_server: RedisServer, redis_client: redis.Redis, namespace: str
) -> None:
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        ids = Producer(client=client, namespace=namespace).push([CLEAR])

        assert client.ping()
    assert ids == [entry_id for entry_id, _ in entries(redis_client, namespace)]


def test_an_async_client_of_ones_own_stays_open(
    redis_server: RedisServer, redis_client: redis.Redis, namespace: str
) -> None:
    async def pushes() -> list[str]:
        async with redis.asyncio.Redis.from_url(redis_server.url, decode_responses=True) as client:
            async with AsyncProducer(client=client, namespace=namespace) as producer:
                ids = await asyncio.gather(*(producer.clear(n) for n in range(20)))
            assert await client.ping()
        return [each for some in ids for each in some]

    assert sorted(asyncio.run(pushes())) == sorted(each for each, _ in entries(redis_client, namespace))


def test_a_full_intake_refuses_until_it_has_room(producer: Producer, redis_client: redis.Redis, namespace: str) -> None:
    redis_client.hset(f"{namespace}:limits", "intake", "1500")

    with pytest.raises(
        IntakeFull, match=r"^the intake is full: 2000 events are waiting, 1500 may; accepted before it: 2,000$"
    ) as caught:
        producer.push(clears(3000))

    assert caught.value.accepted == [entry_id for entry_id, _ in entries(redis_client, namespace)]
    assert (caught.value.done, caught.value.unknown) == (2000, 0)
    redis_client.xtrim(f"{namespace}:events", maxlen=10, approximate=False)
    assert len(producer.push(clears(1000))) == 1000


@pytest.mark.parametrize(
    ("reason", "says"), [("crm-segments is full", "crm-segments is full"), ("", "no reason given")]
)
def test_producers_can_be_refused_with_a_reason(
    reason: str, says: str, producer: Producer, redis_client: redis.Redis, namespace: str
) -> None:
    redis_client.hset(f"{namespace}:full", "reason", reason)

    with pytest.raises(IntakeFull, match=says):
        producer.push([CLEAR])

    assert entries(redis_client, namespace) == []
    redis_client.delete(f"{namespace}:full")
    assert len(producer.push([CLEAR])) == 1


def test_producers_can_be_refused_by_a_plain_key(producer: Producer, redis_client: redis.Redis, namespace: str) -> None:
    redis_client.set(f"{namespace}:full", "1")

    with pytest.raises(IntakeFull, match="no reason given"):
        producer.push([CLEAR])


def test_a_redis_without_memory_takes_a_chunk_whole_or_not_at_all(
    own_redis: RedisServer, namespace: str, make: Make
) -> None:
    with own_redis.client() as client, make(own_redis.url, namespace=namespace) as producer:
        client.config_set("maxmemory", cast("int", client.info("memory")["used_memory"]) + 8_000_000)

        with pytest.raises(IntakeFull, match="the intake is full: Redis is at its maxmemory") as caught:
            producer.push({**CLEAR, "note": "x" * 5000} for _ in range(10_000))

        found = entries(client, namespace)
        assert caught.value.accepted == [entry_id for entry_id, _ in found]
        assert caught.value.done == len(found) > 0
        assert caught.value.unknown == 0
        client.config_set("maxmemory", 0)
        assert len(producer.push([CLEAR])) == 1


def test_a_lost_link_says_what_is_known_and_what_is_not(own_redis: RedisServer, namespace: str, make: Make) -> None:
    def events() -> Iterator[dict[str, Any]]:
        yield from clears(1700)
        with own_redis.client() as client:
            until(lambda: client.xlen(f"{namespace}:events") == 1000, "the first chunk, which another thread sends")
        own_redis.kill()
        yield from clears(1300)

    with make(own_redis.url, namespace=namespace) as producer:
        with pytest.raises(
            PushFailed, match=r"accepted before it: 1,000(; whether the next 1,000 were is not known)?$"
        ) as caught:
            producer.push(events())
        own_redis.start()

        with own_redis.client() as client:
            assert caught.value.accepted == [entry_id for entry_id, _ in entries(client, namespace)]
        # Where the client sees that its link is gone before it sends, no link comes about, and nothing is unknown.
        said = "not known" in str(caught.value)
        assert (caught.value.done, caught.value.unknown) == (1000, 1000 if said else 0)
        assert said or "Connection refused" in str(caught.value)
        assert not isinstance(caught.value, IntakeFull)
        assert len(producer.push([CLEAR])) == 1


def test_a_redis_that_hangs_is_not_waited_for_for_ever(own_redis: RedisServer, namespace: str, make: Make) -> None:
    """What was sent before the answer was given up is sent once: the client does not repeat it by itself."""
    with make(f"{own_redis.url}?socket_timeout=3", namespace=namespace) as producer:
        producer.push([CLEAR])
        own_redis.pause()
        with pytest.raises(PushFailed, match="the next 1 were is not known"):
            producer.push([CLEAR])
        own_redis.resume()

        with own_redis.client() as client:
            assert len(entries(client, namespace)) == 2


class Cutting(socketserver.BaseRequestHandler):
    """Passes everything on to Redis and back, and cuts the link where the answer to a push would come."""

    port = 0

    def handle(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as server:
            while data := self.request.recv(65536):
                server.sendall(data)
                answer = server.recv(65536)
                if b"EVALSHA" in data and not answer.startswith(b"-NOSCRIPT"):
                    return
                self.request.sendall(answer)


def test_a_push_whose_answer_is_lost_is_not_repeated(
    redis_server: RedisServer, redis_client: redis.Redis, namespace: str, make: Make
) -> None:
    handler = type("Handler", (Cutting,), {"port": redis_server.port})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}).start()
        try:
            url = f"redis://127.0.0.1:{proxy.server_address[1]}/0"
            lost = pytest.raises(PushFailed, match="accepted before it: 0; whether the next 2 were is not known")
            with make(url, namespace=namespace) as producer, lost:
                producer.push(clears(2))
        finally:
            proxy.shutdown()

    assert len(entries(redis_client, namespace)) == 2


def test_a_stream_that_is_none_is_refused_without_a_doubt(
    producer: Producer, redis_client: redis.Redis, namespace: str
) -> None:
    redis_client.set(f"{namespace}:events", "no stream")

    with pytest.raises(PushFailed, match="Redis refused: ") as caught:
        producer.push([CLEAR])

    assert (caught.value.done, caught.value.unknown) == (0, 0)


def test_a_server_that_lets_nobody_in_has_accepted_nothing_for_sure(
    own_redis: RedisServer, namespace: str, make: Make
) -> None:
    """It was said that the answer was lost, and that the events may be accepted."""
    with own_redis.client() as admin:
        admin.config_set("requirepass", "s3cret")
        for url in (own_redis.url, own_redis.url.replace("//", "//:wrong@")):
            with make(url, namespace=namespace) as producer, pytest.raises(PushFailed) as caught:
                producer.push([CLEAR])
            assert (caught.value.done, caught.value.unknown) == (0, 0), caught.value


def test_a_replica_has_accepted_nothing_for_sure(own_redis: RedisServer, namespace: str) -> None:
    """As `segsync push` meets it, whose client ends the link to a node that has become one."""
    local = RedisSettings(own_redis.url)
    with own_redis.client() as admin, local.client(retry=Retry(NoBackoff(), 0)) as client:
        admin.replicaof("127.0.0.1", "1")
        with pytest.raises(PushFailed, match="READONLY") as caught:
            Producer(client=client, namespace=namespace).push([CLEAR])
    assert (caught.value.done, caught.value.unknown) == (0, 0)


def test_an_invalid_event_leaves_the_intake_as_it_is(
    producer: Producer, redis_client: redis.Redis, namespace: str
) -> None:
    with pytest.raises(InvalidEvent, match=r"events\[1\]"):
        producer.push([CLEAR, {**CLEAR, "type": "upsert"}])

    assert entries(redis_client, namespace) == []
