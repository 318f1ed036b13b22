"""What goes into a template and what comes out of it, as values.

    TemplateErrors   a query cannot be used: everything that is wrong with it, each with its place
    BadRows          a query is fine, these rows are not: all bad rows of the batch at once
    RowProblem       one row's fault, before anyone has said which row it is

No message ever holds a profile's value: the errors end in logs, Flower and the ledger (rule 33).
"""

from __future__ import annotations

from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from workers.errors import Mistake, SegsyncError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MISSING_KEY = "missing key"
BAD_KEY = "bad key"
BAD_VALUE = "bad value"


class QueryKind(StrEnum):
    """The event that a query answers; named as in the configuration."""

    ADD = "add"
    REMOVE = "remove"
    CLEAR = "clear"
    SEGMENT_UPSERT = "segment_upsert"
    SEGMENT_DELETE = "segment_delete"

    @property
    def has_profiles(self) -> bool:
        """Whether profiles come with the event."""
        return self in (QueryKind.ADD, QueryKind.REMOVE)


class Row(NamedTuple):
    """One profile as a template sees it.

    profile        field to value: None, bool, str, int, Numeral, list or dict
    event_time_us  when it happened, Unix microseconds
    sequence       grows along a lane, the same on every retry (rule 1)
    """

    profile: dict[str, object]
    event_time_us: int
    sequence: int


# A tuple becomes a Row without a call of Python's: a batch has thousands of them.
_row: Final = cast("Callable[[tuple[dict[str, object], int, int]], Row]", partial(tuple.__new__, Row))


def rows_of(
    profiles: Iterable[dict[str, object]], event_times_us: Iterable[int], sequences: Iterable[int]
) -> list[Row]:
    """A row of each profile, with its time and its number; there are as many of each."""
    return list(map(_row, zip(profiles, event_times_us, sequences, strict=True)))


class SegmentView(NamedTuple):
    """The segment as a template sees it; time and sequence are those of a segment event."""

    id: str
    name: str | None
    event_time_us: int
    sequence: int


class RowError(NamedTuple):
    """Why one row cannot be rendered.

    index   place in the rows given to `render`; -1 for a segment event, which has none
    field   the field as the template names it, as in "CustomID" or "address.city"; "" where none is known
    code    "missing key", "bad key" or "bad value": short and stable, for the quarantine
    reason  our sentence; never the value
    """

    index: int  # type: ignore[assignment]  # tuple.index means nothing for an error
    field: str
    code: str
    reason: str


class RowProblem(SegsyncError):
    """One profile cannot be used: its key is missing, or a value does not fit where it stands."""

    def __init__(self, field: str, code: str, reason: str) -> None:
        self.field = field
        self.code = code
        self.reason = reason
        super().__init__(f"{field}: {code}: {reason}" if field else f"{code}: {reason}")


class BadRows(SegsyncError):
    """Rows that cannot be rendered; `errors` names every bad row once, in order."""

    def __init__(self, errors: list[RowError]) -> None:
        self.errors = errors
        rows = "1 row" if len(errors) == 1 else f"{len(errors)} rows"
        first = errors[0]
        super().__init__(f"{rows} cannot be rendered; the first: {first.field}: {first.code}: {first.reason}")


class Oversized(SegsyncError):
    """The statements would be longer than a worker can bear; of fewer profiles they are shorter."""


class TemplateErrors(SegsyncError):
    """A query cannot be used; `mistakes` holds everything found, each with reason and remedy."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
