"""A resync by real workers, one of which is killed in the middle; and what a person sees of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.model import profiles
from tests.targets import TargetDatabase
from workers.resync.folder import folder_of
from workers.settings.published import published

if TYPE_CHECKING:
    from pathlib import Path

    from tests.installation import Installation

MEMBERS = 3_000
SOURCE = '''
[sources.main]
{address}
first = 0
rows = 500
delay = "0s"
members = """SELECT id AS _id, custom_id AS "CustomID" FROM membership
WHERE segment_id = {{segment_id}} AND id > {{after}} ORDER BY id LIMIT {{limit}}"""
'''


@pytest.fixture
def target(postgresql_url: str) -> TargetDatabase:
    database = TargetDatabase("postgresql", postgresql_url)
    database.create()
    database.run(
        "CREATE TABLE membership (segment_id bigint, id bigint, custom_id text)",
        f"INSERT INTO membership SELECT 7, n, 'm' || n FROM generate_series(1, {MEMBERS}) n",
        "INSERT INTO member (segment_id, client_id) SELECT 7, 'stray' || n FROM generate_series(1, 20) n",
    )
    return database


def test_a_worker_is_killed_in_a_run_and_another_ends_it(installation: Installation, target: TargetDatabase) -> None:
    installation.environ["SEGSYNC_LEASE_MS"] = "6000"
    source = SOURCE.format(address=target.connector().split("\n", 1)[1])
    members = "SELECT client_id FROM member WHERE segment_id = {segment_id}"
    integration = target.integration(batch='{ size = 20, timeout = "100ms" }', members=members)
    installation.configure(target.connector() + source + integration)
    worker = installation.worker()
    installation.ready()

    asked = installation.segsync("resync", "members", "--segment", "7", "--watch")
    assert asked.returncode == 1
    assert "nothing was changed, since 20 of 20 rows would be removed, more than 10%" in asked.stdout
    assert "segsync resync --confirm 1 --accept removals=20,adds=3000" in asked.stdout

    assert installation.segsync("resync", "--confirm", "1", "--accept", "removals=20,adds=3000").returncode == 0
    installation.wait(lambda: 100 < len(target.members()) < MEMBERS, "part of it")
    worker.kill()
    left = files_of_another_run(installation)
    installation.producer.remove(7, profiles("m1"))
    target.run("DELETE FROM membership WHERE custom_id = 'm1'")
    installation.worker()
    wanted = {("7", f"m{n}") for n in range(2, MEMBERS + 1)}
    installation.wait(lambda: target.members() == wanted, "the rest")

    told = installation.segsync("verify", "members", "--segment", "7")
    assert (told.returncode, "equal; 2,999 members, 2,999 rows" in told.stdout) == (0, True), told
    installation.wait(lambda: not left.exists(), "what was kept of a run that is over goes")
    installation.settle()
    listed = json.loads(installation.segsync("resync", "--list", "--json").stdout)
    assert [each["outcome"] for each in listed["ended"]] == ["equal", "done", "needs confirmation"]


def files_of_another_run(installation: Installation) -> Path:
    """As a reader leaves them whose run is ended by another host."""
    applied = published(installation.redis, installation.keys)
    assert applied is not None
    folder = folder_of(installation.namespace, applied.installation) / "999"
    folder.mkdir()
    (folder / "members").write_text('{"_id": 1}')
    return folder
