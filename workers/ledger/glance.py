"""What `status` needs of a ledger that is an SQLite file, without SQLAlchemy, which takes 0.2 s to load.

Only where all is as it should be: whatever is not is looked at closely, and told, by `workers/ledger/database.py`.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workers.ledger.schema import SCHEMA

if TYPE_CHECKING:
    from workers.ledger.known import KnownLedger

SECONDS: Final = 2.0
"""How long another writer of the file is waited for, before the closer look waits for it."""
_SCHEME: Final = "sqlite:///"

# As SQLAlchemy says it of the tables in tables.py: a test holds both answers together.
_VERSION: Final = "SELECT version_num FROM ledger_version"
_ID: Final = "SELECT id FROM ledger_identity"
_MINE: Final = "SELECT installation, counted FROM ledger_installations WHERE namespace = ?"
_OPEN: Final = "SELECT integration, count(*) FROM quarantine WHERE state = 'open' GROUP BY integration"


@dataclass(frozen=True, slots=True)
class Glance:
    """What was seen.

    open_entries  of the quarantine per integration; None counts what never reached one
    installation  which writes to it under this namespace; "" where none has
    """

    open_entries: dict[str | None, int]
    installation: str


def glance(url: str, namespace: str, known: KnownLedger | None) -> Glance | None:
    """What is there; None where only a closer look can tell: no SQLite file, another schema or ledger, any failure.

    url    resolved, as for `Ledger`
    known  the ledger that the installation writes to, read before this is called
    """
    path = Path(url.removeprefix(_SCHEME))
    if not url.startswith(_SCHEME) or set(url) & set("?%") or not path.is_absolute():
        return None
    try:
        return _look(path, namespace, known)
    except (sqlite3.Error, TypeError, ValueError):
        return None


def _look(path: Path, namespace: str, known: KnownLedger | None) -> Glance | None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=SECONDS)) as ledger:
        ledger.isolation_level = None
        ledger.execute("BEGIN")
        if ledger.execute(_VERSION).fetchone() != (SCHEMA,):
            return None
        installation, counted = ledger.execute(_MINE, (namespace,)).fetchone() or ("", 0)
        if known is not None and (ledger.execute(_ID).fetchone() != (known.id,) or (counted or 0) < known.counted):
            return None
        return Glance(dict(ledger.execute(_OPEN).fetchall()), installation or "")
