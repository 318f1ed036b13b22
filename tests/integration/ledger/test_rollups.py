"""A ledger that is away for long fills no Redis, and no count is missing afterwards (rule 29)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from sqlalchemy import func, select

import workers.lanes
from tests.installation import Installation
from tests.integration.jobs import Job, add, clear, remove, upsert
from tests.targets import TargetDatabase
from workers.lanes.keys import Keys
from workers.ledger.database import Ledger, Writer
from workers.ledger.errors import LedgerError
from workers.ledger.ingest import Ingest
from workers.ledger.statistics import errors, stats
from workers.ledger.tables import deliveries
from workers.outcomes import Delivery, encode
from workers.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis

    from tests.servers.redis import RedisServer

MOST_RECORDS = 200_000
"""As in lanes/scripts/common.lua."""
FILL = "for n = ARGV[1], ARGV[2] do redis.call('XADD', KEYS[1], string.format('1-%d', n), 'r', '') end"
EMPTY = """;
DELETE FROM member WHERE client_id IN
({for $x = $batch}{if $x.CustomID = "nobody"}('{$x.CustomID}'){autocomma}{end}{end})"""
COUNTS = ("queries", "statements", "rows", "profiles", "unsent", "retries", "failures", "quarantined")


@pytest.fixture
def job(
    tmp_path: Path, redis_server: RedisServer, redis_client: redis.Redis, namespace: str, sqlite_url: str
) -> Iterator[Job]:
    """A job whose target refuses long ids, and whose outcomes stream has no more room."""
    target = TargetDatabase("sqlite", sqlite_url)
    target.create()
    target.run(
        "CREATE TRIGGER too_long BEFORE INSERT ON member WHEN length(NEW.client_id) > 255"
        " BEGIN SELECT RAISE(ABORT, 'too long'); END"
    )
    job = Job(Installation(tmp_path, redis_server.url, namespace), target)
    job.configure(remove=target.queries()["remove"] + EMPTY)
    for first in range(1, MOST_RECORDS, 20_000):
        redis_client.eval(FILL, 1, job.installation.keys.outcomes, first, first + 19_999)
    yield job
    redis_client.unlink(job.installation.keys.outcomes)


def work(job: Job) -> None:
    """All that is counted: queries of each kind, an empty statement, merged and moot operations, retries, a bad one."""
    job.push(upsert(7, "VIP"), add(7, "A", "B", "A"), add(8, "C", "x" * 300, "D"))
    job.drain()
    job.push(remove(7, "A"), add(9, "E"), clear(9), add(9, "F", "G"))
    job.drain()
    job.target.run("DELETE FROM member", "DELETE FROM segment")


def work_without_ledger(job: Job) -> int:
    """The same; returns how many records the stream took all the same."""
    with pytest.MonkeyPatch.context() as away:
        away.setattr(Runtime, "drain_outcomes", lambda *_: 0)
        work(job)
    outcomes = job.installation.keys.outcomes
    job.installation.redis.unlink(job.installation.keys.permits("upkeep"))
    taken = job.installation.redis.xlen(outcomes) - MOST_RECORDS
    job.installation.redis.xtrim(outcomes, minid="2-0", approximate=False)
    return int(taken)


def counts(job: Job) -> dict[str, Any]:
    """All that the ledger counts."""
    now = datetime.now(UTC)
    sums: dict[str, Any] = {}
    for row in stats(job.runtime.ledger, now - timedelta(hours=3), now + timedelta(hours=1)):
        for name in COUNTS:
            key = f"{row.event_type}.{name}"
            sums[key] = sums.get(key, 0) + getattr(row, name)
    for cause in errors(job.runtime.ledger, now - timedelta(hours=3)):
        name = f"{cause.integration}.{cause.event_type}.{cause.code}"
        sums[name] = cause.count
        sums[f"{name}.kinds"] = cause.retries + 1000 * cause.quarantined
    column = deliveries.c
    with job.runtime.ledger.reading() as connection:
        for each in (column.operations, column.merged, column.moot, column.tries):
            sums[each.name] = connection.execute(select(func.sum(each))).scalar()
    return sums


def test_what_is_folded_is_counted_as_if_it_were_not(job: Job) -> None:
    taken = work_without_ledger(job)
    assert taken == 2, "the entry of the quarantine and the clear that may resolve others, and nothing else"
    assert job.installation.redis.hlen(job.installation.keys.folded) > 0

    job.runtime.drain_outcomes(10)
    once = counts(job)
    work(job)
    job.runtime.drain_outcomes(10)

    assert once["operations"] >= 12
    assert once["add.retries"] > 0
    assert once["remove.unsent"] == 1
    assert counts(job) == {name: 2 * value for name, value in once.items()}


def test_a_drainer_that_dies_over_it_writes_it_once(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    work_without_ledger(job)
    assert [wake.queue for wake in job.runtime.tick("task").wakes] == ["upkeep"], "nothing else wakes it"
    write = Writer.write
    calls: list[int] = []

    def write_and_die(writer: Writer, records: Any) -> int:
        written = write(writer, records)
        calls.append(written)
        if len(calls) == 2:
            raise LedgerError("here", "it died after the commit")
        return written

    with monkeypatch.context() as dying:
        dying.setattr(Writer, "write", write_and_die)
        with pytest.raises(LedgerError, match="died after"):
            job.runtime.drain_outcomes(10)
    work_without_junk = counts(job)

    job.runtime.drain_outcomes(10)

    assert calls[1] > 0
    assert counts(job) == work_without_junk
    assert job.installation.redis.keys(f"{job.installation.keys.folded}*") == []


def fold(client: redis.Redis, namespace: str, uid: str) -> None:
    """One try more than the stream has room for."""
    common = Path(workers.lanes.__file__).with_name("scripts").joinpath("common.lua").read_text()
    given: dict[str, Any] = {each.name: "x" if each.type is str else 1 for each in msgspec.structs.fields(Delivery)}
    packed = encode(Delivery(**given | {"uid": uid, "queries": []}))
    assert client.eval(f"{common}\nreturn fold(ARGV[3]) and 1", 0, namespace, "1", packed) == 1


def test_what_a_drainer_that_died_had_put_aside_is_not_overwritten(
    redis_client: redis.Redis, namespace: str, tmp_path: Path
) -> None:
    """Tries go on being folded after it: each sum is written in its turn."""
    folded = Keys(namespace).folded
    fold(redis_client, namespace, "died")
    redis_client.rename(folded, f"{folded}:unfolding")
    fold(redis_client, namespace, "since")
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    drainer = Ingest(redis_client, namespace, ledger)

    drainer.drain(5)
    drainer.drain(5)

    with ledger.reading() as connection:
        assert set(connection.execute(select(deliveries.c.uid)).scalars()) == {"died", "since"}


def test_a_drainer_that_lost_its_lease_takes_no_others_sums_away(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is stopped after it has written; meanwhile another has put the next sums aside, and dies."""
    work_without_ledger(job)
    redis, keys = job.installation.redis, job.installation.keys
    write, unfolding = Writer.write, f"{keys.folded}:unfolding"

    def write_late(writer: Writer, records: Any) -> int:
        written = write(writer, records)
        if redis.exists(unfolding):
            redis.set(f"{keys.namespace}:drainer", "another")
            redis.hset(unfolding, "kept", 1)
        return written

    with monkeypatch.context() as late:
        late.setattr(Writer, "write", write_late)
        job.runtime.drain_outcomes(10)

    assert redis.hget(unfolding, "kept") == b"1"
