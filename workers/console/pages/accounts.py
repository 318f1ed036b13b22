"""Ad accounts: consent, budget, audiences, calls that are on their way, and the form that creates and changes one."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING, Any, Final

from workers.console.account_drafts import CHOICES_OF_CONSENT, PLATFORM_NAMES, AccountDraft
from workers.console.connectors import read_connectors
from workers.console.failures import NotFound
from workers.console.pages.connectors import lacks, unused
from workers.console.pages.part_forms import PartForm
from workers.console.routes import Act, PageRoute
from workers.console.visit import place
from workers.control.connecting import use_code
from workers.control.resending import replace, resend, told_resend
from workers.errors import SegsyncError
from workers.monitoring.accounts import read_account
from workers.preflight.targets import examine_one
from workers.settings.ad_connectors import DEFAULT_SECRET
from workers.settings.spelling import counted
from workers.targets import opened_account

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from workers.console.connectors import ConnectorState
    from workers.console.pages.part_forms import SentPart
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


def tell_again(visit: Visit) -> Response:
    """As `segsync audiences --resend`, of one segment or of all."""
    key, segment = visit.path["key"], visit.field("segment") or None
    with opened_account(visit.site.runtime().applied.settings, key) as account:
        number = resend(account, segment)
    return visit.go(place("accounts", key), f"{counted(number, 'identifier is', 'identifiers are')} told again")


def take_others_out(visit: Visit) -> Response:
    """As `segsync audiences --replace`, of one segment or of all."""
    key, segment = visit.path["key"], visit.field("segment") or None
    with opened_account(visit.site.runtime().applied.settings, key) as account:
        number = replace(account, segment)
    return visit.go(place("accounts", key), f"{counted(number, 'audience is', 'audiences are')} replaced")


def _first(visit: Visit) -> AccountDraft:
    platform = visit.query.get("platform", "")
    return AccountDraft.usual(platform if platform in dict(PLATFORM_NAMES) else "")


def _more(sent: SentPart) -> dict[str, Any]:
    draft = AccountDraft(sent.draft.key or "KEY", sent.draft.fields)
    return {
        "platforms": PLATFORM_NAMES,
        "platform": draft.platform,
        "consents": CHOICES_OF_CONSENT,
        "secrets": draft.secrets,
        "before": sent.before,
        "url": sent.before.get("url", ""),
        "sealing": _sealing(sent.before),
        "lacks": lacks(sent),
        "unused": unused(sent),
    }


def _sealing(table: Mapping[str, Any]) -> str:
    place = table.get("secret_file") or table.get("secret")
    if place:
        return f"{place}, as segsync.toml has it"
    name = DEFAULT_SECRET.strip("${}")
    here = "is set" if name in os.environ else "is not set"
    return (
        f"The variable {name}, for all ad accounts; it {here} where the console runs, and every worker needs the same"
    )


FORM: Final = PartForm(
    section="connectors",
    word="ad account",
    create="/create-account",
    home="/accounts",
    template="account_form.html",
    draft=AccountDraft,
    from_table=AccountDraft.of_table,
    first=_first,
    is_mine=lambda table: "platform" in table,
    more=_more,
    examine=examine_one,
)
PAGES: Final = (PageRoute("/accounts", show), *FORM.pages(), PageRoute("/accounts/{key}", one))
ACTS: Final = (
    Act("/accounts/{key}/connect", "connect", connect),
    Act(
        "/accounts/{key}/resend",
        "audiences --resend",
        tell_again,
        told=lambda visit: told_resend(visit.path["key"], visit.field("segment") or None),
    ),
    Act(
        "/accounts/{key}/replace",
        "audiences --replace",
        take_others_out,
        told=lambda visit: told_resend(visit.path["key"], visit.field("segment") or None),
    ),
    *FORM.acts(),
)
