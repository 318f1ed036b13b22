"""All pages, and all acts that they offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.console.pages import overview

if TYPE_CHECKING:
    from workers.console.routes import Act, PageRoute

PAGES: Final[tuple[PageRoute, ...]] = (*overview.PAGES,)
ACTS: Final[tuple[Act, ...]] = ()
