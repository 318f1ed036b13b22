"""Targets: one connector for each database (and, later, ad account)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import SqlConnector

DIALECTS = ("mysql", "postgresql", "sqlite")


def connect(target: Target) -> SqlConnector:
    """The connector of a target. Nothing is sent before its `open` or `probe`, which also check the URL.

    Raises TargetError (HOLD, CONNECTOR) for a dialect that there is no connector for.
    """
    # Imported when asked for: a driver takes up to 0.15 s to load (psycopg), SQLAlchemy's pool 0.2 s, and a command
    # like `segsync status`, or a worker of another connector, needs none of them.
    match target.dialect:
        case "mysql":
            from workers.connectors.sql.mysql.link import connect as link  # noqa: PLC0415
        case "postgresql":
            from workers.connectors.sql.postgresql.link import connect as link  # type: ignore[assignment]  # noqa: PLC0415
        case "sqlite":
            from workers.connectors.sql.sqlite.link import connect as link  # type: ignore[assignment]  # noqa: PLC0415
        case _:
            reason = f"there is no connector for {target.dialect!r}; expected one of {', '.join(DIALECTS)}"
            raise TargetError(ErrorClass.HOLD, "segsync dialect", reason, level=HoldLevel.CONNECTOR)
    from workers.connectors.sql.connector import SqlConnector  # noqa: PLC0415

    return SqlConnector(target, lambda: link(target))
