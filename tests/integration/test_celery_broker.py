"""A worker's link to its broker, where answers are lost."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import redis
from kombu.entity import Queue
from redis.client import Pipeline

from tests.waiting import PATIENCE
from workers.celery_broker import amqp_for
from workers.settings import RedisSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.redis import RedisServer


@pytest.fixture
def link(redis_server: RedisServer, redis_client: redis.Redis, namespace: str) -> Iterator[Any]:
    """As a worker has it; half of kombu has no types."""
    redis_client.ping()
    settings = RedisSettings(redis_server.url)
    kind: Any = amqp_for(settings).Connection
    options = {"global_keyprefix": f"{namespace}:", "socket_timeout": PATIENCE}
    with kind(settings.celery_place(), transport_options=options) as connection:
        yield connection


@pytest.mark.parametrize("done", ["ack", "reject"])
def test_whoever_hears_nothing_of_an_acknowledgement_takes_the_next_message(
    link: Any, monkeypatch: pytest.MonkeyPatch, done: str
) -> None:
    """As kombu counts, it is at work for ever: a worker of one process took nothing any more, and looked alive."""
    made: Any = Queue
    queue, taken = made("route"), list[Any]()
    producer = link.Producer()
    for number in range(3):
        producer.publish({"number": number}, routing_key="route", declare=[queue], retry=False)
    execute = Pipeline.execute

    def unanswered(self: Pipeline, *given: Any) -> Any:
        execute(self, *given)
        raise redis.ConnectionError("Connection closed by server.")

    with link.Consumer(
        [queue], channel=link.channel(), callbacks=[lambda _, message: taken.append(message)]
    ) as consumer:
        consumer.qos(prefetch_count=1)
        for _ in range(2):
            link.drain_events(timeout=PATIENCE)
            with monkeypatch.context() as patch:
                patch.setattr(Pipeline, "execute", unanswered)
                getattr(taken[-1], f"{done}_log_error")(logging.getLogger("quiet"), link.connection_errors)
        link.drain_events(timeout=PATIENCE)
    assert [each.payload["number"] for each in taken] == [0, 1, 2]
