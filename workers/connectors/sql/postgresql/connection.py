"""What libpq is told to connect with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.sql.link import MARGIN
from workers.connectors.sql.postgresql.options import OPTIONS
from workers.connectors.sql.postgresql.session import milliseconds
from workers.connectors.sql.url import address

if TYPE_CHECKING:
    from workers.connectors.contract import Target

NO_FILE: Final = "/dev/null/none"
"""A path that no file ever has. Of one that is there and no plain file libpq would say something on stderr."""


def parameters(target: Target) -> dict[str, Any]:
    """Libpq's parameters, by keyword; TargetError for a wrong URL."""
    place = address(target, OPTIONS)
    return {
        "host": place.host,
        "port": place.port,
        "user": place.user,
        "dbname": place.database,
        # Without one libpq would take that of PGPASSWORD, or of ~/.pgpass, and send it wherever the URL leads.
        "password": target.password or "",
        "passfile": NO_FILE,
        "connect_timeout": max(1, math.ceil(target.connect_timeout)),
        "application_name": target.session_name,
        "client_encoding": "UTF8",
        # A link that died without a word is found out while it waits (half a minute) and while it sends.
        "keepalives": 1,
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": milliseconds(target.statement_timeout + MARGIN),
        **place.options,
    }
