"""Opens a target step by step, to ask it about itself: `segsync check --connect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.inspection import Opened, Step, failed
from workers.connectors.sql.reachability import reach
from workers.connectors.sql.url import address
from workers.errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.connectors.contract import Target
    from workers.connectors.inspection import Examined


def open_examined(target: Target) -> Opened:
    """Address, port, login, then whatever the session can tell. Never raises: what fails is a step's mistake."""
    try:
        first = _reach(target)
    except TargetError as error:
        return Opened([failed("reach", error)])
    if first.mark == "mistake":
        return Opened([first])
    return _log_in(target, _vendor(target.dialect), [first])


def _reach(target: Target) -> Step:
    if target.dialect == "sqlite":
        return reach(address(target, frozenset()), target.dialect, target.connect_timeout)
    if target.dialect == "mysql":
        from workers.connectors.sql.mysql.connection import OPTIONS  # noqa: PLC0415 - a driver takes long to load
    else:
        from workers.connectors.sql.postgresql.connection import OPTIONS  # noqa: PLC0415 - likewise
    return reach(address(target, OPTIONS), target.dialect, target.connect_timeout)


def _vendor(dialect: str) -> Callable[[Target], Examined]:
    if dialect == "sqlite":
        from workers.connectors.sql.sqlite.catalog import SqliteExamined  # noqa: PLC0415 - only the driver asked for

        return SqliteExamined
    if dialect == "mysql":
        from workers.connectors.sql.mysql.catalog import MysqlExamined  # noqa: PLC0415 - a driver takes long to load

        return MysqlExamined
    from workers.connectors.sql.postgresql.catalog import PostgresqlExamined  # noqa: PLC0415 - likewise

    return PostgresqlExamined


def _log_in(target: Target, vendor: Callable[[Target], Examined], before: list[Step]) -> Opened:
    try:
        session = vendor(target)
    except TargetError as error:
        return Opened([*before, failed("session", error)])
    what = "the file is a database" if target.dialect == "sqlite" else "logged in, and the session's settings are kept"
    return Opened([*before, Step("session", "fine", what), *session.steps()], session)
