"""Sources: where segments' members are read for resyncs, their check, and the form that creates and changes one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workers.console.checks import check_source
from workers.console.connector_drafts import examples
from workers.console.failures import NotFound
from workers.console.pages.part_forms import PartForm
from workers.console.routes import Act, PageRoute
from workers.console.secret_places import KEPT, NOWHERE, VARIABLE, source_secret
from workers.console.source_drafts import PAGES as KINDS_OF_PAGES
from workers.console.source_drafts import SQL, USUAL, SourceDraft
from workers.console.sources import read_sources
from workers.console.visit import place
from workers.errors import SettingsError
from workers.preflight.targets import examine_one_source

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.pages.part_forms import SentPart
    from workers.console.sources import SourceState
    from workers.console.visit import Visit


def show(visit: Visit) -> Response:
    """All of them."""
    return visit.page("sources.html", listed=_sources(visit))


def _sources(visit: Visit) -> list[SourceState]:
    return read_sources(visit.site.runtime())


def one(visit: Visit) -> Response:
    """One of them."""
    key = visit.path["key"]
    found = next((each for each in _sources(visit) if each.key == key), None)
    if found is None:
        raise NotFound(f"{key[:80]} is no source of the applied configuration")
    return visit.page("source.html", each=found, at=place("sources", key))


def check(visit: Visit) -> Response:
    """As `segsync check --connect`, of this source alone."""
    key = visit.path["key"]
    found = check_source(visit.site, key, visit.viewer.name)
    return visit.go(place("sources", key), f"{key} needs someone" if found.wrong else f"{key} is fine")


def _first(visit: Visit) -> SourceDraft:
    kind = visit.query.get("kind", "")
    kind = kind if kind in USUAL else SQL
    return SourceDraft("", {**USUAL[kind], "kind": kind})


def _more(sent: SentPart) -> dict[str, Any]:
    draft, key = SourceDraft(sent.draft.key, sent.draft.fields), sent.draft.key or "KEY"
    secret, applied = source_secret(key), SourceDraft.of_table(key, sent.before) if sent.before else SourceDraft(key)
    tokens = [VARIABLE, NOWHERE, *([KEPT] if applied.text("token_place") == KEPT else [])]
    return {
        "kind": draft.kind,
        "command": " ".join(sent.before.get("command", ())),
        "lacks": _lacks(sent),
        "places": secret.places(sent.before),
        "secret": secret,
        "kept": secret.kept(sent.before),
        "tokens": tokens,
        "token_secret": source_secret(key, "token"),
        "headers": sorted(sent.before.get("headers", ())),
        "examples": examples(),
        "pages": KINDS_OF_PAGES,
    }


def _lacks(sent: SentPart) -> str:
    if sent.settings is None:
        return ""
    try:
        sent.settings.sources[sent.draft.key].resolve()
    except SettingsError as error:
        return "; ".join(str(mistake) for mistake in error.mistakes)
    return ""


FORM: Final = PartForm(
    section="sources",
    word="source",
    create="/create-source",
    home="/sources",
    template="source_form.html",
    draft=SourceDraft,
    from_table=SourceDraft.of_table,
    first=_first,
    is_mine=lambda _: True,
    more=_more,
    examine=examine_one_source,
)
PAGES: Final = (PageRoute("/sources", show), *FORM.pages(), PageRoute("/sources/{key}", one))
ACTS: Final = (Act("/sources/{key}/check", "check --connect", check), *FORM.acts())
