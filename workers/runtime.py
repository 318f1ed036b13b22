"""What one process needs to route and deliver: its Redis, the applied configuration, and connectors when asked for.

Plain code: tasks use it, `segsync drain` uses it, a REPL can.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from workers.bookkeeping import Bookkeeping
from workers.delivery.compaction import Compactor
from workers.delivery.deliverer import Deliverer
from workers.delivery.leases import Heartbeat
from workers.delivery.orderings import OrderingNotes, Orderings
from workers.delivery.turn import Lacking, NothingDue
from workers.errors import Stale
from workers.lanes import Lanes
from workers.lanes.answers import number_of
from workers.lanes.clock import redis_ms
from workers.lanes.keys import Keys
from workers.lanes.lease import UPKEEP, Leases
from workers.lanes.runs import ResyncRuns
from workers.lanes.seen import looked
from workers.ledger import identity
from workers.ledger.database import Ledger
from workers.ledger.errors import LedgerError
from workers.log import REVISION_FOLLOWED, ROUTING_LOST, tell
from workers.resync.doors import read
from workers.routing.router import Router, RoutingLost
from workers.routing.routes import Routes
from workers.settings import lacking, revision
from workers.targets import Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from redis import Redis

    from workers.delivery.turn import Result
    from workers.lanes.messages import Tick
    from workers.ledger.ingest import IngestReport
    from workers.settings import LocalSettings
    from workers.settings.revision import Applied

T = TypeVar("T")

FOLLOW_AT_MOST = 5
"""Revisions that may be applied while one call is at work."""


class Runtime:
    """One process's view of an installation; begins anew in a forked child.

    Raises redis.RedisError where Redis is out of reach and NothingApplied while no configuration is applied.
    """

    def __init__(self, local: LocalSettings, environ: Mapping[str, str] = os.environ) -> None:
        self.local = local
        self.keys = Keys(local.namespace)
        self._environ = environ
        self._pid = os.getpid()
        self._reset()

    def _reset(self) -> None:
        # Unique per process start: a lease must never be mistaken for one of an earlier process (rule 12).
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(6)}"
        self._unheard = ""  # the name of a tick; whoever sends it takes it, so that no two threads tell of one wake-up
        self._applied: Applied | None = None
        self._lanes: Lanes | None = None
        self._router: Router | None = None
        self._compactor: Compactor | None = None
        self._targets: Targets | None = None
        self._deliverers: dict[str, Deliverer] = {}
        self._orderings: dict[str, Orderings] = {}
        self._ledger: Ledger | None = None
        self._books: Bookkeeping | None = None
        self._heartbeat = Heartbeat(lambda: self.lanes)
        self.leases = Leases(lambda: self.lanes)

    def after_fork(self) -> None:
        """In a forked child, before anything else: nothing of the parent's is used."""
        if os.getpid() != self._pid:
            self._pid = os.getpid()
            self._reset()
            self.__dict__.pop("redis", None)

    @cached_property
    def redis(self) -> Redis:
        """This process's client."""
        return self.local.redis.client()

    @property
    def applied(self) -> Applied:
        """The configuration this process works by."""
        if self._applied is None:
            self._applied = revision.read(self.redis, self.keys, self.local)
        return self._applied

    def is_behind(self) -> bool:
        """Whether another configuration is applied than the one that was read. redis.RedisError."""
        if self._applied is None:
            return False  # it is read when it is asked for
        return number_of(self.redis.hget(self.keys.config, "revision")) != self._applied.revision

    def follow(self) -> None:
        """Reads the applied configuration again; everything is built anew from it when it is needed."""
        fresh = revision.read(self.redis, self.keys, self.local)
        if self._applied is not None and fresh.name == self._applied.name:
            return
        tell(REVISION_FOLLOWED, revision=fresh.revision)
        if self._targets is not None:
            self._targets.dispose()
        self._targets, self._deliverers, self._orderings = None, {}, {}
        # Before what is made from it: another thread may ask for that in between (the heartbeat does).
        self._applied = fresh
        self._lanes, self._router, self._ledger, self._books, self._compactor = None, None, None, None, None

    @property
    def lanes(self) -> Lanes:
        """The scripts, called with this process's owner id and revision."""
        if self._lanes is None:
            applied = self.applied
            self._lanes = Lanes(self.redis, self.keys.namespace, applied.revision, self.owner, applied.installation)
        return self._lanes

    @property
    def ledger(self) -> Ledger:
        """The ledger, its schema brought up to date."""
        if self._ledger is None:
            # Read anew: its password may have changed with the file that it stands in.
            fresh = revision.read(self.redis, self.keys, self.local)
            if self._applied is None:
                self._applied = fresh  # whoever asks for the ledger alone learns by it, too, that it is behind
            ledger = Ledger(fresh.settings.ledger_url)
            identity.ready(self.redis, self.keys, ledger)
            self._ledger = ledger
        return self._ledger

    def route(self, token: str, seconds: float) -> int:
        """One routing turn; returns the events moved."""
        try:
            return self._following(lambda: self._routes().turn(token, seconds))
        except RoutingLost:
            tell(ROUTING_LOST)
            return 0

    def _routes(self) -> Router:
        if self._router is None:
            settings = self.applied.settings
            routes = Routes(settings.integrations, settings.default_database)
            self._router = Router(self.lanes, routes, self.leases)
        return self._router

    def deliver(self, connector: str, token: str, seconds: float) -> Result:
        """One deliverer's work for a connector; NothingDue for one that is not configured (any more)."""
        return self._following(lambda: self._deliver(connector, token, seconds))

    def _deliver(self, connector: str, token: str, seconds: float) -> Result:
        settings = self.applied.settings.connectors.get(connector)
        if settings is None:
            self.lanes.give_back(f"deliver.{connector}", token)
            return NothingDue(0)
        if connector not in self.targets and (missing := lacking.reason(settings, self._environ)):
            return Lacking(connector, missing)
        result = self._deliverer(connector).work(token, seconds)
        self.targets.tend(connector, seconds)
        return result

    def _deliverer(self, key: str) -> Deliverer:
        if key not in self._deliverers:
            applied = self.applied
            settings = applied.settings.connectors[key]
            self._deliverers[key] = Deliverer(
                key,
                lambda: self.targets.get(key).open(),
                lambda: self.targets.get(key).probe(),
                self._orderings_of(key),
                applied.settings.integrations,
                self.lanes,
                self._heartbeat,
                parallelism=settings.parallelism,
                patience=settings.statement_timeout,
                lock_prefix=f"{applied.installation}",
                overlapping=settings.pace_ms is None,
            )
        return self._deliverers[key]

    def _orderings_of(self, connector: str) -> Orderings:
        if connector not in self._orderings:
            self._orderings[connector] = Orderings(
                lambda insert, fields: self.targets.get(connector).names_rows_by_key(insert, fields),
                OrderingNotes(self.redis, self.keys),
                self.applied.settings.connectors[connector].statement_timeout,
            )
        return self._orderings[connector]

    @property
    def targets(self) -> Targets:
        """The connectors, made when they are first needed."""
        if self._targets is None:
            self._targets = Targets(self.applied.settings.connectors, self.lanes, self._environ)
        return self._targets

    def upkeep(self, token: str, seconds: float, *, rest: float, rest_of_ledger: float) -> None:
        """A slice of what is done beside delivery, by one process at a time: due times, compaction, the ledger.

        rest            seconds until there may be the next slice, if all is done
        rest_of_ledger  the same if the ledger is away

        Each of the three may take `seconds`. Raises LedgerError.
        """
        self._following(lambda: self._upkeep(token, seconds, rest, rest_of_ledger))

    def _upkeep(self, token: str, seconds: float, rest: float, rest_of_ledger: float) -> None:
        with self.leases.hold(UPKEEP, token) as held:
            if held is None:
                return
            revision.renew_windows(self.redis, self.keys, self.applied)
            self.rescore(seconds)
            self.compact(seconds)
            try:
                report = self._ingest(seconds)
                if report.empty or report.busy:
                    held.rest(rest, "another writes outcomes" if report.busy else "all is done")
            except LedgerError as error:
                held.rest(rest_of_ledger, str(error))
                raise

    def drain_outcomes(self, seconds: float) -> int:
        """Moves outcomes into the ledger; returns the records written. Raises LedgerError."""
        return self._ingest(seconds).written

    def _ingest(self, seconds: float) -> IngestReport:
        if self._books is None:
            applied = self.applied
            keep = applied.settings.ledger_keep
            self._books = Bookkeeping(self.redis, self.keys, applied.installation, self.owner, keep)
        try:
            return self._books.write(lambda: self.ledger, seconds)
        except LedgerError:
            self._ledger = None
            raise

    def resync(self, token: str, seconds: float) -> None:
        """What is due of resyncs, for about so long; a source and a target are read to their ends all the same."""
        self._following(lambda: read(self.lanes, self.leases, self.applied.settings, self._environ, token, seconds))

    def rescore(self, seconds: float) -> None:
        """Puts due times right after the clock or the settings have changed, for so long."""
        self._following(lambda: ResyncRuns(self.lanes).put_right(redis_ms(self.redis)))
        ends = time.monotonic() + seconds
        while self._rescored() and time.monotonic() < ends:
            pass

    def _rescored(self) -> bool:
        return self._following(lambda: self.lanes.rescore())  # noqa: PLW0108 - by the revision that is followed then

    def compact(self, seconds: float) -> int:
        """Compacts lanes that have waited for long; returns the operations that were merged."""
        return self._following(lambda: self._compacting().run(seconds))

    def _compacting(self) -> Compactor:
        if self._compactor is None:
            integrations = self.applied.settings.integrations
            self._compactor = Compactor(
                self.lanes, integrations, lambda each: self._orderings_of(each.connector).remembered(each)
            )
        return self._compactor

    def looked(self, who: str) -> None:
        """Says that the wake-ups of a tick are sent. redis.RedisError."""
        looked(self.redis, self.keys, who)

    def lacks(self, connectors: Iterable[str]) -> dict[str, str]:
        """Why this process cannot serve each of these connectors, for want of a secret; "" where it can."""
        settings = self.applied.settings.connectors
        return {key: lacking.reason(settings[key], self._environ) for key in connectors if key in settings}

    def tick(self, who: str) -> Tick:
        """What must be woken now. One whose answer was lost is sent again by its name, and so are its wake-ups."""
        prefix, self._unheard = self._unheard or f"{self.owner}:{secrets.token_hex(4)}:", ""
        try:
            return self._following(lambda: self.lanes.tick(prefix, who))
        except Exception:
            self._unheard = prefix
            raise

    def _following(self, work: Callable[[], T]) -> T:
        """Does it by the applied revision; one that changes again and again while it is read is waited for."""
        for _ in range(FOLLOW_AT_MOST):
            try:
                return work()
            except Stale:
                self.follow()
        return work()
