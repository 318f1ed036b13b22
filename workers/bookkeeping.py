"""Writes outcomes to the ledger and lets go of what has become old there; part of upkeep.

Plain code, one object for each configuration that is followed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from workers.ledger import health, identity, retention
from workers.ledger.errors import LedgerError
from workers.ledger.ingest import Ingest, IngestReport
from workers.log import LEDGER_FORGOT, tell
from workers.quarantine.open_counts import OpenCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.ledger.database import Ledger

FORGET_EVERY_SECONDS: Final = 60.0
"""Where nothing is left to go: an hour ends once in a while."""


class Bookkeeping:
    """One process's writing to the ledger.

    installation  of the applied configuration
    owner         whose lease it is while outcomes are written
    keep          seconds that single deliveries are kept; None: for ever
    """

    def __init__(self, redis: Redis, keys: Keys, installation: str, owner: str, keep: float | None) -> None:
        self._redis = redis
        self._keys = keys
        self._installation = installation
        self._owner = owner
        self._keep = keep
        self._room: OpenCounts | None = None
        self._count_at = 0.0
        self._forget_at = 0.0

    def write(self, opened: Callable[[], Ledger], seconds: float) -> IngestReport:
        """Moves outcomes into the ledger, for so long; then deletes what is old, for as long. LedgerError.

        opened  gives the ledger, its schema brought up to date
        """
        try:
            ledger = opened()
            report = self._move(ledger, seconds)
            if not report.busy:
                self._forget(ledger, seconds)
        except LedgerError as error:
            self._room = None
            health.failed(self._redis, self._keys, error)
            raise
        health.worked(self._redis, self._keys)
        return report

    def _move(self, ledger: Ledger, seconds: float) -> IngestReport:
        if self._room is None or not identity.is_claimed(self._redis, self._keys):
            identity.claim(self._redis, self._keys, ledger, self._installation)
            self._room = OpenCounts(self._redis, self._keys, ledger)
        else:
            identity.recognise(self._redis, self._keys, ledger)
        self._room.before()
        report = Ingest(self._redis, self._keys.namespace, ledger, owner=self._owner).drain(seconds)
        self._room.after()
        if report.records and time.monotonic() >= self._count_at:
            identity.count(self._redis, self._keys, ledger)
            self._count_at = time.monotonic() + identity.COUNT_EVERY_SECONDS
        return report

    def _forget(self, ledger: Ledger, seconds: float) -> None:
        if self._keep is None or time.monotonic() < self._forget_at:
            return
        now = self._redis.time()[0]
        before = round((now - self._keep) * 1000)
        if retention.has_old(ledger, before):
            gone, done = retention.forget(ledger, before, seconds)
            tell(LEDGER_FORGOT, tries=gone)
            if not done:
                return
        self._forget_at = time.monotonic() + FORGET_EVERY_SECONDS
