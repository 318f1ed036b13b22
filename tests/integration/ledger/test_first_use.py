"""Several processes that use a new ledger for the first time, at the same moment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from workers.lanes.keys import Keys
from workers.ledger import identity
from workers.ledger.database import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis
    from sqlalchemy import Connection

pytestmark = pytest.mark.usefixtures("real_migrations")


class Together(Ledger):
    """Each change begins when the others' do: all have read before anybody writes."""

    begins: Barrier

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        if self.dialect == "sqlite":  # only one is let in
            self.begins.wait(30)
        with super().changing() as connection:
            if self.dialect != "sqlite":
                self.begins.wait(30)
            yield connection


def together(ledger_url: str, processes: int = 3) -> list[Together]:
    Ledger(ledger_url).upgrade()
    found = [Together(ledger_url) for _ in range(processes)]
    begins = Barrier(processes)
    for each in found:
        each.begins = begins
    return found


def test_who_comes_second_to_a_new_ledger_does_not_fail(ledger_url: str, redis_client: Redis, namespace: str) -> None:
    keys = Keys(namespace)
    ledgers = together(ledger_url)
    with ThreadPoolExecutor(len(ledgers)) as processes:
        for claimed in [processes.submit(identity.claim, redis_client, keys, each, "one") for each in ledgers]:
            claimed.result(60)
        for counted in [processes.submit(identity.count, redis_client, keys, each) for each in ledgers]:
            counted.result(60)
    assert redis_client.hget(keys.ledger, "counted") == b"3", "each has counted on from the other"


def test_who_counts_first_in_a_new_ledger_is_not_alone(ledger_url: str, redis_client: Redis, namespace: str) -> None:
    """Nothing is noted of the installation yet."""
    keys = Keys(namespace)
    ledgers = together(ledger_url)
    redis_client.hset(keys.ledger, mapping={"id": identity.id_of(ledgers[0]), "place": "here", "host": "this"})
    with ThreadPoolExecutor(len(ledgers)) as processes:
        for counted in [processes.submit(identity.count, redis_client, keys, each) for each in ledgers]:
            counted.result(60)
    assert redis_client.hget(keys.ledger, "counted") == b"3"
