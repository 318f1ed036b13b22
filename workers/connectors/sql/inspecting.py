"""Opens a target step by step, to ask it about itself: `segsync check --connect`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.inspection import Opened, Step, failed
from workers.connectors.sql.reachability import reach
from workers.connectors.sql.url import address
from workers.connectors.sql.vendors import vendor_of
from workers.errors import TargetError

if TYPE_CHECKING:
    from workers.connectors.contract import Target
    from workers.connectors.sql.vendor import Vendor


def open_examined(target: Target) -> Opened:
    """Address, port, login, then whatever the session can tell. Never raises: what fails is a step's mistake."""
    try:
        vendor = vendor_of(target.dialect)
        place = address(target, vendor.options)
        first = reach(place, vendor.port_of(place), target.connect_timeout)
    except TargetError as error:
        return Opened([failed("reach", error)])
    if first.mark == "mistake":
        return Opened([first])
    return _log_in(target, vendor, [first])


def _log_in(target: Target, vendor: Vendor, before: list[Step]) -> Opened:
    try:
        session = vendor.examine(target)
    except TargetError as error:
        return Opened([*before, failed("session", error)])
    what = "logged in, and the session's settings are kept" if vendor.has_server else "the file is a database"
    return Opened([*before, Step("session", "fine", what), *session.steps()], session)
