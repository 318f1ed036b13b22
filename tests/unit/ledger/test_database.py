"""What a ledger's address may be, and what its errors say; no server is asked."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import psycopg
import pytest
from sqlalchemy.exc import DataError, IntegrityError, InvalidRequestError, OperationalError, SQLAlchemyError

from workers.ledger.database import Ledger
from workers.ledger.errors import LedgerError, translate


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("sqlite:////srv/segsync.db", "sqlite '/srv/segsync.db'"),
        ("sqlite:///segsync.db", "sqlite 'segsync.db'"),
        ("postgresql://sync@db:5432/ledger", "postgresql 'ledger' on 'db'"),
        ("postgresql://sync:p%40ss@db/ledger?sslmode=require", "postgresql 'ledger' on 'db'"),
        ("postgresql+asyncpg://db/ledger", "postgresql 'ledger' on 'db'"),
    ],
)
def test_places_are_named_without_secrets(url: str, place: str) -> None:
    assert Ledger(url).place == place


def test_a_file_has_no_password() -> None:
    with pytest.raises(LedgerError, match=r"^ledger url: a SQLite file has no password"):
        Ledger("sqlite:////srv/segsync.db", password="horse")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "not a URL; expected sqlite:////"),
        ("segsync.db", "not a URL"),
        ("postgresql://sync@db:port/ledger", "not a URL"),
        ("mysql://sync@db/ledger", "unknown scheme 'mysql'; expected sqlite or postgresql"),
        ("postgres://sync@db/ledger", "unknown scheme 'postgres'; expected sqlite or postgresql"),
        ("postgresql://sync:hor@se@db/ledger", "an '@' is left in its host; write the '@' of a password as %40"),
        ("sqlite://", "names no file; expected sqlite:///"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:x?mode=memory", "names no file"),
        ("sqlite://segsync.db", "names no file"),
    ],
)
def test_an_address_that_cannot_be_a_ledger_is_refused(url: str, message: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger(url)

    assert str(caught.value).startswith(f"ledger url: {message}")
    assert "se@db" not in str(caught.value)


def test_the_password_is_kept_apart() -> None:
    """No character of it can be misread; libpq gets it as it is."""
    ledger = Ledger("postgresql://sync@db/ledger", password="p@ss%41:/'\\ ")

    assert ledger._engine.url.password == "p@ss%41:/'\\ "
    assert "p@ss" not in repr(ledger._engine)


def _sqlite(name: str, message: str = "UNIQUE failed: 'ann@example.com'") -> sqlite3.Error:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OperationalError("q", {}, _sqlite("SQLITE_BUSY")),
            "another process kept its file locked for 10 s (SQLITE_BUSY)",
        ),
        (OperationalError("q", {}, _sqlite("SQLITE_IOERR_WRITE")), "its disk fails (SQLITE_IOERR_WRITE)"),
        (OperationalError("q", {}, _sqlite("SQLITE_NEW")), "it failed (SQLITE_NEW)"),
        (
            OperationalError("q", {}, _sqlite("SQLITE_ERROR", "no such table: deliveries")),
            "its tables are missing (SQLITE_ERROR)",
        ),
        (IntegrityError("q", {}, psycopg.errors.NotNullViolation("ann@example.com")), "it failed (23502)"),
        (OperationalError("q", {}, psycopg.errors.DiskFull("x")), "its disk is full (53100)"),
        (OperationalError("q", {}, psycopg.errors.AdminShutdown("x")), "it is shutting down or starting (57P01)"),
        (
            OperationalError("q", {}, psycopg.OperationalError("ann@example.com")),
            "it cannot be reached, or it refused the user or the database",
        ),
        (DataError("q", {}, psycopg.DataError("ann@example.com")), "it failed"),
        (InvalidRequestError("ann@example.com"), "unexpected InvalidRequestError"),
    ],
)
def test_errors_are_told_in_our_own_words(error: SQLAlchemyError, message: str) -> None:
    assert str(translate("place", error)) == f"ledger place: {message}"


def test_only_the_ledger_s_modules_load_sqlalchemy_and_only_upgrades_alembic() -> None:
    """Every command pays for what is imported."""
    script = (
        "import sys, workers.outcomes; assert 'sqlalchemy' not in sys.modules;"
        "import workers.ledger.ingest, workers.ledger.statistics, workers.quarantine.entries;"
        "assert 'alembic' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", script], check=True)
