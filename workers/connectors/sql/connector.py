"""A connector over any database: pooled links, and the sessions that deliverers hold.

SQLAlchemy's QueuePool keeps the links (they are what it calls a DBAPI connection). It takes no part in
transactions: what is begun, asserted and rolled back is written down here and in the vendors' modules.
"""

from __future__ import annotations

import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import event
from sqlalchemy.pool import QueuePool

from workers.connectors.sql import delivery, positions, unique_keys
from workers.connectors.sql.ahead import Ahead
from workers.connectors.sql.forks import tell_of_forks
from workers.connectors.sql.link import Link, calls, surprise
from workers.errors import ErrorClass, Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy.pool import PoolProxiedConnection

    from workers.connectors.contract import Fence, Receipt, Shipment, Target
    from workers.connectors.inspection import Examined
    from workers.templates.row_naming import Insert

KEPT = 8
"""Idle links kept per process and connector; more are made when they are needed, and closed afterwards."""


class SqlConnector:
    """`contract.Connector` over links.

    connect  gives a new link, set up and asserted; raises only TargetError
    examine  gives a session that the target can be asked about in, likewise
    """

    def __init__(self, target: Target, connect: Callable[[], Link], examine: Callable[[], Examined]) -> None:
        self.key = target.key
        self.dialect = target.dialect
        self._connect = connect
        self._examine = examine
        self._live: weakref.WeakSet[Link] = weakref.WeakSet()
        self._of_parents: list[object] = []
        self._pool = QueuePool(
            cast("Callable[[], Any]", self._new),
            pool_size=KEPT,
            max_overflow=-1,
            use_lifo=True,
            # A session that was not committed is discarded, never reset and reused.
            reset_on_return=None,
        )
        event.listen(self._pool, "checkin", _close_unclean)
        tell_of_forks(self)

    def open(self) -> PooledSession:
        """As `contract.Connector.open`."""
        return PooledSession(self)

    def probe(self) -> None:
        """As `contract.Connector.probe`: by a new link, since a pooled one proves nothing of the password."""
        try:
            self._connect().close()
        except TargetError as error:
            error.phase = Phase.PROBE
            raise

    def names_rows_by_key(self, insert: Insert, key: Sequence[str]) -> bool:
        """As `contract.Connector.names_rows_by_key`."""
        session = self._examine()
        try:
            return unique_keys.names_rows_by_key(session, insert, key)
        finally:
            session.close()

    def dispose(self) -> None:
        """As `contract.Connector.dispose`."""
        self._pool.dispose()

    def take(self) -> PoolProxiedConnection:
        """A link from the pool, or a new one; TargetError where there is none to be had."""
        while True:
            held = self._pool.connect()
            if not link_of(held).stale():
                return held
            held.invalidate()

    def forked(self) -> None:
        """In a forked child: an empty pool; the parent's links stay what they are, the parent's."""
        for link in list(self._live):
            link.abandon()
        # Kept for ever: what is collected would say goodbye to the server in the parent's name.
        self._of_parents += [self._pool, *self._live]
        self._live = weakref.WeakSet()
        self._pool = self._pool.recreate()

    def _new(self) -> Link:
        try:
            link = self._connect()
        except TargetError as error:
            error.phase = Phase.CONNECT
            raise
        self._live.add(link)
        return link


def _close_unclean(link: Link | None, _: object) -> None:
    # A session that nobody closed was collected in mid-transaction: its locks must not wait for the link's next use.
    if link is not None and not link.clean:
        link.close()


def link_of(held: PoolProxiedConnection) -> Link:
    """The link that the pool hands out."""
    return cast("Link", held.dbapi_connection)


class PooledSession:
    """`contract.Session` over a pooled link, and what it is made of: statements in transactions.

    session.begin(lock, patience)                  # transaction open, lane's lock held
    rows = session.execute(statement)              # as often as there are statements
    session.commit()                               # its own round trip (rule 18)
    """

    __slots__ = ("_ahead", "_connector", "_held", "_link")

    def __init__(self, connector: SqlConnector) -> None:
        self._connector = connector
        self._held: PoolProxiedConnection | None = None
        self._ahead = Ahead()
        self._take()

    def deliver(self, shipment: Shipment, fence: Fence) -> Receipt:
        """As `contract.Session.deliver`; renders what comes next while the database executes this."""
        return delivery.deliver(self, shipment, fence, self._ahead.begin(shipment))

    @property
    def takes_several(self) -> bool:
        """As `contract.Session.takes_several`."""
        return self._link.takes_several

    def deliver_together(self, shipments: Sequence[Shipment], fence: Fence) -> list[Receipt]:
        """As `contract.Session.deliver_together`."""
        return delivery.deliver_together(self, shipments, fence)

    def begin(self, lock: str | None, patience: float) -> None:
        """Opens a transaction at READ COMMITTED and holds the session lock named `lock`.

        lock      any text, hashed by the link to what its vendor allows; None takes no lock.
                  Once taken it may stay held until `close` or `discard`, or end with the
                  transaction: the next `begin` with the same name makes sure that it is held.
        patience  seconds to wait for it; then the session that holds it is ended (rule 19)

        A link that turns out dead is replaced once: nothing was sent on it yet.
        """
        self._begin(lambda: self._link.begin(lock, patience))

    def begin_together(self, locks: list[str]) -> None:
        """As `delivery.Transactions.begin_together`, and as `begin` with a dead link."""
        self._begin(lambda: self._link.begin_together(locks))

    def identify(self, batch: str) -> None:
        """As `delivery.Transactions.identify`."""
        self._link.identify(batch)

    def execute(self, statement: str) -> int:
        """Runs one statement as it stands (no parameters) and returns the affected rows; -1 is never returned.

        Checks the driver's own report afterwards: a statement that ended the transaction or changed what
        escaping relies on raises HOLD (rule 21). Errors here may be the data's fault (ISOLATE).
        """
        self._link.sent = self._ahead.work()
        return self._run(statement, self._link.execute)

    def try_out(self, statement: str) -> int:
        """As `delivery.Transactions.try_out`; what is raised is what `execute` would raise."""
        return self._run(statement, self._link.try_out)

    def position(self, lane: str, integration: str) -> str:
        """The sequence up to which this lane is in the target, '' if none, its row locked until the transaction ends.

        For `exactly_once`, the first thing in a transaction (rule 22). Makes the row where there is none.
        The table `segsync_position` is the user's to make: without it this raises HOLD for the INTEGRATION.

        lane  any text that names the lane; kept as a hash
        """
        self._expect(clean=False)
        dialect = self._connector.dialect
        with self._judging(Phase.EXECUTE):
            return self._link.value(positions.make(dialect, lane, integration), positions.read(dialect, lane))

    def move_position(self, lane: str, to: str) -> None:
        """Writes the sequence that the lane will have reached when this transaction is committed."""
        self.execute(positions.move(lane, to))

    def check_deferred(self) -> bool:
        """Checks now what would be checked at COMMIT; False where the vendor has no word for that."""
        self._expect(clean=False)
        with self._judging(Phase.EXECUTE):
            return self._link.check_deferred()

    def commit(self) -> None:
        """Sends COMMIT and waits for the answer. A lost answer is AMBIGUOUS."""
        self._expect(clean=False)
        with self._judging(Phase.COMMIT):
            self._link.commit()
        self._link.clean = True
        self._link.used = True

    def rollback(self) -> None:
        """Sends ROLLBACK; the session stays usable."""
        self._expect(clean=False)
        with self._judging(Phase.LOCK):
            self._link.rollback()
        self._link.clean = True

    def close(self) -> None:
        """As `contract.Session.close`; a session that is still in a transaction is discarded, or a tainted one."""
        if self._held is None:
            return
        if not self._link.clean or self._link.tainted:
            self.discard()
            return
        try:
            self._link.release()
        except Exception:  # noqa: BLE001 - whatever it was, the link is of no further use
            self.discard()
            return
        self._link.rest()
        self._held.close()
        self._held = None

    def discard(self) -> None:
        """As `contract.Session.discard`."""
        if self._held is not None:
            self._held.invalidate()
            self._held = None

    def _take(self) -> None:
        self._held = self._connector.take()
        self._link = link_of(self._held)

    def _run(self, statement: str, run: Callable[[str], int]) -> int:
        self._expect(clean=False)
        if not statement or statement.isspace():
            raise surprise(self._connector.dialect, "the query came out empty")
        self._link.tainted |= calls(statement)
        try:
            with self._judging(Phase.EXECUTE):
                return run(statement)
        except TargetError:
            self._link.tainted = True
            raise

    def _begin(self, begin: Callable[[], None]) -> None:
        self._expect(clean=True)
        if self._link.tainted:
            self.discard()
            self._take()
        try:
            self._begin_once(begin)
        except TargetError:
            if not (self._link.lost and self._link.used):
                raise
            self.discard()
            self._take()
            self._begin_once(begin)

    def _begin_once(self, begin: Callable[[], None]) -> None:
        self._link.clean = False
        with self._judging(Phase.LOCK):
            begin()

    def _expect(self, *, clean: bool) -> None:
        if self._held is None:
            raise self._misused("the session was closed before")
        if self._link.clean != clean:
            raise self._misused("no transaction is open" if self._link.clean else "a transaction is open already")

    def _misused(self, what: str) -> TargetError:
        return TargetError(ErrorClass.UNKNOWN, f"{self._connector.dialect} session", what)

    @contextmanager
    def _judging(self, phase: Phase) -> Iterator[None]:
        try:
            yield
        except (TargetError, MemoryError):
            raise  # our own lack of memory says nothing of the target
        except Exception as error:  # noqa: BLE001 - drivers raise more than their own errors; callers know only ours
            # Not "from error": a traceback would print the vendor's text, and that can hold people's data.
            raise self._link.judge(error, phase) from None
