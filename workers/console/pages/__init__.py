"""All pages, and all acts that they offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.pages import (
    accounts,
    audit,
    connectors,
    editing,
    erase,
    find,
    integration,
    overview,
    quarantine,
    resyncs,
    revisions,
    runs,
    segments,
    system,
    transmitted,
)

if TYPE_CHECKING:
    from workers.console.routes import Act, PageRoute

_LOOKING: Final = (overview, integration, segments, runs, quarantine, find, erase, transmitted, system, audit)
_ALL: Final = (*_LOOKING, accounts, connectors, editing, resyncs, revisions)
PAGES: Final[tuple[PageRoute, ...]] = tuple(each for module in _ALL for each in module.PAGES)
ACTS: Final[tuple[Act, ...]] = tuple(each for module in _ALL for each in module.ACTS)
