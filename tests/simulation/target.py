"""A scripted target: transactions, session locks with eviction, positions, refusals by profile, and what befalls calls.

Statements are those of `plans.py`'s queries; what they do is a table of rows (segment, key) -> operation, and a journal
of everything that was ever committed.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from tests.simulation.baton import Died
from workers.connectors.sql import delivery
from workers.errors import ErrorClass, HoldLevel, Matter, Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.simulation.world import World
    from workers.connectors.contract import Fence, Receipt, Shipment

_STATEMENT = re.compile(r"(?P<verb>ADD|REMOVE|CLEAR|NAME|END)_OF_(?P<table>\w+)")
_ROW = re.compile(r"\(([^()]*)\)")
_TIME = re.compile(r"20\d\d-\d\d-\d\d")
STATEMENT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Applied:
    """One operation of a committed transaction.

    kind  ADD, REMOVE, CLEAR, NAME or END
    what  the operation's own name
    """

    at: float
    integration: str
    segment: str
    kind: str
    key: str
    what: str
    transaction: int


@dataclass(slots=True)
class SimulatedTarget:
    """One database.

    refuses   operations that it refuses, each by name
    endless   operations that take longer than any time-out
    away, wrong_password, missing   it cannot be reached; refuses logins; lacks the integrations' table
    """

    world: World
    key: str
    rows: dict[tuple[str, str, str], str] = field(default_factory=dict)
    journal: list[Applied] = field(default_factory=list)
    positions: dict[str, str] = field(default_factory=dict)
    locks: dict[str, SimulatedSession] = field(default_factory=dict)
    refuses: set[str] = field(default_factory=set)
    endless: set[str] = field(default_factory=set)
    refused_logins: list[float] = field(default_factory=list)
    connected: list[float] = field(default_factory=list)
    away: bool = False
    wrong_password: bool = False
    missing: bool = False
    transactions: Iterator[int] = field(default_factory=count)

    def unlock(self, session: SimulatedSession) -> None:
        """Takes back what the session holds, and undoes what it has not committed."""
        for name in [name for name, holder in self.locks.items() if holder is session]:
            del self.locks[name]
        session.undo()


class SimulatedConnector:
    """`contract.Connector` for one simulated process."""

    dialect = "sqlite"

    def __init__(self, target: SimulatedTarget) -> None:
        self.key = target.key
        self._target = target
        self._idle: list[SimulatedSession] = []

    def open(self) -> SimulatedSession:
        """A session that is left from before, which logs in no more, or a new one."""
        while self._idle:
            session = self._idle.pop()
            if session.is_usable:
                return session
        self._connect(Phase.CONNECT)
        return SimulatedSession(self._target, self._idle)

    def probe(self) -> None:
        self._connect(Phase.PROBE)

    def dispose(self) -> None:
        for session in self._idle:
            session.discard()
        self._idle.clear()

    def _connect(self, phase: Phase) -> None:
        target = self._target
        fate = target.world.target_fate(f"{target.key}.open")
        if target.away or fate == "refused":
            away = "the target is out of reach"
            raise TargetError(ErrorClass.RETRY, "sim away", away, level=HoldLevel.CONNECTOR, phase=phase)
        if target.wrong_password:
            target.refused_logins.append(target.world.baton.now)
            wrong = "the password is wrong"
            raise TargetError(ErrorClass.HOLD, "sim password", wrong, level=HoldLevel.CONNECTOR, phase=phase)
        target.connected.append(target.world.baton.now)


class SimulatedSession:
    """`contract.Session`, by the same steps as a database's; what it has executed takes effect with COMMIT."""

    def __init__(self, target: SimulatedTarget, idle: list[SimulatedSession]) -> None:
        self._target = target
        self._pool = idle
        self._world = target.world
        self._pending: list[Applied] = []
        self._moves: dict[str, str] = {}
        self._tries: set[str] = set()
        self._lock: str | None = None
        self._open = False
        self._ended = ""
        self._meanwhile: Callable[[], object] | None = None

    def deliver(self, shipment: Shipment, fence: Fence) -> Receipt:
        self._meanwhile = shipment.upcoming
        return delivery.deliver(self, shipment, fence)

    takes_several = True

    def deliver_together(self, shipments: Sequence[Shipment], fence: Fence) -> list[Receipt]:
        return delivery.deliver_together(self, shipments, fence)

    def begin_together(self, locks: list[str]) -> None:
        self._call("begin", inside=False)
        held = self._target.locks
        self._target.unlock(self)
        self._lock, self._open = None, True
        if any(lock in held for lock in locks):
            raise TargetError(ErrorClass.RETRY, "sim lock", "another session holds the lock of one of the lanes")
        held.update(dict.fromkeys(locks, self))

    def begin(self, lock: str | None, patience: float) -> None:
        self._call("begin", inside=False)
        locks = self._target.locks
        if lock != self._lock:
            self._target.unlock(self)
        if lock is not None and locks.get(lock, self) is not self:
            self._world.baton.wait(lambda: locks.get(lock, self) is self, patience)
            if locks.get(lock, self) is not self:
                locks[lock].end("the session was ended by this lane's next deliverer")
        if self._ended:
            raise self._lost()
        if lock is not None:
            locks[lock] = self
        self._lock, self._open = lock, True

    def identify(self, batch: str) -> None:
        pass

    def try_out(self, statement: str) -> int:
        return self.execute(statement)

    def execute(self, statement: str) -> int:
        done = self._read(statement)
        meanwhile, self._meanwhile = self._meanwhile, None
        if meanwhile is not None:
            with suppress(Exception):  # as a database's session does
                meanwhile()
        self._call("execute", inside=True)
        for each in done:
            if each.what in self._target.endless:
                self._world.baton.sleep(STATEMENT_SECONDS)
                self._target.unlock(self)
                raise TargetError(ErrorClass.AMBIGUOUS, "sim timeout", "the statement took too long")
        if self._target.missing:
            raise TargetError(ErrorClass.HOLD, "sim missing", "there is no such table", level=HoldLevel.INTEGRATION)
        self._tries |= {each.what for each in done}
        if any(each.what in self._target.refuses for each in done):
            raise TargetError(ErrorClass.ISOLATE, "sim refused", "a value does not fit")
        self._pending += done
        return len(done)

    def position(self, lane: str, integration: str) -> str:  # noqa: ARG002 - the contract's
        self._call("position", inside=True)
        return self._target.positions.get(lane, "")

    def move_position(self, lane: str, to: str) -> None:
        self._call("move", inside=True)
        self._moves[lane] = to

    def check_deferred(self) -> bool:
        return False

    def commit(self) -> None:
        fate = self._call("commit", inside=True)
        if fate == "commit cut":
            self.end("the link was lost")
            raise TargetError(ErrorClass.AMBIGUOUS, "sim cut", "the link was lost at COMMIT")
        self._apply()
        if fate == "commit unanswered":
            self.end("the link was lost")
            raise TargetError(ErrorClass.AMBIGUOUS, "sim unanswered", "the link was lost at COMMIT")
        if fate:
            self._world.after(fate)

    def rollback(self) -> None:
        self._call("rollback", inside=True)
        self.undo()

    def release_lock(self) -> None:
        self._target.unlock(self)
        self._lock = None

    @property
    def is_usable(self) -> bool:
        """Whether the server still has it."""
        return not self._ended and not self._target.away

    def close(self) -> None:
        self.release_lock()
        if not self._ended:
            self._pool.append(self)

    def discard(self) -> None:
        self._target.unlock(self)
        self._ended = self._ended or "the session was closed"

    def end(self, why: str) -> None:
        """The server ends the session."""
        self._ended = why
        self._target.unlock(self)

    def undo(self) -> None:
        """What was executed is undone."""
        self._pending, self._moves, self._open = [], {}, False

    def _apply(self) -> None:
        target = self._target
        transaction = next(target.transactions)
        for each in self._pending:
            target.journal.append(replace(each, at=self._world.baton.now, transaction=transaction))
            place = (each.integration, each.segment, each.key)
            if each.kind in ("ADD", "NAME"):
                target.rows[place] = each.what
            elif each.kind in ("REMOVE", "END"):
                target.rows.pop(place, None)
            else:
                gone = [row for row in target.rows if row[:2] == place[:2] and row[2] != ""]
                for row in gone:
                    del target.rows[row]
        target.positions.update(self._moves)
        self.undo()
        if self._lock is None:  # of several lanes: they end with the transaction
            self._target.unlock(self)

    def _call(self, what: str, *, inside: bool) -> str:
        """A step; what still befalls it afterwards."""
        try:
            fate = self._world.target_fate(f"{self._target.key}.{what}")
        except Died:
            self._target.unlock(self)
            raise
        if self._ended:
            raise self._lost()
        if self._open is not inside:
            raise TargetError(ErrorClass.UNKNOWN, "sim misuse", f"{what} with a transaction open: {self._open}")
        if self._target.away or fate == "cut":
            self.end("the link was lost")
            raise TargetError(ErrorClass.AMBIGUOUS, "sim cut", "the link was lost")
        if fate == "deadlock":
            self.undo()
            raise TargetError(ErrorClass.RETRY, "sim deadlock", "a deadlock", matter=Matter.CONFLICT)
        if what == "commit":
            return fate
        if fate in ("stalled after", "dies after"):
            self._world.after(fate)
        return ""

    def _lost(self) -> TargetError:
        return TargetError(ErrorClass.RETRY, "sim ended", self._ended)

    def _read(self, statement: str) -> list[Applied]:
        found = _STATEMENT.search(statement)
        assert found is not None, statement
        table, kind = found["table"], found["verb"]
        rows = [[part.strip().strip("'") for part in row.split(",")] for row in _ROW.findall(statement[found.end() :])]
        return [Applied(0.0, table, segment, kind, key, _named(what), 0) for segment, key, what in rows]


def _named(what: str) -> str:
    """Segment events are named by their time, as the event has it."""
    return f"{what[:10]}T{what[11:19]}Z" if _TIME.match(what) else what
