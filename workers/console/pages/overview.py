"""The overview: everything at a look, and every integration with what stops it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.routes import PageRoute
from workers.monitoring import status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from workers.console.routes import Act
    from workers.console.visit import Visit
    from workers.monitoring.states import IntegrationStatus

SHOWN: Final = 100
"""Integrations on one page."""
LONGEST_NUMBER: Final = 6
"""Digits of a page's number."""
SAMPLE: Final = 2
"""Lanes of each integration that are looked at, at each end of a due set: what fails stands there; `status K` and an
integration's own page look at more."""
STATES: Final = ("held", "orphaned", "retrying", "waiting", "draining", "paused", "active")
"""The order in which they are shown: whoever needs someone stands first."""


def show(visit: Visit) -> Response:
    """The page; `q` and `state` of the query leave out integrations, `page` counts from 1."""
    runtime = visit.site.runtime()
    found = status.read(runtime, sample=SAMPLE)
    declared = runtime.applied.settings.integrations if found.revision is not None else {}
    names = {key: each.name for key, each in declared.items() if each.name != key}
    fitting = _fitting(found.integrations, names, visit.query.get("q", ""), visit.query.get("state", ""))
    number = _page_number(visit.query.get("page", ""))
    listed = fitting[(number - 1) * SHOWN : number * SHOWN]
    visit.site.activity.refresh()
    return visit.page(
        "overview.html",
        found=found,
        fitting=len(fitting),
        listed=listed,
        names=names,
        sparks={each.key: visit.site.activity.spark(each.key) for each in listed},
        number=number,
        pages=max(1, -(-len(fitting) // SHOWN)),
        states={name: sum(each.state == name for each in found.integrations) for name in STATES},
        q=visit.query.get("q", ""),
        state=visit.query.get("state", ""),
    )


def _page_number(text: str) -> int:
    """Which page is meant; the first where nobody says, or it is none."""
    is_number = text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER
    return max(1, int(text)) if is_number else 1


def _fitting(
    integrations: Sequence[IntegrationStatus], names: Mapping[str, str], text: str, state: str
) -> list[IntegrationStatus]:
    """Those whose key or name has the text in it."""
    wanted = text.lower()
    found = [
        each
        for each in integrations
        if state in ("", each.state) and (wanted in each.key.lower() or wanted in names.get(each.key, "").lower())
    ]
    return sorted(found, key=lambda each: (STATES.index(each.state), each.key))


PAGES: Final = (PageRoute("/", show, live=True),)
ACTS: Final[tuple[Act, ...]] = ()
