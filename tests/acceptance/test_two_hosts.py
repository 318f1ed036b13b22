"""Workers on two hosts, one of which is cut off from Redis for longer than a lease, and comes back.

The other host is a worker whose link to Redis leads through a proxy. While it drops what comes, that worker still has
its lane and a connection to the target: what a host is that has lost one of its networks.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.chaos.proxy import Proxy
from tests.model import profiles
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.installation import Installation, Process
    from tests.servers.redis import RedisServer

LEASE_MS = 2_000
HERE, THERE = ("route,upkeep,resync", "deliver.crm")


@pytest.fixture
def target(postgresql_url: str) -> TargetDatabase:
    made = TargetDatabase("postgresql", postgresql_url)
    made.create()
    return made


@pytest.fixture
def proxy(redis_server: RedisServer) -> Iterator[Proxy]:
    made = Proxy(redis_server.port)
    try:
        yield made
    finally:
        made.close()


class Hosts:
    """Two hosts with one file, which takes Redis's address from each one's environment."""

    def __init__(self, installation: Installation, target: TargetDatabase, proxy: Proxy) -> None:
        self.installation = installation
        self._addresses = {"here": installation.redis_url, "there": ""}
        port = installation.redis_url.rpartition(":")[2].partition("/")[0]
        self._addresses["there"] = installation.redis_url.replace(port, str(proxy.port))
        installation.configure(target.connector() + target.integration())
        text = installation.file.read_text().replace(f'"{installation.redis_url}"', '"${REDIS_OF_THIS_HOST}"')
        installation.file.write_text(text)
        installation.environ["SEGSYNC_LEASE_MS"] = str(LEASE_MS)

    def worker(self, host: str, queues: str, name: str) -> Process:
        self.installation.environ["REDIS_OF_THIS_HOST"] = self._addresses[host]
        worker = self.installation.worker("-Q", queues, name=name)
        self.installation.environ["REDIS_OF_THIS_HOST"] = self._addresses["here"]
        return worker

    def owner(self, segment: str) -> str:
        keys = self.installation.keys
        return (self.installation.redis.hget(keys.lane("members", segment), "owner") or b"").decode()


def comes_back(installation: Installation, target: TargetDatabase, there: Process, proxy: Proxy) -> None:
    """The link stands again: the other host says what it has lost, and works on."""
    producer = installation.producer
    proxy.thaw()
    installation.wait(lambda: "lease" in there.log.read_text(), "what it says of the lease that it has lost")
    for number in range(5, 25):
        producer.add(number % 3, profiles(number))
    producer.remove(1, profiles(0))
    installation.settle()
    expected = {("1", number) for number in "134"} | {(str(n % 3), str(n)) for n in range(5, 25)}
    assert target.members() == expected
    assert "no worker serves" not in installation.segsync("status").stdout


@pytest.mark.fetched  # a minute
@pytest.mark.proof
def test_a_host_that_is_cut_off_longer_than_a_lease_costs_nothing(
    installation: Installation, target: TargetDatabase, proxy: Proxy
) -> None:
    hosts = Hosts(installation, target, proxy)
    hosts.worker("here", HERE, "here")
    there = hosts.worker("there", THERE, "there")
    installation.beat()
    installation.ready()
    producer = installation.producer
    producer.add(1, profiles(0))
    installation.wait(lambda: ("1", "0") in target.members(), "a row by the other host")

    with closing(target.connect()) as other:
        # So that it is in the middle of a delivery when it is cut off: it may connect, and its statement waits.
        other.execute("BEGIN")
        other.execute("LOCK TABLE member IN EXCLUSIVE MODE")
        producer.add(1, profiles(1, 2, 3))
        waiting = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'segsync:crm' AND wait_event_type = 'Lock'"
        installation.wait(lambda: target.run(waiting), "its statement, which waits")
        first = hosts.owner("1")
        proxy.freeze(newcomers=True)
        producer.remove(1, profiles(2))
        producer.add(1, profiles(4))
        unserved = lambda: "no worker serves deliver.crm" in installation.segsync("status").stdout  # noqa: E731 - short
        installation.wait(unserved, "what status says of it, once it has said nothing for a while")
        assert installation.segsync("status").returncode == 1

        hosts.worker("here", THERE, "beside")
        installation.wait(
            lambda: hosts.owner("1") not in ("", first), "the lane in other hands, since its lease is over"
        )
        other.execute("ROLLBACK")
    installation.settle()
    expected = {("1", number) for number in "0134"}
    assert target.members() == expected

    comes_back(installation, target, there, proxy)
