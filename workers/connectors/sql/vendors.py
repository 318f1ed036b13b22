"""The databases that there are. A new one is a folder of its own, and a line here."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from workers.connectors.sql.clickhouse.vendor import CLICKHOUSE
from workers.connectors.sql.mssql.vendor import MSSQL
from workers.connectors.sql.mysql.vendor import MYSQL
from workers.connectors.sql.oracle.vendor import ORACLE
from workers.connectors.sql.postgresql.vendor import POSTGRESQL
from workers.connectors.sql.sqlite.vendor import SQLITE
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from workers.connectors.sql.vendor import Vendor

VENDORS = MappingProxyType({vendor.scheme: vendor for vendor in (MYSQL, POSTGRESQL, SQLITE, MSSQL, ORACLE, CLICKHOUSE)})


def vendor_of(dialect: str) -> Vendor:
    """The vendor of a dialect; TargetError (HOLD, CONNECTOR) where there is none."""
    if dialect in VENDORS:
        return VENDORS[dialect]
    reason = f"there is no connector for {dialect!r}; expected one of {', '.join(VENDORS)}"
    raise TargetError(ErrorClass.HOLD, "segsync dialect", reason, level=HoldLevel.CONNECTOR)
