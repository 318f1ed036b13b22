"""`segsync preview --try`: statements run on the integration's own connector, and always rolled back.

Each batch has a transaction of its own, begun and set up as a delivery's is, and never committed. What differs:

- The lane's session lock is not taken. A deliverer ends the session of whoever holds that lock for too long, and so
  would this try with a deliverer's: neither shall happen. Two transactions that meet are kept apart by the rows they
  touch: those that a try has touched are locked until its rollback, which follows its last statement at once, and a
  delivery that waits for one longer than its database allows is tried again by itself.
- A lock of the try's own, under a name that nobody else has, marks its session instead. When Ctrl-C breaks into a
  statement, the server would go on with it long after the link is gone; whoever asks for that lock next ends the
  session that holds it (rule 19), and with it the transaction.
- `exactly_once` keeps no position: nothing is delivered.
- Where a procedure may commit and begin another transaction (MySQL), a savepoint tells afterwards whether it is still
  the one that was begun: nothing else would.
"""

from __future__ import annotations

import logging
import re
import secrets
import signal
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workers.connectors import connect
from workers.connectors.sql.vendors import VENDORS, vendor_of
from workers.errors import ErrorClass, SegsyncError, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import FrameType

    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import PooledSession, SqlConnector

SAVEPOINT = "segsync_try"
SURPRISE = "surprise"
"""What the codes of statements end in that did what none may do (rule 21)."""
_CALL = re.compile(r"\bcall\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Ran:
    """A statement that ran; rows as the driver counts them."""

    rows: int


@dataclass(slots=True)
class TriedQuery:
    """One query of a batch, and what became of its statements.

    tried  for each statement, in order: what it did, or why it failed. Shorter than `statements` where the
           transaction ended before, and empty where nothing was tried
    """

    event_type: str
    profiles: int
    statements: list[str]
    tried: list[Ran | TargetError] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What a try came to.

    failed       a statement failed
    committed    a statement ended the transaction by itself: what ran until then may be in the target for good
    interrupted  Ctrl-C, or SIGTERM
    unreachable  why there was no session or no transaction, and nothing more was tried
    loose        the interrupted session could not be ended: its server rolls back when the statement is over
    unsure       interrupted in a batch that calls a procedure, and nobody can be asked whether that has committed
    """

    failed: bool = False
    committed: bool = False
    interrupted: bool = False
    unreachable: TargetError | None = None
    loose: bool = False
    unsure: bool = False

    @property
    def fine(self) -> bool:
        """Everything ran and was rolled back."""
        return not (self.failed or self.committed or self.interrupted or self.unreachable)

    @property
    def over(self) -> bool:
        """Nothing more is to be tried."""
        return self.committed or self.interrupted or self.unreachable is not None


class Untryable(SegsyncError):
    """Nothing was run: it could not have been rolled back."""


def attempt(target: Target, batches: Sequence[Sequence[TriedQuery]]) -> Outcome:
    """Runs each batch's statements in a transaction of its own and rolls it back; fills in `TriedQuery.tried`.

    A batch does not see what the one before it did. One that fails does not stop the next one; a lost target does,
    and so does a statement that has ended its transaction. Untryable for what no rollback would undo.
    """
    outcome = Outcome()
    if not any(batches):
        return outcome
    with _interruptible() as interrupt:
        try:
            _refuse_what_stays(target, batches)
            _Trial(target, interrupt, outcome).run(batches)
        except TargetError as error:
            outcome.unreachable = error
        except KeyboardInterrupt:
            outcome.interrupted = True
    return outcome


def _refuse_what_stays(target: Target, batches: Sequence[Sequence[TriedQuery]]) -> None:
    statements = [statement for batch in batches for query in batch for statement in query.statements]
    if reason := vendor_of(target.dialect).what_stays(target, statements):
        raise Untryable(f"--try: nothing was run, since a rollback would not undo it: {reason}")


class _Interrupt:
    """Ctrl-C and SIGTERM: they break into a statement, and never into a rollback."""

    def __init__(self) -> None:
        self.asked = False
        self.shielded = False

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.asked = True
        if not self.shielded:
            self.shielded = True
            raise KeyboardInterrupt


@contextmanager
def _interruptible() -> Iterator[_Interrupt]:
    interrupt = _Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt  # signals go to the main thread alone
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Trial:
    """One try: batch after batch, until one cannot be begun or must not be followed by another."""

    def __init__(self, target: Target, interrupt: _Interrupt, outcome: Outcome) -> None:
        self._target = target
        self._vendor = VENDORS[target.dialect]
        self._connector: SqlConnector = connect(target)
        self._interrupt = interrupt
        self._outcome = outcome
        # Marks the session as ours; of a new name for each try, so that nobody waits for it.
        self._lock = f"segsync try {secrets.token_hex(16)}"

    def run(self, batches: Sequence[Sequence[TriedQuery]]) -> None:
        """Fills in the outcome; raises nothing but KeyboardInterrupt between two batches."""
        try:
            for batch in filter(None, batches):
                if not self._outcome.over:
                    self._batch(batch)
        finally:
            self._interrupt.shielded = True
            self._connector.dispose()

    def _batch(self, batch: Sequence[TriedQuery]) -> None:
        session: PooledSession | None = None
        error: TargetError | None = None
        try:
            session = self._connector.open()
            session.begin(self._lock, self._target.statement_timeout)
            if self._vendor.lost_savepoint:
                session.execute(f"SAVEPOINT {SAVEPOINT}")
            error = _run(session, batch)
        except TargetError as missing:
            self._outcome.unreachable = missing
        except KeyboardInterrupt:
            pass  # the interrupt has noted it
        finally:
            self._interrupt.shielded = True
            if session is not None:
                self._undo(session, error)
            self._note(batch, error)
            self._interrupt.shielded = self._interrupt.asked

    def _note(self, batch: Sequence[TriedQuery], error: TargetError | None) -> None:
        if self._interrupt.asked:
            # In SQLite's own code an interrupt fails the statement, which is not at fault.
            self._outcome.interrupted = True
            calls = any(_CALL.search(statement) for query in batch for statement in query.statements)
            self._outcome.unsure = calls and bool(self._vendor.lost_savepoint)
        elif error is not None:
            self._outcome.failed = True
            next(query for query in batch if len(query.tried) < len(query.statements)).tried.append(error)

    def _undo(self, session: PooledSession, error: TargetError | None) -> None:
        """Ends the transaction, whatever state it is in."""
        if not self._interrupt.asked and self._outcome.unreachable is None:
            self._outcome.committed = self._committed(session, error)
            with suppress(TargetError):  # a link that is gone has taken the transaction along
                session.rollback()
        session.discard()
        if self._interrupt.asked:
            self._end_ours()

    def _committed(self, session: PooledSession, error: TargetError | None) -> bool:
        """Whether something was, or may have been, committed in this transaction."""
        surprised = error is not None and error.code.endswith(SURPRISE)
        if not self._vendor.lost_savepoint:
            return surprised
        try:
            session.execute(f"ROLLBACK TO SAVEPOINT {SAVEPOINT}")
        except TargetError as missing:
            if missing.code != self._vendor.lost_savepoint:
                return surprised
            # A deadlock: the server itself has rolled back.
            return error is None or error.error_class is not ErrorClass.RETRY
        return False

    def _end_ours(self) -> None:
        """Ends the session that a statement was broken off in: its server may not see for long that we are gone."""
        if not self._vendor.has_server:
            return
        # What a deliverer logs of a session that it ends would be a riddle to who has pressed Ctrl-C.
        logging.disable(logging.WARNING)
        try:
            session = self._connector.open()
            session.begin(self._lock, 0.0)
        except TargetError:
            self._outcome.loose = True
        else:
            session.discard()
        finally:
            logging.disable(logging.NOTSET)


def _run(session: PooledSession, batch: Sequence[TriedQuery]) -> TargetError | None:
    """Runs a batch's statements in order, up to the first that fails; returns why."""
    for query in batch:
        for statement in query.statements:
            try:
                query.tried.append(Ran(session.execute(statement)))
            except TargetError as error:
                return error
    return None
