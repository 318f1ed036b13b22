"""What the driver is told to connect with."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any, cast

import clickhouse_connect
from clickhouse_connect import common

from workers.connectors.sql.clickhouse.options import OPTIONS, PORT, SECURE_PORT, SWITCH
from workers.connectors.sql.clickhouse.session import pinned, statement_limit
from workers.connectors.sql.link import MARGIN
from workers.connectors.sql.url import address

if TYPE_CHECKING:
    from clickhouse_connect.driver.httpclient import HttpClient

    from workers.connectors.contract import Target

# It warns of every error on its own logger, with the server's text: that can hold people's data.
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)


def parameters(target: Target) -> dict[str, Any]:
    """The driver's parameters, by keyword; TargetError for a wrong URL."""
    place = address(target, OPTIONS)
    options = {name: text == "true" if OPTIONS[name] == SWITCH else text for name, text in place.options.items()}
    return {
        "host": place.host,
        "port": place.port or (SECURE_PORT if options.get("secure") else PORT),
        "username": place.user or "default",
        "password": target.password or "",
        "database": place.database or "default",
        "secure": False,  # by the URL alone, and not by the port
        "client_name": target.session_name,
        "connect_timeout": max(1, math.ceil(target.connect_timeout)),
        "send_receive_timeout": math.ceil(statement_limit(target) + MARGIN),
        "settings": {**pinned(target), "wait_end_of_query": "1"},
        "compress": False,
        "query_retries": 0,
        "autogenerate_session_id": False,
        # Of its own, since the driver's is shared by all clients of the process: a forked child must not use it.
        "dedicated_pool": True,
        **options,
    }


def open_client(target: Target) -> HttpClient:
    """A client that has logged in; raises whatever the driver raises, and TargetError for a wrong URL."""
    words = parameters(target)
    common.set_setting("invalid_setting_action", "send")
    words["interface"] = "https" if words.pop("secure") else "http"
    client = cast("HttpClient", clickhouse_connect.get_client(**words))
    client.http_retries = 0
    return client
