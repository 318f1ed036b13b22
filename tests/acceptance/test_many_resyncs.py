"""Very many segments that need a resync at once, by real workers, beside events of a segment that needs none."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.model import profiles
from tests.proof import draws
from tests.targets import TargetDatabase
from tests.waiting import PATIENCE
from workers.lanes.runs import OPEN_AT_MOST, ResyncRuns

if TYPE_CHECKING:
    from tests.installation import Installation

MANY = draws(40, 10_000)
LIVE = 7
FIRST = 1_000
AT_MOST = 40
"""Rows that the table gets from runs between a live event's push and its own row, however many runs wait."""
SOURCE = '''
[sources.main]
{address}
first = 0
rows = 500
delay = "0s"
members = """SELECT id AS _id, custom_id AS "CustomID" FROM membership
WHERE segment_id = {{segment_id}} AND id > {{after}} ORDER BY id LIMIT {{limit}}"""
'''
LISTED = "SELECT client_id FROM member WHERE segment_id = {segment_id}"


@pytest.fixture
def target(postgresql_url: str) -> TargetDatabase:
    """A table that says in which order its rows came."""
    database = TargetDatabase("postgresql", postgresql_url)
    database.create()
    database.run(
        "ALTER TABLE member ADD COLUMN place bigserial",
        "CREATE TABLE membership (segment_id bigint, id bigint, custom_id text, PRIMARY KEY (segment_id, id))",
    )
    return database


def configure(installation: Installation, target: TargetDatabase, segments: str) -> None:
    source = SOURCE.format(address=target.connector().split("\n", 1)[1])
    scope = f'{{ database = "main", segments = {segments} }}'
    installation.configure(target.connector() + source + target.integration(scope=scope, members=LISTED))


def last_place(target: TargetDatabase) -> int:
    return int(target.run("SELECT coalesce(max(place), 0) FROM member")[0][0])


def comes(installation: Installation, target: TargetDatabase, key: str) -> int:
    """Pushes a live event and waits for its row; how many rows came between."""
    installation.producer.add(LIVE, profiles(key))
    before = last_place(target)
    query = f"SELECT place FROM member WHERE segment_id = {LIVE} AND client_id = '{key}'"
    installation.wait(lambda: target.run(query), f"{key} beside the runs")
    return max(0, int(target.run(query)[0][0]) - before)


@pytest.mark.fetched
@pytest.mark.proof
@pytest.mark.timeout(300 + MANY)
def test_many_flagged_segments_hold_up_nobody_else(installation: Installation, target: TargetDatabase) -> None:
    """An apply that widens a scope flags all of them; all are made equal, and live events go on meanwhile."""
    target.run(
        f"INSERT INTO membership SELECT s, n, s || '-' || n FROM generate_series({FIRST}, {FIRST + MANY - 1}) s, "
        "generate_series(1, 2) n"
    )
    configure(installation, target, f"[{LIVE}]")
    installation.worker()
    installation.ready()
    known = [{"type": "segment_upsert", "segment": {"id": FIRST + n, "name": "s"}} for n in range(MANY)]
    installation.producer.push(known)
    installation.settle()
    configure(installation, target, '"all"')
    assert installation.segsync("apply").returncode == 0
    redis, keys = installation.redis, installation.keys
    assert redis.hlen(keys.flagged("members")) == MANY

    assert installation.segsync("resync", "members", "--needed").returncode == 0
    opened, between, runs = [0], list[int](), ResyncRuns(installation.runtime().lanes)
    ends = time.monotonic() + PATIENCE + MANY
    while redis.exists(keys.runs, keys.runs_waiting):
        assert time.monotonic() < ends, f"{len(runs.open())} runs have no end"
        opened.append(redis.zcard(keys.runs))
        between.append(comes(installation, target, f"live{len(between)}"))

    assert max(opened) <= OPEN_AT_MOST
    assert len(between) > 3
    assert max(between) <= AT_MOST, between
    assert {runs.read(str(n))["outcome"] for n in range(1, MANY + 1)} == {"done"}
    assert redis.hlen(keys.flagged("members")) == 0
    wanted = {(str(FIRST + s), f"{FIRST + s}-{n}") for s in range(MANY) for n in (1, 2)}
    assert target.members() == wanted | {(str(LIVE), f"live{n}") for n in range(len(between))}
