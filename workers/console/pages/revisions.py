"""Revisions: who applied what and when, how two differ, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.publishing import publish
from workers.console.routes import Act, PageRoute
from workers.console.viewers import Role
from workers.console.visit import place
from workers.control import going_back
from workers.settings import revision, revisions
from workers.settings.differences import compared
from workers.settings.revisions import UnknownRevision

if TYPE_CHECKING:
    from starlette.responses import Response

    from workers.console.visit import Visit
    from workers.control.apply import ApplyPlan

MOST_DIGITS: Final = 9
"""Of a revision's number."""


def show(visit: Visit) -> Response:
    """All that are kept, the newest first."""
    listed = revisions.listed(visit.site.redis, visit.site.keys)
    applied = visit.site.runtime().applied.revision if listed else None
    return visit.page("revisions.html", listed=listed, applied=applied)


def one(visit: Visit) -> Response:
    """How a revision differs from the one before it, what applying it once more would change, and why it cannot be."""
    site, number = visit.site, _number(visit.path["number"])
    found = revisions.find(site.redis, site.keys, number)
    applied = revision.published(site.redis, site.keys)
    try:
        before = revisions.find(site.redis, site.keys, number - 1)
    except UnknownRevision:
        before = None
    back = compared(applied.text, found.text) if applied and applied.revision != number else []
    may = bool(back) and site.edit and visit.viewer.role >= Role.EDITOR
    return visit.page(
        "revision.html",
        revision=found,
        differences=compared(before.text, found.text) if before else None,
        back=back,
        applied=applied.revision if applied else None,
        may=may,
        refused=going_back.refusal(site.redis, site.keys, number) if may else "",
    )


def _number(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or len(text) > MOST_DIGITS:
        raise UnknownRevision(f"no revision {text[:40]!r}")
    return int(text)


def rollback(visit: Visit) -> Response:
    """As `segsync rollback`: applies an earlier revision once more, as a new one."""
    return publish(visit, _plan(visit), place("revisions"))


def _plan(visit: Visit) -> ApplyPlan:
    site, number = visit.site, _number(visit.path["number"])
    return going_back.plan_back(site.redis, site.keys, site.runtime().local, number)


PAGES: Final = (PageRoute("/revisions", show), PageRoute("/revisions/{number}", one))
ACTS: Final = (Act("/revisions/{number}/rollback", "rollback", rollback, role=Role.EDITOR, on="number", edits=True),)
