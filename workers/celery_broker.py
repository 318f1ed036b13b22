"""Celery's connections to its broker: they know our credentials and show them to nobody.

A worker tells whoever asks (`celery inspect stats`, Flower) all about its connection: address, transport options,
alternates. So no secret is in any of them; redis-py asks for it before each connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from celery.app.amqp import AMQP
from kombu.connection import Connection

if TYPE_CHECKING:
    from workers.settings import RedisSettings


class BrokerConnection(Connection):
    """A connection that has its credentials from `settings`, beside its URL."""

    settings: ClassVar[RedisSettings]

    def __init__(self, *args: Any, **options: Any) -> None:
        # A clone brings its own.
        super().__init__(*args, **{"credential_provider": self.settings.credentials()} | options)

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
