"""Celery's connections to its broker: they know our credentials and show them to nobody.

A worker tells whoever asks (`celery inspect stats`, Flower) all about its connection: address, transport options,
alternates. So no secret is in any of them; redis-py asks for it before each connection.

They leave nothing behind. While Redis refuses writes, a worker begins anew again and again; kombu forgets the links
of what fails at its beginning or its end, and within minutes the worker would have no file left to open.

And they count right. A worker takes as many messages as it has processes; one whose acknowledgement was not answered
is at work for ever as kombu counts: a few lost answers, and a worker that looks alive would take nothing any more.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from celery.app.amqp import AMQP
from kombu.connection import Connection
from kombu.transport.virtual import QoS

if TYPE_CHECKING:
    from kombu.transport.redis import Transport

    from workers.settings import RedisSettings


def _counting(kind: type[QoS]) -> type[QoS]:
    """These counts, but what was done with a message is counted even where nobody heard of it."""

    class Counting(kind):  # type: ignore[misc,valid-type]
        def ack(self, delivery_tag: str) -> None:
            try:
                super().ack(delivery_tag)
            finally:
                QoS.ack(self, delivery_tag)

        def reject(self, delivery_tag: str, requeue: bool = False) -> None:
            try:
                super().reject(delivery_tag, requeue=requeue)
            finally:
                QoS.ack(self, delivery_tag)

    return Counting


@cache
def _tidy(kind: type[Transport]) -> type[Transport]:
    """This transport, but it closes its links even where Redis refuses what is said in farewell."""

    class TidyChannel(kind.Channel):  # type: ignore[misc,name-defined]
        QoS = _counting(kind.Channel.QoS)

    class Tidy(kind):  # type: ignore[misc,valid-type]
        Channel = TidyChannel

        def register_with_event_loop(self, connection: Any, loop: Any) -> None:
            try:
                super().register_with_event_loop(connection, loop)
            except Exception:  # Celery has no hold of the connection yet, and could not close it
                with suppress(Exception):
                    self.close_connection(connection)
                raise

        def close_connection(self, connection: Any) -> None:
            channels = {id(each): each for each in (*self.channels, *self._avail_channels)}
            try:
                super().close_connection(connection)
            finally:
                for channel in channels.values():
                    with suppress(Exception):  # whatever it is: the next one has links, too
                        channel._disconnect_pools()  # noqa: SLF001 - kombu's own way, which it did not get to

    Tidy.__name__ = kind.__name__
    return Tidy


class BrokerConnection(Connection):
    """A connection that has its credentials from `settings`, beside its URL."""

    settings: ClassVar[RedisSettings]

    def __init__(self, *args: Any, **options: Any) -> None:
        # A clone brings its own.
        super().__init__(*args, **{"credential_provider": self.settings.credentials()} | options)

    def get_transport_cls(self) -> type[Transport]:
        """The class for this scheme, which leaves nothing behind."""
        return _tidy(super().get_transport_cls())

    def as_uri(self, include_password: Any = False, mask: Any = "**", getfields: Any = None) -> str:  # noqa: ARG002
        """The address; with the password only for Flower's own client, which takes it from here."""
        if include_password:
            return self.settings.celery_url().partition(";")[0]
        return str(super().as_uri(include_password=False, mask=mask))


def amqp_for(broker: RedisSettings) -> type[AMQP]:
    """What Celery is to make its connections with."""
    connection = type("BrokerConnection", (BrokerConnection,), {"settings": broker})
    made: type[AMQP] = type("BrokerAMQP", (AMQP,), {"Connection": connection, "BrokerConnection": connection})
    return made
