"""Targets: one connector for each database and ad account."""

from __future__ import annotations

from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING

from workers.connectors.audiences.target import AdTarget
from workers.connectors.sql.vendors import VENDORS, vendor_of
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import SqlConnector
    from workers.connectors.sql.listing import Lister

DIALECTS = tuple(VENDORS)


def connect(target: Target | AdTarget) -> SqlConnector:
    """The connector of a target. Nothing is sent before its `open` or `probe`, which also check the URL.

    Raises TargetError (HOLD, CONNECTOR) for a dialect that there is no connector for.
    """
    target = _database(target)
    vendor = vendor_of(target.dialect)
    # Imported when asked for: SQLAlchemy's pool takes 0.2 s to load, a driver up to 0.15 s.
    from workers.connectors.sql.connector import SqlConnector  # noqa: PLC0415

    return SqlConnector(target, lambda: vendor.link(target), lambda: vendor.examine(target))


def preload(dialect: str) -> None:
    """Imports what a first delivery to such a target would: a tenth of a second and more of processor time.

    For a process that is about to fork, whose children then have it. A driver that is not there is told by whoever
    connects.
    """
    with suppress(ImportError, TargetError):
        vendor = vendor_of(dialect)
        for module in ("connector", f"{vendor.scheme}.link", f"{vendor.scheme}.catalog"):
            import_module(f"workers.connectors.sql.{module}")


def open_lister(target: Target | AdTarget) -> Lister:
    """A session that reads many rows of a target and changes nothing. Raises only TargetError."""
    target = _database(target)
    return vendor_of(target.dialect).lister(target)


def _database(target: Target | AdTarget) -> Target:
    """The target, which must be a database; TargetError (HOLD, CONNECTOR) for an ad account."""
    if isinstance(target, AdTarget):
        reason = f"there is no connector for {target.platform} here"
        raise TargetError(ErrorClass.HOLD, "ads platform", reason, level=HoldLevel.CONNECTOR)
    return target
