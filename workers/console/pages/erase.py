"""Erase a person: where their data lies, and then, when somebody has typed that they mean it, that it goes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from workers.console.routes import Act, PageRoute
from workers.console.viewers import Role
from workers.control.erasing import opened
from workers.control.wanted import told_of, wanted
from workers.errors import WrongUsage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from starlette.responses import Response

    from workers.console.visit import Visit
    from workers.control.erasing import Erasure, PlaceFound

MEANT: Final = "erase"
"""What is typed by whoever means it."""


def show(visit: Visit) -> Response:
    """The form. Nobody stands in its address: who is asked for is posted."""
    return _page(visit)


def look(visit: Visit) -> Response:
    """As `segsync erase --dry-run`: where they are, and a field to say that it is meant."""
    with _opened(visit) as erasure:
        return _page(visit, erasure.find().places(), looked=True)


def erase(visit: Visit) -> Response:
    """As `segsync erase --yes`; what is erased is looked for anew."""
    if visit.field("confirm") != MEANT:  # what was typed instead may be a person's, and this is written down
        raise WrongUsage(
            f"something else was typed; expected {MEANT!r}, since nothing brings it back: nothing was done"
        )
    with _opened(visit) as erasure:
        return _page(visit, erasure.erase(erasure.find(), visit.viewer.name), erased=True)


@contextmanager
def _opened(visit: Visit) -> Iterator[Erasure]:
    profiles, values = wanted(*_named(visit))
    with visit.site.turns.one(), opened(visit.site.runtime().local, profiles, values) as erasure:
        yield erasure


def _named(visit: Visit) -> tuple[list[str], list[str]]:
    """Ids and values, one in each line."""
    ids, values = (visit.field(name).splitlines() for name in ("ids", "values"))
    return [each.strip() for each in ids if each.strip()], values


def _page(visit: Visit, places: Sequence[PlaceFound] = (), *, looked: bool = False, erased: bool = False) -> Response:
    return visit.page(
        "erase.html",
        ids=visit.field("ids"),
        values=visit.field("values"),
        reason=visit.field("reason"),
        places=places,
        looked=looked,
        erased=erased,
        left=[each for each in places if each.left],
        meant=MEANT,
    )


def _told(visit: Visit) -> str:
    """How many were asked for: who they are is written down nowhere."""
    ids, values = _named(visit)
    return told_of(ids, [each for each in values if each.strip()])


PAGES: Final = (PageRoute("/erase", show, role=Role.OPERATOR),)
ACTS: Final = (
    Act("/erase/look", "erase --dry-run", look, kept=False),
    Act("/erase", "erase", erase, told=_told),
)
