"""What is asked of databases' sessions (test_connector_contract.py), asked of each platform's connector and store."""

from __future__ import annotations

import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.contract.children import child_status
from tests.contract.doors import Door, ads_door
from tests.fakes.facebook import FakeFacebook
from tests.integration.connectors.audiences.accounts import ACCOUNTS
from workers.connectors.audiences.connector import AdConnector
from workers.errors import ErrorClass, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis import Redis

    from workers.connectors.audiences.store.database import Store
    from workers.connectors.contract import Shipment


@pytest.fixture
def own_store(empty_store: Path, namespace: str) -> Path:
    """The file of a store of this test's own."""
    copy = empty_store.with_name(f"{namespace}.db")
    copy.write_bytes(empty_store.read_bytes())
    return copy


ONE_MORE = [pytest.param(name, marks=pytest.mark.long) for name in ("vk", "google")]
"""Each like one of the two others."""


@pytest.fixture(params=["yandex", "facebook", *ONE_MORE])
def door(request: pytest.FixtureRequest, own_store: Path, redis_client: Redis, namespace: str) -> Iterator[Door]:
    yield from ads_door(own_store, redis_client, namespace, ACCOUNTS[request.param])


@pytest.fixture
def facebook(own_store: Path, redis_client: Redis, namespace: str) -> Iterator[Door]:
    """An account that needs no consent, on a fake that is there."""
    fake = FakeFacebook()
    yield from ads_door(own_store, redis_client, namespace, ACCOUNTS["facebook"], fake.url)
    fake.close()


def store_of(door: Door) -> Store:
    assert isinstance(door.connector, AdConnector)
    return door.connector.store


def link_of(store: Store) -> object:
    """What it reads by; nobody else is at work."""
    with store.reading() as connection:
        return connection.connection.dbapi_connection


def test_a_disposed_connector_opens_again(door: Door) -> None:
    door.deliver(door.shipment(("add", ["ann"])))
    door.connector.dispose()
    door.deliver(door.shipment(("add", ["bob"])))
    assert door.present() == ["ann", "bob"]


def test_threads_share_a_connector(door: Door) -> None:
    def deliver(shipments: list[Shipment]) -> None:
        for each in shipments:
            door.deliver(each)

    told = [[door.shipment(("add", [f"{number}-{turn}"])) for turn in range(3)] for number in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(deliver, each) for each in told]:
            done.result()
    assert len(door.present()) == 12


def test_bad_data_is_isolated_and_its_error_shows_none_of_it(door: Door) -> None:
    session = door.open()
    with pytest.raises(TargetError) as caught:
        session.deliver(door.shipment(("add", ["ann", door.bad])), door.fence())
    session.discard()
    assert caught.value.error_class is ErrorClass.ISOLATE
    said = "".join(traceback.format_exception(caught.value))
    assert not [each for each in ("secret", "ud800") if each in said]
    door.deliver(door.shipment(("add", ["ann"])))
    assert door.present() == ["ann"]


def test_a_fork_leaves_the_parents_store_alone(door: Door) -> None:
    """The child works with a link of its own, and its end does not end the parent's."""
    door.deliver(door.shipment(("add", ["before"])))
    of_child, after = door.shipment(("add", ["child"])), door.shipment(("add", ["after"]))
    parents = link_of(store_of(door))

    def child() -> None:
        assert link_of(store_of(door)) is not parents
        door.deliver(of_child)
        door.connector.dispose()

    assert child_status(child) == 0
    assert link_of(store_of(door)) is parents
    door.deliver(after)
    assert door.present() == ["after", "before", "child"]


def test_a_fork_leaves_the_parents_link_to_the_platform_alone_and_a_disposed_one_is_opened_again(
    facebook: Door,
) -> None:
    assert isinstance(facebook.connector, AdConnector)
    http = facebook.connector.way.http
    facebook.connector.probe()
    parents = http._opened()

    def child() -> None:
        assert http._opened() is not parents
        facebook.connector.probe()
        facebook.connector.dispose()

    assert child_status(child) == 0
    assert http._opened() is parents
    facebook.connector.probe()
    facebook.connector.dispose()
    facebook.connector.probe()
