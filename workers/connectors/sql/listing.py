"""Reading many rows, as a resync does: read only, page by page as they come, and never taken for whole if they are not.

What ends early raises: the end of the rows is the driver's own word for it (rule 46). Implementations are the vendors'.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE = 5_000
"""Rows that are taken from the driver at once: by thousands, a list took half as long again to read."""
SILENT_SECONDS: Final = 300.0
"""After so long without a row a server is given up: it would be waited for for ever, and so would all other runs."""
SLOW_SECONDS: Final = 1.0
"""Rows that come so slowly are handed on before they fill a page, so that a reader can say that it goes on."""


class Page(NamedTuple):
    """Some rows, with the names of their columns as the database spells them."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]


class Lister(Protocol):
    """A session that only reads."""

    def pages(self, statement: str) -> Iterator[Page]:
        """All rows of one statement, in a transaction of its own; at least one page, which may be empty.

        Raises TargetError, also after some pages. Whoever stops earlier closes the session.
        """

    def close(self) -> None:
        """Ends the session; never raises."""


def paged(columns: Sequence[str], more: Callable[[int], Sequence[tuple[Any, ...]]]) -> Iterator[Page]:
    """Pages of what `more` gives, until it gives nothing.

    more  so many rows, fewer where these are the last ones; it may wait until there are as many, so it is asked for
          what a second is likely to give
    """
    names, size, ended, empty = tuple(columns), 1, False, True
    while not ended:
        rows: list[tuple[Any, ...]] = []
        until = time.monotonic() + SLOW_SECONDS
        while len(rows) < PAGE and (not rows or time.monotonic() < until):
            began, wanted = time.monotonic(), min(size, PAGE - len(rows))
            some = more(wanted)
            rows += some
            if len(some) < wanted:
                ended = True
                break
            size = max(1, min(PAGE, int(len(some) * SLOW_SECONDS / max(time.monotonic() - began, 1e-6))))
        if rows or empty:
            empty = False
            yield Page(names, rows)


def no_rows(dialect: str) -> TargetError:
    """The statement gives none, by its kind."""
    reason = "the statement gives no rows; expected a SELECT"
    return TargetError(ErrorClass.HOLD, f"{dialect} rows", reason, level=HoldLevel.INTEGRATION, phase=Phase.EXECUTE)


@contextmanager
def judging(judge: Callable[[Exception, Phase], TargetError], phase: Phase) -> Iterator[None]:
    """Whatever a driver raises comes out as TargetError, without the vendor's text in its traceback."""
    try:
        yield
    except (TargetError, MemoryError, GeneratorExit):
        raise
    except Exception as error:  # noqa: BLE001 - drivers raise more than their own errors; callers know only ours
        raise judge(error, phase) from None
