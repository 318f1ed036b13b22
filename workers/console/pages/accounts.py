"""Ad accounts: consent, budget, audiences and their sizes, and the calls that are on their way."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

from workers.console.connectors import read_connectors
from workers.console.failures import NotFound
from workers.console.routes import Act, PageRoute
from workers.console.visit import place
from workers.control.connecting import use_code
from workers.errors import SegsyncError
from workers.monitoring.accounts import read_account
from workers.targets import opened_account

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.connectors import ConnectorState
    from workers.console.visit import Visit


def show(visit: Visit) -> Response:
    """All of them."""
    return visit.page("accounts.html", listed=_accounts(visit))


def _accounts(visit: Visit) -> list[ConnectorState]:
    return [each for each in read_connectors(visit.site.runtime()) if each.is_account]


def one(visit: Visit) -> Response:
    """One, as `segsync audiences` shows it; why not, where its secrets, its store or its packages are missing here."""
    key, settings = visit.path["key"], visit.site.runtime().applied.settings
    state = next((each for each in _accounts(visit) if each.key == key), None)
    if state is None:
        raise NotFound(f"{key[:80]} is no ad account of the applied configuration")
    report, trouble = None, ""
    try:
        report = read_account(settings, key, secrets.token_urlsafe(8))
    except SegsyncError as error:
        trouble = str(error)
    return visit.page("account.html", each=state, report=report, trouble=trouble, at=place("accounts", key))


def connect(visit: Visit) -> Response:
    """As `segsync connect`, with the code that the platform's page has shown."""
    key = visit.path["key"]
    with visit.site.turns.one(), opened_account(visit.site.runtime().applied.settings, key) as account:
        use_code(account, visit.field("code"))
        platform = account.connector.platform.name
    return visit.go(place("accounts", key), f"{key} is connected: {platform} takes the token")


PAGES: Final = (PageRoute("/accounts", show), PageRoute("/accounts/{key}", one))
ACTS: Final = (Act("/accounts/{key}/connect", "connect", connect),)
