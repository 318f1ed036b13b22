"""What can go wrong with the ledger, in our own words: never a row's value or a statement."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from workers.errors import SegsyncError

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY_TIMEOUT: Final = 10
"""Seconds to wait for another writer of the SQLite file."""

STATEMENT_TIMEOUT: Final = 120
"""Seconds a statement may take in PostgreSQL; an upgrade's have no limit."""


class LedgerError(SegsyncError):
    """The ledger cannot be used now: our own sentence, never a row's value or a statement.

    code  the driver's, as in "SQLITE_BUSY" or "40P01"; "" where no server or file was asked
    """

    def __init__(self, place: str, reason: str, code: str = "") -> None:
        self.code = code
        super().__init__(f"ledger {place}: {reason}" + (f" ({code})" if code else ""))


_REASONS: Final = (
    ("SQLITE_BUSY", f"another process kept its file locked for {BUSY_TIMEOUT} s"),
    ("SQLITE_CANTOPEN", "its file can be neither opened nor made"),
    ("SQLITE_READONLY", "its file may not be written"),
    ("SQLITE_FULL", "its disk is full"),
    ("SQLITE_IOERR", "its disk fails"),
    ("SQLITE_CORRUPT", "its file is damaged"),
    ("SQLITE_NOTADB", "its file is no SQLite database"),
    ("08", "the link was lost"),
    ("25006", "it may only be read; is it a standby?"),
    ("28", "it refused the user or the password"),
    ("3D000", "there is no such database"),
    ("42501", "its user lacks a right; it must own its tables"),
    ("42P01", "its tables are missing"),
    ("53100", "its disk is full"),
    ("53300", "it has no connection to spare"),
    ("55P03", "another process has been upgrading it for 60 s"),
    ("57014", f"a statement took longer than {STATEMENT_TIMEOUT} s"),
    ("57P", "it is shutting down or starting"),
)
"""What a driver's code means; the first that the code begins with."""


class OtherLedger(LedgerError):
    """This is another ledger than the one that the installation writes to."""


@contextmanager
def told(place: str) -> Iterator[None]:
    """Turns a driver's error into a LedgerError; `from None`, since tracebacks would show the driver's text."""
    try:
        yield
    except SQLAlchemyError as exc:
        raise translate(place, exc) from None


def translate(place: str, exc: SQLAlchemyError) -> LedgerError:
    """Our own sentence; the driver's may hold values (PostgreSQL shows the failing row)."""
    if not isinstance(exc, DBAPIError):
        return LedgerError(place, f"unexpected {type(exc).__name__}")
    code = code_of(exc)
    if code == "SQLITE_ERROR" and str(exc.orig).startswith("no such table"):
        return LedgerError(place, "its tables are missing", code)
    if not code and isinstance(exc, OperationalError):
        return LedgerError(place, "it cannot be reached, or it refused the user or the database")
    reason = next((reason for prefix, reason in _REASONS if code.startswith(prefix)), "it failed")
    return LedgerError(place, reason, code)


def code_of(exc: DBAPIError) -> str:
    """The driver's code; "" where it has none."""
    return getattr(exc.orig, "sqlstate", None) or getattr(exc.orig, "sqlite_errorname", None) or ""
