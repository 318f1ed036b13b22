"""A ledger whose host drops packets: links stand, nothing is answered, and nobody but one upkeep waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from tests.chaos.proxy import Proxy
from tests.model import profiles
from tests.proof import draws
from tests.targets import TargetDatabase
from tests.waiting import until
from workers.lanes.lease import UPKEEP
from workers.ledger.database import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.installation import Installation
    from tests.servers.postgresql import PostgresqlServer

EVENTS = draws(12, 400)
ANSWERS = 3
"""Fewer than it takes to write anything, and enough to log in."""


@pytest.fixture
def target(sqlite_url: str) -> TargetDatabase:
    made = TargetDatabase("sqlite", sqlite_url)
    made.create()
    return made


@pytest.fixture
def proxy(own_postgresql: PostgresqlServer, namespace: str) -> Iterator[Proxy]:
    own_postgresql.create_database(namespace)
    made = Proxy(own_postgresql.port)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.proof
def test_while_the_ledgers_host_drops_packets_every_event_is_in_its_table(
    installation: Installation, target: TargetDatabase, proxy: Proxy, own_postgresql: PostgresqlServer, namespace: str
) -> None:
    """One after the other, by the two processes of one worker, while one and the same upkeep waits for an answer."""
    ledger = make_url(own_postgresql.url(namespace)).set(host="127.0.0.1", port=proxy.port)
    installation.configure(target.connector() + target.integration())
    url = ledger.render_as_string(hide_password=False)
    installation.file.write_text(installation.file.read_text().replace("sqlite:///ledger.db", url))
    installation.worker()
    installation.ready()

    def delivered(number: int) -> None:
        installation.producer.add(1, profiles(number))
        installation.wait(lambda: ("1", str(number)) in target.members(), "an event without a ledger")

    def waiting() -> Any:
        return installation.redis.hget(installation.keys.lease(UPKEEP), "owner")

    proxy.freeze_after(ANSWERS)
    delivered(0)
    until(lambda: proxy.is_frozen, "an upkeep that writes to the ledger")
    first = waiting()
    assert first
    for number in range(1, EVENTS):
        delivered(number)
    assert waiting() == first, "an event has waited for it"

    proxy.thaw()
    installation.settle()
    with Ledger(own_postgresql.url(namespace)).reading() as connection:
        total = connection.exec_driver_sql("SELECT sum(operations) FROM deliveries WHERE outcome = 'delivered'")
        assert total.scalar() == EVENTS
