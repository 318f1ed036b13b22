"""Reading many rows, as a resync does: read only, page by page as they come, and never taken for whole if they are not.

What ends early raises: the end of the rows is the driver's own word for it (rule 46). Implementations are the vendors'.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from workers.errors import ErrorClass, HoldLevel, Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE = 1_000
"""Rows that are taken from the driver at once."""


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


def paged(columns: Sequence[str], more: Callable[[], Sequence[tuple[Any, ...]]]) -> Iterator[Page]:
    """Pages of what `more` gives, until it gives nothing."""
    names = tuple(columns)
    rows = more()
    yield Page(names, rows)
    while rows:
        rows = more()
        if rows:
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
