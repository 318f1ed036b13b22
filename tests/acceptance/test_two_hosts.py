"""Workers on two hosts, one of which is cut off from Redis for longer than a lease, and comes back.

The other host is a network namespace whose cable is pulled; where none can be made, and beside it, a worker whose link
to Redis leads through a proxy that drops what comes. Either way that worker still has its lane and a connection to the
target: what a host is that has lost one of its networks.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests import network
from tests.chaos.proxy import Proxy
from tests.installation import Installation
from tests.model import profiles
from tests.network import OtherHost
from tests.servers.postgresql import USER, PostgresqlServer
from tests.servers.redis import RedisServer
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.installation import Process

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


class ByProxy:
    """The other host is a worker whose Redis is a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.address = f"127.0.0.1:{proxy.port}"

    def on_it(self, *command: str) -> list[str]:
        return list(command)

    def cut(self) -> None:
        self._proxy.freeze(newcomers=True)

    def join(self) -> None:
        self._proxy.thaw()


class ByCable(OtherHost):
    """The other host is a namespace."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.address = f"{network.HERE}:{port}"


class Hosts:
    """Two hosts with one file, which takes Redis's address from each one's environment."""

    def __init__(self, installation: Installation, target: TargetDatabase, there: ByProxy | ByCable) -> None:
        self.installation, self.other = installation, there
        here = installation.redis_url.partition("://")[2].partition("/")[0]
        self._addresses = {
            "here": installation.redis_url,
            "there": installation.redis_url.replace(here, there.address),
        }
        installation.configure(target.connector() + target.integration())
        text = installation.file.read_text().replace(f'"{installation.redis_url}"', '"${REDIS_OF_THIS_HOST}"')
        installation.file.write_text(text)
        installation.environ["SEGSYNC_LEASE_MS"] = str(LEASE_MS)

    def worker(self, host: str, queues: str, name: str) -> Process:
        command = [sys.executable, "-m", "celery", "-A", "workers", "worker", "-c", "2", "-n", f"{name}@{host}"]
        command += ["-l", "INFO", "-Q", queues]
        self.installation.environ["REDIS_OF_THIS_HOST"] = self._addresses[host]
        worker = self.installation.start(self.other.on_it(*command) if host == "there" else command, "worker")
        self.installation.environ["REDIS_OF_THIS_HOST"] = self._addresses["here"]
        return worker

    def owner(self, segment: str) -> str:
        keys = self.installation.keys
        return (self.installation.redis.hget(keys.lane("members", segment), "owner") or b"").decode()


def comes_back(hosts: Hosts, target: TargetDatabase, there: Process) -> None:
    """The link stands again: the other host says what it has lost, and works on."""
    installation = hosts.installation
    producer = installation.producer
    hosts.other.join()
    installation.wait(lambda: "lease" in there.log.read_text(), "what it says of the lease that it has lost")
    for number in range(5, 25):
        producer.add(number % 3, profiles(number))
    producer.remove(1, profiles(0))
    installation.settle()
    expected = {("1", number) for number in "134"} | {(str(n % 3), str(n)) for n in range(5, 25)}
    assert target.members() == expected
    assert "no worker serves" not in installation.segsync("status").stdout


def is_cut_off_and_comes_back(hosts: Hosts, target: TargetDatabase) -> None:
    installation = hosts.installation
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
        hosts.other.cut()
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

    comes_back(hosts, target, there)


@pytest.mark.fetched  # a minute
@pytest.mark.proof
def test_a_host_that_is_cut_off_longer_than_a_lease_costs_nothing(
    installation: Installation, target: TargetDatabase, proxy: Proxy
) -> None:
    is_cut_off_and_comes_back(Hosts(installation, target, ByProxy(proxy)), target)


@pytest.fixture
def redis_for_hosts() -> Iterator[RedisServer]:
    """One that another host may reach."""
    server = RedisServer({"bind": "0.0.0.0", "protected-mode": "no"})  # noqa: S104 - in a network of its own
    server.start()
    yield server
    server.remove()


@pytest.mark.fetched  # a minute
@pytest.mark.proof
@pytest.mark.skipif(network.OWN_NETWORK not in os.environ, reason="runs in a network of its own, by the test below")
def test_within_a_network_of_its_own(
    tmp_path: Path, redis_for_hosts: RedisServer, namespace: str, postgresql_server: PostgresqlServer
) -> None:
    postgresql_server.create_database(namespace)
    # By a socket, which no cable leads to: what is lost is the link to Redis, and not the one to the target.
    place = f"host={postgresql_server.folder}&port={postgresql_server.port}"
    target = TargetDatabase("postgresql", f"postgresql://{USER}@/{namespace}?{place}")
    target.create()
    installation = Installation(tmp_path, redis_for_hosts.url, namespace)
    with closing(ByCable(redis_for_hosts.port)) as there:
        try:
            is_cut_off_and_comes_back(Hosts(installation, target, there), target)
        finally:
            installation.stop()


@pytest.mark.fetched  # a minute
@pytest.mark.proof
def test_a_host_whose_cable_is_pulled_costs_nothing() -> None:
    if reason := network.refused():
        pytest.skip(f"no network namespaces, so only the proxy was tried: {reason}")
    done = network.run_again(f"{__file__}::test_within_a_network_of_its_own")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "1 passed" in done.stdout, done.stdout
