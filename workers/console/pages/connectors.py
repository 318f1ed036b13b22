"""Connectors: all of them, one from near, its check, and the form that creates and changes a database's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workers.console.checks import check_connector
from workers.console.connector_drafts import USUAL, ConnectorDraft, examples
from workers.console.connectors import read_connectors
from workers.console.failures import NotFound
from workers.console.pages.part_forms import PartForm
from workers.console.routes import Act, PageRoute
from workers.console.secret_places import connector_secret
from workers.console.visit import place
from workers.preflight.targets import examine_one
from workers.settings import lacking

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.connectors import ConnectorState
    from workers.console.pages.part_forms import SentPart
    from workers.console.visit import Visit


def show(visit: Visit) -> Response:
    """All of them; `q` of the query is a part of a key, a vendor or an address."""
    q = visit.query.get("q", "").strip()
    found = read_connectors(visit.site.runtime())
    listed = [each for each in found if any(q.lower() in text.lower() for text in (each.key, each.vendor, each.url))]
    return visit.page("connectors.html", listed=listed, q=q)


def one(visit: Visit) -> Response:
    """One of them."""
    state = _state(visit)
    home = "accounts" if state.is_account else "connectors"
    return visit.page("connector.html", each=state, at=place("connectors", state.key), edit_at=place(home, state.key))


def _state(visit: Visit) -> ConnectorState:
    key = visit.path["key"]
    found = next((each for each in read_connectors(visit.site.runtime()) if each.key == key), None)
    if found is None:
        raise NotFound(f"{key[:80]} is no connector of the applied configuration")
    return found


def check(visit: Visit) -> Response:
    """As `segsync check --connect`, of this connector alone."""
    key = visit.path["key"]
    found = check_connector(visit.site, key, visit.viewer.name)
    return visit.go(place("connectors", key), f"{key} needs someone" if found.wrong else f"{key} is fine")


def lacks(sent: SentPart) -> str:
    """What this process would miss to connect by a form; "" where nothing is, or the form is wrong."""
    return "" if sent.settings is None else lacking.reason(sent.settings.connectors[sent.draft.key])


def unused(sent: SentPart) -> bool:
    """Whether it may be removed: no integration uses it."""
    return not sent.new and all(each.connector != sent.draft.key for each in sent.base.settings.integrations.values())


def _more(sent: SentPart) -> dict[str, Any]:
    secret = connector_secret(sent.draft.key or "KEY")
    return {
        "lacks": lacks(sent),
        "places": secret.places(sent.before),
        "secret": secret,
        "kept": secret.kept(sent.before),
        "examples": examples(),
        "unused": unused(sent),
    }


FORM: Final = PartForm(
    section="connectors",
    word="connector",
    create="/create-connector",
    home="/connectors",
    template="connector_form.html",
    draft=ConnectorDraft,
    from_table=ConnectorDraft.of_table,
    first=lambda _: ConnectorDraft("", USUAL),
    is_mine=lambda table: "platform" not in table,
    more=_more,
    examine=examine_one,
)
PAGES: Final = (
    PageRoute("/connectors", show, live=True),
    *FORM.pages(),
    PageRoute("/connectors/{key}", one),
)
ACTS: Final = (Act("/connectors/{key}/check", "check --connect", check), *FORM.acts())
