"""A new ledger or store gets its tables by the statements that Alembic ran for the first one of its kind.

Alembic takes fifty milliseconds to find out what they are, and most tests make a ledger. What is not new is upgraded by
Alembic; tests of the migrations themselves take `real_migrations`.
"""

from __future__ import annotations

import re
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import event, inspect

from workers.connectors.audiences.store import migrations as of_stores
from workers.connectors.audiences.store.tables import STORE_VERSION_TABLE
from workers.ledger import migrations as of_ledgers
from workers.ledger.tables import VERSION_TABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

Statement = tuple[str, Any]
"""As the driver is given it, with its parameters."""
UPGRADES: dict[Any, Callable[[Connection], None]] = {each: each.upgrade for each in (of_ledgers, of_stores)}
"""What Alembic does."""
_AN_ID = re.compile("[0-9a-f]{24}")


class Replayed:
    """Upgrades one kind of database; safe for threads, since at worst two go through Alembic."""

    def __init__(self, upgrade: Callable[[Connection], None], version_table: str) -> None:
        self._upgrade = upgrade
        self._version_table = version_table
        self._known: dict[str, list[Statement]] = {}

    def __call__(self, connection: Connection) -> None:
        dialect = connection.dialect.name
        if inspect(connection).has_table(self._version_table):
            self._upgrade(connection)
        elif dialect in self._known:
            for statement, parameters in self._known[dialect]:
                connection.exec_driver_sql(statement, _with_new_ids(parameters))
        else:
            self._known[dialect] = self._recorded(connection)

    def _recorded(self, connection: Connection) -> list[Statement]:
        found: list[Statement] = []

        def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
            if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA")):
                found.append((statement, parameters))

        event.listen(connection, "before_cursor_execute", note)
        try:
            self._upgrade(connection)
        finally:
            event.remove(connection, "before_cursor_execute", note)
        return found


def _with_new_ids(parameters: Any) -> Any:
    """No two ledgers have one id."""
    if isinstance(parameters, dict):
        return {name: _with_new_ids(value) for name, value in parameters.items()}
    if isinstance(parameters, list | tuple):
        return type(parameters)(map(_with_new_ids, parameters))
    return secrets.token_hex(12) if isinstance(parameters, str) and _AN_ID.fullmatch(parameters) else parameters


@contextmanager
def replaying() -> Iterator[None]:
    """So it is, in this process, until this is left."""
    before = {module: module.upgrade for module in UPGRADES}
    of_ledgers.upgrade = Replayed(UPGRADES[of_ledgers], VERSION_TABLE)
    of_stores.upgrade = Replayed(UPGRADES[of_stores], STORE_VERSION_TABLE)
    try:
        yield
    finally:
        for module, upgrade in before.items():
            module.upgrade = upgrade
