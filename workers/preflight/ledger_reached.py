"""Whether the queries of a connector reach the ledger: its server is asked, by whatever name it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, text

from workers.ledger.database import Ledger
from workers.ledger.errors import LedgerError
from workers.ledger.tables import metadata
from workers.preflight.findings import Finding
from workers.settings.own_databases import SCHEME

if TYPE_CHECKING:
    from workers.connectors.contract import Target

# The time of its start tells one server from another, to the microsecond, and each user may read it.
_WHERE: Final = text("SELECT pg_postmaster_start_time(), current_database()")
_RIGHTS: Final = text(
    "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p') AND c.relname IN :names AND has_schema_privilege(n.oid, 'USAGE') "
    "AND has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE') ORDER BY 1"
).bindparams(bindparam("names", expanding=True))
_USER: Final = text("SELECT current_user")


def reached(ledger_url: str, key: str, target: Target) -> list[Finding]:
    """A warning where the connector's user may read or change tables of the ledger; [] where it may not.

    What cannot be asked is passed over: that a server is away, or a password wrong, is said elsewhere.
    """
    if target.dialect != SCHEME:
        return []
    try:
        ledger = Ledger(ledger_url)
        if ledger.dialect != SCHEME:
            return []
        with ledger.reading() as connection:
            place = connection.execute(_WHERE).one()
        with Ledger(target.url, password=target.password or "").reading() as connection:
            if connection.execute(_WHERE).one() != place:
                return []
            tables = list(connection.execute(_RIGHTS, {"names": sorted(metadata.tables)}).scalars())
            user = str(connection.execute(_USER).scalar())
    except LedgerError:
        return []
    if not tables:
        return []
    what = (
        f"its user {user!r} may read or change tables of the ledger, which are in this database ({', '.join(tables)}): "
        "whoever may edit its queries can have them change the audit log; expected a user of its own for [ledger], and "
        "no right of others on its tables"
    )
    return [Finding("warning", f"connectors.{key}.url", what)]
