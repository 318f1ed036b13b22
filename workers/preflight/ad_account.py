"""An ad account, looked at step by step: its store, its token, and whether the platform lets us in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers.connectors.audiences.records import LOGIN_SOON_MS
from workers.connectors.inspection import Step, told
from workers.errors import TargetError
from workers.preflight.examination import Examination

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.connectors.audiences.connector import AdConnector


def examine_account(connector: AdConnector) -> Examination:
    """What came of each step; what follows a mistake is not tried. Costs one look, and no write."""
    found = Examination(connector.key, connector.platform.key, [])
    steps: tuple[tuple[str, str, Callable[[], object]], ...] = (
        ("store", "the store of what was sent can be used", connector.store.upgrade),
        ("token", "a token is kept, and good for now", connector.way.tokens.token),
        ("account", f"{connector.platform.name} lets us in", connector.probe),
    )
    for name, fine, look in steps:
        try:
            look()
        except TargetError as error:
            found.steps.append(Step(name, "mistake", told(error)))
            break
        found.steps.append(Step(name, "fine", fine))
    else:
        found.steps += _login(connector)
    return found


def _login(connector: AdConnector) -> list[Step]:
    """A word where a person must consent again soon."""
    ends = connector.way.tokens.standing().ends_ms
    if not ends or ends - connector.clock() >= LOGIN_SOON_MS:
        return []
    day = datetime.fromtimestamp(ends / 1000, UTC)
    return [Step("login", "warning", f"it ends {day:%Y-%m-%d}; {connector.platform.remedy(connector.key)}")]
