"""Tables of cases in one test: which of them fails is said."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def case(name: object) -> Iterator[None]:
    """What fails within is told with the case's name below it.

    For tables of dozens of cases that take microseconds each: as a test of its own, a case costs milliseconds.
    """
    try:
        yield
    except BaseException as error:
        error.add_note(f"in the case: {name}")
        raise
