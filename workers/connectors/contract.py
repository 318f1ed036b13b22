"""What a target must be able to do. Implementations know their vendor, and nothing of Celery, lanes or retries.

A deliverer's use of it, in order:

    session = connector.open()                     # a pooled session, set up and asserted
    session.begin(lock, patience)                  # transaction open, lane's lock held
    rows = session.execute(statement)              # as often as there are statements
    session.commit()                               # its own round trip (rule 18)
    session.close()                                # back to the pool

Every method raises only `TargetError`. After any error the caller calls `session.discard()`, which
rolls back, drops the link for good and never raises: a broken session is never used again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Target:
    """Where a connector goes, its secrets resolved.

    key                connector's key in the configuration
    dialect            the vendor's, as in "mysql"
    url                as configured, without a password
    password           apart from the URL, so that no character of it can be misread; never shown
    statement_timeout  seconds a statement may take
    connect_timeout    seconds a connection may take
    session_name       what the database shows its administrator: "segsync:<connector>"
    timezone           IANA name of the session's zone
    """

    key: str
    dialect: str
    url: str
    password: str | None = field(default=None, repr=False)
    statement_timeout: float = 30.0
    connect_timeout: float = 10.0
    session_name: str = "segsync"
    timezone: str = "UTC"


class Session(Protocol):
    """One session with a target, used by one thread."""

    def begin(self, lock: str | None, patience: float) -> None:
        """Opens a transaction at READ COMMITTED and holds the session lock named `lock`.

        lock      any text, hashed by the connector to what its vendor allows; None takes no lock.
                  Once taken it may stay held until `release_lock`, `close` or `discard`, or end with the
                  transaction: the next `begin` with the same name makes sure that it is held.
        patience  seconds to wait for it; then the session that holds it is ended (rule 19)
        """

    def execute(self, statement: str) -> int:
        """Runs one statement as it stands (no parameters) and returns the affected rows; -1 is never returned.

        Checks the driver's own report afterwards: a statement that ended the transaction or changed what
        escaping relies on raises HOLD (rule 21). Errors here may be the data's fault (ISOLATE).
        """

    def position(self, lane: str, integration: str) -> str:
        """The sequence up to which this lane is in the target, '' if none, its row locked until the transaction ends.

        For `exactly_once`, the first thing in a transaction (rule 22). Makes the row where there is none.
        The table `segsync_position` is the user's to make: without it this raises HOLD for the INTEGRATION.

        lane  any text that names the lane; kept as a hash
        """

    def move_position(self, lane: str, to: str) -> None:
        """Writes the sequence that the lane will have reached when this transaction is committed."""

    def commit(self) -> None:
        """Sends COMMIT and waits for the answer. A lost answer is AMBIGUOUS."""

    def rollback(self) -> None:
        """Sends ROLLBACK; the session stays usable."""

    def close(self) -> None:
        """Gives the session, its lock released, back to the pool; never raises."""

    def discard(self) -> None:
        """Ends the link for good; never raises."""


class Connector(Protocol):
    """One target. Safe to share between threads; survives a fork (the child starts with an empty pool)."""

    key: str
    dialect: str

    def open(self) -> Session:
        """A session ready for `begin`. Whatever is raised holds the CONNECTOR or is RETRY, never ISOLATE."""

    def probe(self) -> None:
        """Connects and runs the smallest query; TargetError says why it cannot."""

    def dispose(self) -> None:
        """Closes every pooled session."""
