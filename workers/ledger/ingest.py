"""Moves what scripts appended to the outcomes stream into the ledger.

Written first, then taken off the stream: a crash in between writes the same records again, and a record
that is written twice is written once (rule 28). While the ledger is down nothing is taken off.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, cast

import msgspec
from msgspec import structs
from redis import RedisError, ResponseError

from workers import failpoints, outcomes
from workers.failpoints import reach
from workers.lanes.keys import Keys
from workers.lanes.store import LEASE_MS
from workers.ledger import failing
from workers.ledger.rollups import unfold
from workers.ledger.tables import UNREADABLE
from workers.outcomes import Acted, Quarantined, Resolved

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from workers.ledger.database import Ledger, Writer
    from workers.outcomes import Record

    _Entry = tuple[bytes, dict[bytes, bytes]]

MOST_RECORDS: Final = 500
"""Records that one transaction writes: as few round trips as are worth it, and no long transaction."""
MOST_BYTES: Final = 4 * 2**20
"""What one batch holds, about: reading stops at the first page that reaches either."""

PAGE: Final = 100
"""Records per read: an entry of the quarantine can hold 64 KiB of an event."""

# Redis refuses SET when it is full, except after another write in the same script: DEL, which it allows. What expires
# does so by the host's clock: where that was set back, a lease of the dead would last as long as it jumped.
ACQUIRE: Final = """
if redis.call('EXISTS', KEYS[1]) == 1 then
  if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
RENEW: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
FORGET: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[2])
"""
RELEASE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one `drain` did.

    busy        another drainer was, or has become, the one; it goes on
    records     taken off the stream
    written     of these: new to the ledger
    unreadable  of these: no records, now in the quarantine as they were
    empty       nothing was left in the stream
    """

    busy: bool = False
    records: int = 0
    written: int = 0
    unreadable: int = 0
    empty: bool = False


@dataclass(frozen=True, slots=True)
class _Batch:
    ids: list[bytes]
    records: list[Record]
    unreadable: int


class Ingest:
    """Drains one installation's outcomes stream; one drainer works at a time, any number may try.

    redis   a client that returns bytes
    clock   seconds that only grow; for `drain`'s limit
    owner   whose lease it is; random, so that no other drainer has it
    """

    def __init__(
        self,
        redis: Redis,
        namespace: str,
        ledger: Ledger,
        *,
        clock: Callable[[], float] = time.monotonic,
        owner: str | None = None,
    ) -> None:
        self._redis = redis
        self._keys = keys = Keys(namespace)
        self._stream, self._folded, self._lease = keys.outcomes, keys.folded, keys.drainer
        self._unfolding = f"{self._folded}:unfolding"
        self._ledger = ledger
        self._clock = clock
        self._owner = owner or secrets.token_hex(12)

    def drain(self, limit_seconds: float) -> IngestReport:
        """Moves records until the stream is empty or the time is up, one batch at least.

        Brings the ledger's schema up to date first, if there is anything to write. LedgerError: the records
        that are not written stay in the stream, try again later. redis.RedisError likewise.
        """
        until = self._clock() + limit_seconds
        if not self._run(ACQUIRE, LEASE_MS):
            return IngestReport(busy=True)
        try:
            return self._drain(until)
        finally:
            # What cannot be given back runs out.
            with suppress(RedisError):
                self._run(RELEASE)

    def _drain(self, until: float) -> IngestReport:
        batch = self._read()
        if not batch.ids and not self._redis.exists(self._folded, self._unfolding):
            return IngestReport(empty=True)
        self._ledger.upgrade()
        report = IngestReport()
        with self._ledger.writing() as writer:
            while batch.ids:
                if not self._run(RENEW, LEASE_MS):
                    return replace(report, busy=True)
                report = self._move(batch, writer, report)
                if self._clock() >= until:
                    break
                batch = self._read()
            self._unfold(writer)
        return replace(report, empty=not batch.ids)

    def _unfold(self, writer: Writer) -> None:
        """Writes what the stream had no room for; first put aside, so that it is written once and none is lost."""
        with suppress(ResponseError):  # there is none, or one is left by a drainer that died
            self._redis.renamenx(self._folded, self._unfolding)
        fields = cast("dict[bytes, bytes]", self._redis.hgetall(self._unfolding))
        if fields:
            writer.write(unfold(fields))
            # Only while the lease is ours: another drainer may have put the next sums aside by now.
            self._redis.eval(FORGET, 2, self._lease, self._unfolding, self._owner)

    def _move(self, batch: _Batch, writer: Writer, report: IngestReport) -> IngestReport:
        written = writer.write(batch.records)
        reach(failpoints.WITHIN_DRAINER)
        failing.note(self._redis, self._keys, batch.records)
        # By id, not up to an id: even a stream that was made anew meanwhile loses nothing unwritten.
        self._redis.xdel(self._stream, *batch.ids)
        return replace(
            report,
            records=report.records + len(batch.ids),
            written=report.written + written,
            unreadable=report.unreadable + batch.unreadable,
        )

    def _read(self) -> _Batch:
        """The oldest records of the stream."""
        entries: list[_Entry] = []
        size, start = 0, "-"
        while len(entries) < MOST_RECORDS and size < MOST_BYTES:
            page = cast("list[_Entry]", self._redis.xrange(self._stream, min=start, count=PAGE))
            entries += page
            size += sum(len(value) for _, fields in page for value in fields.values())
            if len(page) < PAGE:
                break
            start = f"({page[-1][0].decode()}"
        records = [_record(*entry) for entry in entries]
        return _Batch([id_ for id_, _ in entries], records, sum(map(_is_unreadable, records)))

    def _run(self, script: str, *arguments: str | int) -> bool:
        return bool(self._redis.eval(script, 1, self._lease, self._owner, *arguments))


def _record(stream_id: bytes, fields: dict[bytes, bytes]) -> Record:
    try:
        record = outcomes.decode(fields[b"r"])
        # Ids never fall, whoever sets a clock back: by them it is known what came later.
        at_ms = int(stream_id.partition(b"-")[0])
        return structs.replace(record, at_ms=at_ms) if isinstance(record, (Resolved, Acted)) else record
    # msgspec raises DecodeError, but UnicodeDecodeError for text that is no UTF-8: both are ValueErrors.
    except (KeyError, ValueError, RecursionError):
        return _unreadable(stream_id, fields.get(b"r") or msgspec.msgpack.encode(fields))


def _unreadable(stream_id: bytes, payload: bytes) -> Quarantined:
    """What stands in for an entry that is no record; the same each time, so that it is written once."""
    return Quarantined(
        uid=hashlib.sha256(stream_id + payload).hexdigest(),
        integration=None,
        segment=None,
        event_type=None,
        profile=None,
        sequence=stream_id.decode(),
        at_ms=int(stream_id.partition(b"-")[0]),
        code=UNREADABLE,
        reason="an entry of the outcomes stream is no record: expected one as in workers/outcomes.py in its field 'r'",
        payload=payload,
        size=len(payload),
        sha256=hashlib.sha256(payload).hexdigest(),
    )


def _is_unreadable(record: Record) -> bool:
    return isinstance(record, Quarantined) and record.code == UNREADABLE
