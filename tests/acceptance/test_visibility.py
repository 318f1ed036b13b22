"""What Flower, logs and the ledger show of failures: integration, segment and why, and never people's data."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import MetaData

from tests.servers.process import free_port
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from tests.installation import Installation

PLANTED = "planted-7f3a91-value"


@pytest.fixture
def target(mariadb_url: str, mariadb_server: Any) -> TargetDatabase:
    database = TargetDatabase("mysql", mariadb_url, mariadb_server.password)
    database.create()
    return database


def test_failures_are_seen_and_people_are_not(installation: Installation, target: TargetDatabase) -> None:
    """A locked row (RETRY), a wrong table (FAILURE), a data error and a bad event, all carrying a planted value."""
    _configure(installation, target)
    port = free_port()
    installation.flower(port)
    installation.wait(lambda: _flower(port, "/api/workers") is not None, 30, "Flower")
    blocker = target.connect()
    blocker.autocommit(False)
    blocker.cursor().execute(f"INSERT INTO member (segment_id, client_id) VALUES (7, '{PLANTED}')")
    installation.worker(concurrency=3)
    installation.beat()
    installation.ready()
    installation.producer.add(7, [{"_id": PLANTED, "CustomID": PLANTED, "email": PLANTED}])
    installation.redis.xadd(installation.keys.events, {"event": json.dumps({"type": PLANTED, "x": PLANTED})})

    def told() -> bool:
        tasks = _flower(port, "/api/tasks?limit=1000") or {}
        text = json.dumps([(t["state"], t.get("exception")) for t in tasks.values()])
        return all(word in text for word in ("RETRY", "FAILURE", "waits/7", "wrong/7"))

    installation.wait(told, 40, "RETRY and FAILURE in Flower")
    tasks = json.dumps(_flower(port, "/api/tasks?limit=1000"))
    blocker.rollback()
    blocker.close()
    installation.wait(lambda: ("7", PLANTED) in target.members(), 30, "the retried row")
    installation.wait(lambda: not installation.redis.xlen(installation.keys.outcomes), 30, "the ledger")

    assert PLANTED not in tasks
    assert PLANTED not in installation.logs()
    _only_the_quarantine_has_it(_ledger(installation))


def _configure(installation: Installation, target: TargetDatabase) -> None:
    """Three integrations: one whose row will be locked, one whose table is not there, one whose column is narrow."""
    wrong = target.queries()["add"].replace("INTO member", "INTO no_such_table")
    narrow = target.queries()["add"].replace("INTO member", "INTO narrow")
    target.run(
        "CREATE TABLE narrow (segment_id bigint, client_id varchar(5), updated datetime(6), PRIMARY KEY (segment_id))"
    )
    installation.configure(
        target.connector(statement_timeout='"1s"')
        + target.integration("waits")
        + target.integration("wrong", add=wrong)
        + target.integration("narrow", add=narrow)
    )


def _only_the_quarantine_has_it(ledger: dict[str, str]) -> None:
    quarantined = ledger.pop("quarantine")
    assert PLANTED in quarantined
    assert "mysql 1406" in quarantined
    assert "waits" in ledger["deliveries"]
    for table, text in ledger.items():
        assert PLANTED not in text, table


def _flower(port: int, path: str) -> Any:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None


def _ledger(installation: Installation) -> dict[str, str]:
    metadata = MetaData()
    with installation.ledger.reading() as connection:
        metadata.reflect(connection)
        return {
            name: "\n".join(str(row) for row in connection.execute(table.select()))
            for name, table in metadata.tables.items()
        }
