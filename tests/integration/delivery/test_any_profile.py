"""The README's queries, with any profile, alone or among others: its fault costs it alone, whatever a column holds."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.servers.mariadb import BINARY
from tests.targets import TargetDatabase

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job

COLUMNS = {
    "mysql": (
        f"varchar(20) CHARACTER SET utf8mb4 COLLATE {BINARY}",
        "varchar(20) CHARACTER SET utf8mb3",
        "varchar(20) CHARACTER SET latin1",
        "varchar(20) CHARACTER SET sjis",
        "varbinary(20)",
        "bigint",
    ),
    "postgresql": ("varchar(20)", "bigint", "bytea"),
    "sqlite": ("text CHECK (length(clientId) < 20)",),
}
CONFLICT = {
    "mysql": "ON DUPLICATE KEY UPDATE updated = NOW()",
    "postgresql": "ON CONFLICT (segid, clientid) DO UPDATE SET updated = now()",
    "sqlite": "ON CONFLICT (segId, clientId) DO UPDATE SET updated = CURRENT_TIMESTAMP",
}
NOW = {"mysql": "NOW()", "postgresql": "now()", "sqlite": "CURRENT_TIMESTAMP"}
GOOD = ("900001", "900002", "900003")
"""Keys that every one of these columns holds."""


def queries(dialect: str) -> dict[str, str]:
    """As in the README; only MySQL has texts in double quotes."""
    quote = '"' if dialect == "mysql" else "'"
    return {
        "add": "INSERT INTO mysegment (segId, clientId, updated) VALUES\n{for $index, $lead = $batch}\n"
        f"({{segment_id}}, {quote}{{$lead.CustomID}}{quote}, {NOW[dialect]}){{autocomma}}\n{{end}}\n"
        + CONFLICT[dialect],
        "remove": 'DELETE FROM mysegment WHERE segId = {segment_id} AND clientId IN ({batch_in "CustomID"})',
        "clear": "DELETE FROM mysegment WHERE segId = {segment_id}",
    }


ODD = "'\"\\\0;-/*{}$%_\n\t\u00a0\u2028\u00e9\U0001f600\u0416\u6f22"
TEXTS = st.text(st.characters(), max_size=30) | st.text(st.sampled_from(ODD), max_size=30)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(10**30, 10**40)
SIMPLE = TEXTS | NUMBERS | st.booleans() | st.none()
HOSTILE = SIMPLE | st.lists(SIMPLE, max_size=3) | st.dictionaries(TEXTS, SIMPLE, max_size=2)
WELL_KNOWN = (
    *("", " ", "\0", "\U0001f600", "\u0416\u0430\u043d\u043d\u0430", "x" * 21, "x" * 100_000),
    *("1e400", "\ud800", "'; DROP TABLE mysegment; --", "\\'"),
)


def event(kind: str, segment: int, *keys: object) -> bytes:
    profiles = [{"_id": str(n), "CustomID": key} for n, key in enumerate(keys)]
    return json.dumps({"type": kind, "segment": {"id": segment}, "profiles": profiles}).encode()


OFTEN = {("mysql", COLUMNS["mysql"][0]), ("postgresql", "bigint")}
"""A text that may be too long, and a number; of the others `make proof` alone takes examples."""


@pytest.fixture(
    params=[
        pytest.param((dialect, column), marks=() if (dialect, column) in OFTEN else pytest.mark.long)
        for dialect, columns in COLUMNS.items()
        for column in columns
    ]
)
def whatever(request: pytest.FixtureRequest, make_job: Callable[[TargetDatabase], Job]) -> Job:
    """A job whose key column is of some type."""
    dialect, column = request.param
    name = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}[dialect]
    password = request.getfixturevalue("mariadb_server").password if dialect == "mysql" else None
    target = TargetDatabase(dialect, request.getfixturevalue(f"{name}_url"), password)
    target.run(
        f"CREATE TABLE mysegment (segId bigint, clientId {column}, updated timestamp, PRIMARY KEY (segId, clientId))"
    )
    job = make_job(target)
    job.configure(leave_out=("segment_upsert", "segment_delete"), **queries(dialect))
    return job


def push(job: Job, *events: bytes) -> None:
    """Raw, as anybody can: what the client refuses, too."""
    for each in events:
        job.installation.redis.xadd(job.installation.keys.events, {"event": each})


def rows(job: Job, segment: int) -> set[str]:
    found = job.target.run(f"SELECT clientId FROM mysegment WHERE segId = {segment}")
    return {_text(key).strip() for (key,) in found}


def _text(key: Any) -> str:
    return bytes(key).decode(errors="replace") if isinstance(key, bytes | memoryview) else str(key).removesuffix(".00")


def delivered(job: Job) -> None:
    """Nothing waits, and nothing is held."""
    job.let_timeouts_pass()
    report = job.drain()
    assert (job.hold(), report.causes, job.installation.backlog()) == (None, (), 0)


def test_no_profile_holds_the_others_up(whatever: Job) -> None:
    segments = count(1)

    @given(hostile=HOSTILE | st.sampled_from(WELL_KNOWN), alone=st.sampled_from(["add", "remove"]))
    def one(hostile: object, alone: str) -> None:
        segment = next(segments)
        push(whatever, event("add", segment, GOOD[0], hostile, GOOD[1]), event("remove", segment, hostile, GOOD[1]))
        push(whatever, event("add", segment, GOOD[2], hostile))
        delivered(whatever)
        assert {GOOD[0], GOOD[2]} <= rows(whatever, segment)
        assert GOOD[1] not in rows(whatever, segment)
        push(whatever, event(alone, next(segments), hostile))
        delivered(whatever)

    one()
