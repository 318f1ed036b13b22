"""From the outcomes stream into the ledger: whoever dies, and whatever is in it, no count is lost or doubled."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import redis

from tests.integration.ledger.records import delivery, entry, failure, rows
from tests.waiting import PATIENCE
from workers.lanes.store import LEASE_MS
from workers.ledger import ingest as drainer_module
from workers.ledger.database import Ledger
from workers.ledger.errors import LedgerError
from workers.ledger.ingest import MOST_RECORDS, Ingest, IngestReport
from workers.ledger.tables import deliveries, quarantine, queries
from workers.outcomes import Resolved, encode
from workers.quarantine.entries import list_entries, show

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.postgresql import PostgresqlServer
    from tests.servers.redis import RedisServer
    from workers.outcomes import Record


class Stream:
    """The outcomes stream of one installation, and drainers for it."""

    def __init__(self, client: redis.Redis, namespace: str, ledger: Ledger) -> None:
        self.client, self.namespace, self.ledger = client, namespace, ledger
        self.key, self.lease = f"{namespace}:outcomes", f"{namespace}:drainer"

    def append(self, *records: Record) -> None:
        """As the settle script does."""
        pipe = self.client.pipeline()
        for record in records:
            pipe.xadd(self.key, {"r": encode(record)})
        pipe.execute()

    def drainer(self, **options: Any) -> Ingest:
        return Ingest(self.client, self.namespace, self.ledger, **options)

    def drain(self) -> IngestReport:
        return self.drainer().drain(60)

    def left(self) -> int:
        return self.client.xlen(self.key)

    def written(self) -> list[int]:
        return [len(rows(self.ledger, table)) for table in (deliveries, queries, quarantine)]


@pytest.fixture
def stream(redis_client: redis.Redis, namespace: str, ledger: Ledger) -> Stream:
    return Stream(redis_client, namespace, ledger)


def test_records_move_into_the_ledger(stream: Stream) -> None:
    stream.append(delivery(), failure(), entry())

    assert stream.drain() == IngestReport(records=3, written=3, empty=True)

    assert stream.written() == [2, 1, 1]
    assert stream.left() == 0
    assert not stream.client.exists(stream.lease)


def test_lanes_that_failed_last_are_noted_until_they_pass(stream: Stream) -> None:
    def noted() -> list[Any]:
        return stream.client.zrange(f"{stream.namespace}:failing:crm", 0, -1)

    stream.append(failure(), failure("held", segment="8"), failure(segment="9"), delivery(segment="9"))
    stream.append(failure(segment="", tries=3), delivery(segment="8", operations=5, merged=5))
    stream.drain()
    assert sorted(noted()) == [b"7", b"8"], "a compaction is no try, and of what was folded the segment is not known"
    stream.append(delivery(), delivery(segment="8"))
    stream.drain()
    assert noted() == []


def test_an_empty_stream(stream: Stream) -> None:
    assert stream.drain() == IngestReport(empty=True)


def test_the_first_drain_makes_the_schema(redis_client: redis.Redis, namespace: str, ledger_url: str) -> None:
    stream = Stream(redis_client, namespace, Ledger(ledger_url))
    stream.append(delivery())

    assert stream.drain().written == 1


def test_many_batches(stream: Stream) -> None:
    count = 2 * MOST_RECORDS + 3
    stream.append(*[delivery() for _ in range(count)])

    assert stream.drain() == IngestReport(records=count, written=count, empty=True)
    assert stream.written() == [count, count, 0]


def test_large_records_are_read_a_few_at_a_time(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drainer_module, "MOST_BYTES", 100_000)
    stream.append(*[entry(payload=bytes(60_000)) for _ in range(300)])

    batch = stream.drainer()._read()

    assert len(batch.ids) == drainer_module.PAGE
    assert stream.drain().written == 300


def test_a_drain_ends_in_time_but_not_before_its_first_batch(stream: Stream) -> None:
    stream.append(*[delivery() for _ in range(MOST_RECORDS + 1)])

    assert stream.drainer().drain(0) == IngestReport(records=MOST_RECORDS, written=MOST_RECORDS)
    assert stream.left() == 1


def test_a_crash_between_write_and_trim_counts_once(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    stream.append(delivery(), entry(), failure())

    def cut(*_: object) -> None:
        raise redis.ConnectionError("cut")

    with monkeypatch.context() as patched:
        patched.setattr(stream.client, "xdel", cut)
        with pytest.raises(redis.ConnectionError):
            stream.drain()
    assert (stream.written(), stream.left()) == ([2, 1, 1], 3)

    assert stream.drain() == IngestReport(records=3, written=0, empty=True)
    assert (stream.written(), stream.left()) == ([2, 1, 1], 0)


def _die_before_the_trim(port: int, namespace: str, ledger_url: str) -> None:
    class Dying(redis.Redis):
        def xdel(self, *_: Any) -> Any:
            os.kill(os.getpid(), signal.SIGKILL)

    Ingest(Dying(port=port), namespace, Ledger(ledger_url)).drain(60)


def test_a_killed_drainer_is_followed_when_its_lease_has_run_out(
    stream: Stream, ledger_url: str, redis_server: RedisServer
) -> None:
    stream.append(delivery(), entry())
    arguments = redis_server.port, stream.namespace, ledger_url
    process = multiprocessing.get_context("spawn").Process(target=_die_before_the_trim, args=arguments)
    process.start()
    process.join(PATIENCE)

    assert process.exitcode == -signal.SIGKILL
    assert stream.written() == [1, 1, 1]
    assert stream.drain() == IngestReport(busy=True)
    assert 0 < stream.client.pttl(stream.lease) <= LEASE_MS
    stream.client.delete(stream.lease)  # as Redis does when it has run out
    assert stream.drain() == IngestReport(records=2, written=0, empty=True)
    assert (stream.written(), stream.left()) == ([1, 1, 1], 0)


def test_a_lease_from_the_future_lasts_no_longer_than_one_from_now(stream: Stream) -> None:
    """The host's clock was set back by an hour after its drainer had died."""
    stream.append(delivery())
    stream.client.set(stream.lease, "dead", px=3_600_000)
    assert stream.drain().busy
    assert 0 < stream.client.pttl(stream.lease) <= LEASE_MS


def test_what_became_of_an_entry_is_dated_by_the_stream(stream: Stream) -> None:
    """Its ids never fall; the clock that the record tells may have been set back."""
    records: list[Record] = [
        entry(uid="a"),
        Resolved("a", "retried", 9_000, "", "", "ann"),
        Resolved("a", "open", 5, "why"),
    ]
    for ms, record in enumerate(records, start=8_999):
        stream.client.xadd(stream.key, {"r": encode(record)}, id=f"{ms}-1")
    stream.drain()
    (found,) = rows(stream.ledger, quarantine)
    assert (found["state"], found["changed_ms"]) == ("open", 9_001)


def test_two_drainers_at_once_write_each_record_once(stream: Stream) -> None:
    reports: list[IngestReport] = []
    barrier = threading.Barrier(2)

    def drain() -> None:
        barrier.wait()
        while not (report := stream.drain()).empty:
            reports.append(report)
        reports.append(report)

    def meet() -> bool:
        """Whether one found the other at work: on a busy machine it may have been done before."""
        stream.append(*[delivery() for _ in range(1_200)], *[entry() for _ in range(100)])
        threads = [threading.Thread(target=drain) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        return any(report.busy for report in reports)

    rounds = 1
    while not meet():
        rounds += 1
    assert sum(report.written for report in reports) == sum(report.records for report in reports) == 1_300 * rounds
    assert stream.written() == [1_200 * rounds, 1_200 * rounds, 100 * rounds]


def test_a_drainer_that_lost_its_lease_stops_and_leaves_the_other_s_alone(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stall of more than the lease: what it writes then is known to the ledger, or left to the other."""
    stream.append(*[delivery() for _ in range(MOST_RECORDS + 1)])
    first = stream.drainer()
    move = first._move

    def stall(*arguments: Any) -> Any:
        moved = move(*arguments)
        stream.client.set(stream.lease, "another")
        return moved

    monkeypatch.setattr(first, "_move", stall)

    assert first.drain(60) == IngestReport(busy=True, records=MOST_RECORDS, written=MOST_RECORDS)
    assert stream.client.get(stream.lease) == b"another"
    assert stream.left() == 1


def test_only_what_was_written_is_taken_off(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    """What scripts append meanwhile stays."""
    stream.append(delivery(), delivery())
    drainer = stream.drainer()
    move = drainer._move

    def append_meanwhile(*arguments: Any) -> Any:
        stream.append(entry())
        return move(*arguments)

    monkeypatch.setattr(drainer, "_move", append_meanwhile)

    assert drainer.drain(0).records == 2
    assert stream.left() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"r": b""},
        {"r": b"\xc1"},
        {"r": b"\xff" * 1_000},
        {"r": b"\x91" * 100_000},
        {"r": encode(delivery())[:-1]},
        {"r": encode(delivery()).replace(b"crm", b"\xff\xfe\xfd")},
        {"r": msgspec.msgpack.encode(["delivery", 1, 2])},
        {"r": msgspec.msgpack.encode(["nobody", "ann@example.com"])},
        {"something": b"else", "\xff": b"\0"},
    ],
)
def test_what_is_no_record_goes_to_the_quarantine(stream: Stream, fields: dict[Any, Any]) -> None:
    stream.append(delivery())
    stream.client.xadd(stream.key, fields)
    stream.append(delivery())

    assert stream.drain() == IngestReport(records=3, written=3, unreadable=1, empty=True)

    (found,) = list_entries(stream.ledger)
    assert (found.source, found.code, found.integration) == ("outcomes", "unreadable record", None)
    assert "ann@example.com" not in found.reason
    detail = show(stream.ledger, found.id)
    assert detail.payload == fields.get("r") or detail.size == len(detail.payload) > 0
    assert stream.left() == 0


def test_an_unreadable_record_is_kept_once(stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
    stream.client.xadd(stream.key, {"r": b"?"})
    with monkeypatch.context() as patched:
        patched.setattr(stream.client, "xdel", lambda *_: None)
        stream.drainer().drain(0)

    stream.drain()

    assert len(list_entries(stream.ledger)) == 1


def test_a_ledger_that_is_down_loses_nothing(redis_client: redis.Redis, namespace: str, tmp_path: Path) -> None:
    folder = tmp_path / "later"
    stream = Stream(redis_client, namespace, Ledger(f"sqlite:///{folder}/ledger.db"))
    stream.append(delivery(), entry())

    for _ in range(2):
        with pytest.raises(LedgerError, match="neither opened nor made"):
            stream.drain()
    folder.mkdir()
    stream.append(failure())

    assert stream.drain() == IngestReport(records=3, written=3, empty=True)
    assert stream.written() == [2, 1, 1]


def test_a_ledger_that_dies_while_it_is_written_to_loses_nothing(
    redis_client: redis.Redis, namespace: str, own_postgresql: PostgresqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_postgresql.create_database(namespace)
    stream = Stream(redis_client, namespace, Ledger(own_postgresql.url(namespace)))
    records = [delivery() for _ in range(MOST_RECORDS)] + [entry() for _ in range(MOST_RECORDS)]
    stream.append(*records)
    drainer = stream.drainer()
    move = drainer._move

    def die_after(*arguments: Any) -> Any:
        moved = move(*arguments)
        own_postgresql.kill()
        return moved

    monkeypatch.setattr(drainer, "_move", die_after)
    with pytest.raises(LedgerError):
        drainer.drain(60)
    assert not redis_client.exists(stream.lease)
    assert stream.left() == MOST_RECORDS
    with pytest.raises(LedgerError, match="cannot be reached"):
        stream.drain()
    own_postgresql.start()
    # HASTE: the test's server may lose what it had committed; the drainer must not take off what it has not written.
    assert stream.drain().written == MOST_RECORDS

    assert stream.left() == 0
    assert stream.written()[2] == MOST_RECORDS


def test_a_full_redis_is_drained(own_redis: RedisServer, namespace: str, ledger: Ledger) -> None:
    """Redis refuses SET then, though not XDEL: the lease must be had all the same."""
    client = own_redis.client()
    stream = Stream(client, namespace, ledger)
    stream.append(delivery(), entry())
    client.config_set("maxmemory", 1)
    with pytest.raises(redis.ResponseError, match=r"OOM|maxmemory"):
        client.set("more", 1)

    assert stream.drain() == IngestReport(records=2, written=2, empty=True)

    assert not client.exists(stream.lease)
    client.close()


def test_a_redis_that_is_down_is_told_as_redis_tells_it(own_redis: RedisServer, namespace: str, ledger: Ledger) -> None:
    client = own_redis.client()
    own_redis.kill()

    with pytest.raises(redis.ConnectionError):
        Stream(client, namespace, ledger).drain()

    client.close()
