"""Which configuration processes start by, and what they say when a file is wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.model import profiles
from tests.targets import TargetDatabase
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.installation import Installation


@pytest.fixture
def target(sqlite_url: str) -> TargetDatabase:
    database = TargetDatabase("sqlite", sqlite_url)
    database.create()
    return database


def broken(target: TargetDatabase) -> str:
    right = target.connector() + target.integration()
    return right.replace('connector = "crm"', 'connector = "cmr"').replace("size = 1000", "size = 0")


def test_a_wrong_file_and_nothing_applied_starts_nothing(installation: Installation, target: TargetDatabase) -> None:
    installation.configure(broken(target))
    worker = installation.worker()
    assert worker.wait(PATIENCE) == 2
    text = worker.log.read_text()
    assert "Traceback" not in text
    assert "cmr" in text
    assert "crm" in text
    assert "size" in text


@pytest.mark.parametrize("command", ["worker", "beat", "flower"])
def test_a_file_that_cannot_be_read_ends_every_command(installation: Installation, command: str) -> None:
    installation.file.write_text('namespace = "Wrong Name"\n[redis]\nurl = 5\n')
    process = installation.celery(command)
    assert process.wait(PATIENCE) == 2
    text = process.log.read_text()
    assert "Traceback" not in text
    assert "namespace" in text
    assert "redis.url" in text


def test_workers_restart_on_the_applied_revision(installation: Installation, target: TargetDatabase) -> None:
    installation.configure(target.connector() + target.integration())
    first = installation.worker()
    installation.ready()
    first.kill()

    installation.configure(broken(target))
    installation.environ["SEGSYNC_LOG"] = "json"
    second = installation.worker()
    installation.producer.add(7, profiles("A"))
    installation.wait(lambda: target.members() == {("7", "A")}, "a delivery by the applied revision")
    (told,) = [line for line in second.log.read_text().splitlines() if "works by the applied revision 1" in line]
    assert json.loads(told)["event"] == "file_wrong"
    assert second.running


def test_workers_follow_a_new_revision_without_restart(installation: Installation, target: TargetDatabase) -> None:
    installation.configure(target.connector() + target.integration())
    installation.worker()
    installation.ready()
    installation.configure(
        target.connector() + target.connector("more") + target.integration()
        + target.integration("again", "more", add=target.queries()["add"].replace("{segment_id}", "1000"))
    )  # fmt: skip
    applied = installation.segsync("apply", "--yes")
    assert applied.returncode == 0, applied.stderr
    installation.producer.add(7, profiles("A"))
    installation.wait(lambda: target.members() == {("7", "A"), ("1000", "A")}, "both integrations")


def test_apply_refuses_a_wrong_file_and_leaves_the_applied_one(
    installation: Installation, target: TargetDatabase
) -> None:
    installation.configure(target.connector() + target.integration())
    assert installation.segsync("apply", "--yes").returncode == 0
    before = installation.redis.hgetall(installation.keys.config)
    installation.configure(broken(target))
    refused = installation.segsync("apply", "--yes")
    assert refused.returncode == 2
    assert "size" in refused.stderr
    assert installation.redis.hgetall(installation.keys.config) == before


def test_an_eviction_policy_that_drops_events_is_refused(installation: Installation, target: TargetDatabase) -> None:
    installation.configure(target.connector() + target.integration())
    installation.redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        worker = installation.worker()
        assert worker.wait(PATIENCE) == 3
    finally:
        installation.redis.config_set("maxmemory-policy", "noeviction")
    assert "noeviction" in worker.log.read_text()
