"""Celery's pool `solo`: one process does everything, one thing after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.model import profiles
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from tests.installation import Installation


def test_a_worker_alone_routes_delivers_and_writes_down(installation: Installation, sqlite_url: str) -> None:
    target = TargetDatabase("sqlite", sqlite_url)
    target.create()
    installation.configure(target.connector() + target.integration())
    assert installation.segsync("apply", "--yes").returncode == 0
    installation.worker("-P", "solo", concurrency=1)
    installation.ready()
    for number in range(3):
        installation.producer.add(number, profiles(*range(20)))
    installation.settle()
    assert target.members() == {(str(number), str(key)) for number in range(3) for key in range(20)}
    with installation.ledger.reading() as connection:
        counted = "SELECT sum(operations) FROM deliveries WHERE outcome = 'delivered'"
        assert connection.exec_driver_sql(counted).scalar() == 60
