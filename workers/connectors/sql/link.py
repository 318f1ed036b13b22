"""One connection to a database, as the vendors' modules implement it and `pool` keeps it."""

from __future__ import annotations

import re
import select
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.errors import Phase

IDLE_LIMIT = 60.0
"""Seconds after which a pooled link is replaced unasked: a firewall may have forgotten it without a word to
either end, and then the next statement would wait for its whole timeout. A new link costs milliseconds."""

MARGIN = 5.0
"""Seconds a client waits longer than the server should take: the server's own timeout leaves a usable answer."""


class Link(ABC):
    """A connection that was set up and asserted.

    `begin`, `execute`, `commit`, `rollback` and `release` raise what the driver raises, for `judge` to translate,
    or a TargetError that is final. All others raise nothing.
    """

    clean = True
    """Outside of a transaction, so that it may go back to the pool."""
    tainted = False
    """A statement may have changed the session, so that no other transaction may be run in it."""
    sent: Callable[[], None] | None = None
    """Called once when the next statement is sent, before its answer is waited for. A driver that does not part the two
    never does. Raises nothing."""
    takes_several = False
    """A transaction of it can hold the locks of several lanes."""
    used = False
    """It has served before: should it turn out dead, another one may be better."""

    def __init__(self) -> None:
        self._idle_since = time.monotonic()

    @abstractmethod
    def begin(self, lock: str | None, patience: float) -> None:
        """As `connector.PooledSession.begin`."""

    def begin_together(self, locks: list[str]) -> None:
        """As `connector.PooledSession.begin_together`, where it `takes_several`; raises in a transaction."""
        raise NotImplementedError(f"{len(locks)} locks")

    @abstractmethod
    def execute(self, statement: str) -> int:
        """As `connector.PooledSession.execute`."""

    def identify(self, batch: str) -> None:  # noqa: B027 - most targets have no use for it
        """As `delivery.Transactions.identify`; of use where a repeated INSERT can be known again by a name."""

    def try_out(self, statement: str) -> int:
        """As `delivery.Transactions.try_out`; a link that cannot roll back must not run it."""
        return self.execute(statement)

    @abstractmethod
    def value(self, *statements: str) -> str:
        """Runs statements of our own; the first column of the last one's first row."""

    def check_deferred(self) -> bool:
        """As `connector.PooledSession.check_deferred`."""
        return False

    @abstractmethod
    def commit(self) -> None:
        """As `connector.PooledSession.commit`."""

    @abstractmethod
    def rollback(self) -> None:
        """As `connector.PooledSession.rollback`."""

    @abstractmethod
    def release(self) -> None:
        """Gives back the session lock, if one is held."""

    @abstractmethod
    def judge(self, error: Exception, phase: Phase) -> TargetError:
        """What follows from whatever was raised in `phase`."""

    @property
    @abstractmethod
    def lost(self) -> bool:
        """The connection is known to be gone."""

    @property
    @abstractmethod
    def fileno(self) -> int | None:
        """The socket; None where there is none."""

    @abstractmethod
    def close(self) -> None:
        """Ends the connection; never raises."""

    @abstractmethod
    def abandon(self) -> None:
        """In a forked child: lets go of the parent's connection without a word to the server; never raises."""

    def has_sent(self) -> None:
        """For `execute`: the statement is on its way."""
        work, self.sent = self.sent, None
        if work is not None:
            work()

    def rest(self) -> None:
        """Told when it goes back to the pool."""
        self._idle_since = time.monotonic()
        self.used = True

    def stale(self) -> bool:
        """Whether a pooled link must not be used again; found out without a round trip."""
        if not self.clean:
            return True
        # A new one is taken as it is: were it judged, a server that hangs up at once would be called for ever.
        return self.used and (self.lost or time.monotonic() - self._idle_since > IDLE_LIMIT or self._spoken())

    def _spoken(self) -> bool:
        # An idle server has nothing to say, except that it hangs up.
        if self.fileno is None:
            return False
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        return bool(poll.poll(0))


def encoded(dialect: str, statement: str) -> bytes:
    """The statement as UTF-8; TargetError (ISOLATE) for half a surrogate pair, which no encoding has."""
    try:
        return statement.encode()
    except UnicodeEncodeError:
        raise TargetError(
            ErrorClass.ISOLATE, f"{dialect} text", "a value holds half a surrogate pair, which is no character"
        ) from None


def without_nul(dialect: str, statement: str) -> str:
    """The statement; TargetError (ISOLATE) where it holds a NUL, at which the driver would cut it off."""
    if "\0" in statement:
        raise TargetError(ErrorClass.ISOLATE, f"{dialect} text", "a value holds a NUL character (U+0000)")
    return statement


_CALL = re.compile(r"(?:\s|--[^\n]*\n|#[^\n]*\n|/\*.*?\*/)*call\b", re.IGNORECASE | re.DOTALL)


def calls(statement: str) -> bool:
    """Whether it runs a procedure, which can do what no statement of ours may (rule 21)."""
    return _CALL.match(statement) is not None


def surprise(dialect: str, what: str) -> TargetError:
    """A statement did what none of ours may do (rule 21)."""
    return TargetError(ErrorClass.HOLD, f"{dialect} surprise", what, level=HoldLevel.INTEGRATION)
