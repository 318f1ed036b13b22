"""A target that only remembers: for tests of what stands above connectors, and for dry runs.

It delivers as a database does (transactions, the lane's lock and its eviction, misuse) but executes nothing: what a
statement does is said by `respond`.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workers.connectors.sql import delivery
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from workers.connectors.contract import Fence, Receipt, Shipment
    from workers.templates.row_naming import Insert

SessionStep = Literal["open", "begin", "execute", "commit", "rollback"]


def no_rows(statement: str) -> int:  # noqa: ARG001 - it is what a response looks like
    """The usual response: every statement is fine and affects nothing."""
    return 0


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one committed transaction executed, under which lock."""

    lock: str | None
    statements: tuple[str, ...]


class MemoryConnector:
    """`contract.Connector` without a target.

    dialect   whose statements it takes part for
    respond   gives the affected rows of a statement, or raises TargetError for it

    committed  the transactions, in the order of their commits
    positions  how far each lane is
    calls      the names of all steps taken, in order, as in ["open", "begin", "execute", "commit"]
    """

    def __init__(self, key: str = "memory", dialect: str = "sqlite", respond: Callable[[str], int] = no_rows) -> None:
        self.key = key
        self.dialect = dialect
        self.respond = respond
        self.committed: list[Transaction] = []
        self.calls: list[str] = []
        self.positions: dict[str, str] = {}
        self._failures: dict[str, deque[TargetError]] = {}
        self._locks: dict[str, MemorySession] = {}
        self._changed = threading.Condition()

    def fail(self, step: SessionStep, *errors: TargetError) -> None:
        """The next times that `step` is taken it raises these, one after the other; a failed step does nothing."""
        self._failures.setdefault(step, deque()).extend(errors)

    def open(self) -> MemorySession:
        """As `contract.Connector.open`."""
        self._reach(Phase.CONNECT)
        return MemorySession(self)

    def probe(self) -> None:
        """As `contract.Connector.probe`; fails as `open` would."""
        self._reach(Phase.PROBE)

    def names_rows_by_key(self, insert: Insert, key: Sequence[str]) -> bool:  # noqa: ARG002 - the contract's
        """Never: there are no tables to look at."""
        return False

    def dispose(self) -> None:
        """Nothing is pooled."""

    def _reach(self, phase: Phase) -> None:
        try:
            self.step("open")
        except TargetError as error:
            error.phase = phase
            raise

    def step(self, name: SessionStep) -> None:
        """Notes a step, and raises what was arranged for it."""
        self.calls.append(name)
        failures = self._failures.get(name)
        if failures:
            raise failures.popleft()

    def lock(self, name: str, session: MemorySession, patience: float) -> None:
        """Gives `session` the lock; who still holds it after `patience` seconds is ended."""
        with self._changed:
            free = self._changed.wait_for(lambda: self._locks.get(name, session) is session, patience)
            if not free:
                self._locks[name].ended = True
            self._locks[name] = session

    def unlock(self, session: MemorySession) -> None:
        """Takes back whatever `session` holds."""
        with self._changed:
            self._locks = {name: holder for name, holder in self._locks.items() if holder is not session}
            self._changed.notify_all()


class MemorySession:
    """`contract.Session` without a target."""

    takes_several = False

    def __init__(self, connector: MemoryConnector) -> None:
        self._connector = connector
        self._statements: list[str] = []
        self._moves: dict[str, str] = {}
        self._open = False
        self._lock: str | None = None
        self._closed = False
        self.ended = False

    def deliver(self, shipment: Shipment, fence: Fence) -> Receipt:
        """As `contract.Session.deliver`; asks for what comes next, as whoever waits for a target does."""
        if shipment.upcoming is not None:
            shipment.upcoming()
        return delivery.deliver(self, shipment, fence)

    def deliver_together(self, shipments: Sequence[Shipment], fence: Fence) -> list[Receipt]:  # noqa: ARG002
        """As `contract.Session.deliver_together`, which nobody asks of it."""
        raise TargetError(ErrorClass.UNKNOWN, "memory session", "it takes the lanes one by one")

    def begin_together(self, locks: list[str]) -> None:
        """As `sql.connector.PooledSession.begin_together`, which nobody asks of it."""
        raise TargetError(ErrorClass.UNKNOWN, "memory session", f"it takes no {len(locks)} locks")

    def begin(self, lock: str | None, patience: float) -> None:
        """As `sql.connector.PooledSession.begin`."""
        self._take("begin", inside=False)
        if lock != self._lock:
            self._connector.unlock(self)
        if lock is not None:
            self._connector.lock(lock, self, patience)
        self._lock, self._open = lock, True

    def identify(self, batch: str) -> None:
        """As `sql.connector.PooledSession.identify`: nothing here knows a repetition again."""

    def try_out(self, statement: str) -> int:
        """As `sql.connector.PooledSession.try_out`."""
        return self.execute(statement)

    def execute(self, statement: str) -> int:
        """As `sql.connector.PooledSession.execute`."""
        self._take("execute", inside=True)
        if not statement or statement.isspace():
            raise TargetError(
                ErrorClass.HOLD, "memory surprise", "the query came out empty", level=HoldLevel.INTEGRATION
            )
        rows = self._connector.respond(statement)
        self._statements.append(statement)
        return rows

    def position(self, lane: str, integration: str) -> str:  # noqa: ARG002 - a session's
        """As `sql.connector.PooledSession.position`."""
        self._take("execute", inside=True)
        return self._connector.positions.get(lane, "")

    def move_position(self, lane: str, to: str) -> None:
        """As `sql.connector.PooledSession.move_position`."""
        self._take("execute", inside=True)
        self._moves[lane] = to

    def check_deferred(self) -> bool:
        """As `sql.connector.PooledSession.check_deferred`."""
        return False

    def commit(self) -> None:
        """As `sql.connector.PooledSession.commit`."""
        self._take("commit", inside=True)
        self._connector.committed.append(Transaction(self._lock, tuple(self._statements)))
        self._connector.positions.update(self._moves)
        self._end()

    def rollback(self) -> None:
        """As `sql.connector.PooledSession.rollback`."""
        self._take("rollback", inside=True)
        self._end()

    def close(self) -> None:
        """As `contract.Session.close`."""
        self.discard()

    def discard(self) -> None:
        """As `contract.Session.discard`."""
        self._closed = True
        self._connector.unlock(self)

    def _end(self) -> None:
        self._open, self._lock, self._statements, self._moves = False, None, [], {}
        self._connector.unlock(self)

    def _take(self, step: SessionStep, *, inside: bool) -> None:
        if self._closed:
            raise TargetError(ErrorClass.UNKNOWN, "memory session", "the session was closed before")
        if inside != self._open:
            found = "no transaction is open" if inside else "a transaction is open already"
            raise TargetError(ErrorClass.UNKNOWN, "memory session", found)
        if self.ended:
            raise TargetError(ErrorClass.RETRY, "memory ended", "the session was ended by this lane's next deliverer")
        self._connector.step(step)
