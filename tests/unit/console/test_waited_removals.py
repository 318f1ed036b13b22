"""Whoever asks for a removal is told why it came to nothing, or it is written down: one of the two, always."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from tests.waiting import until
from workers.console import waited_removals
from workers.console.waited_removals import Drains
from workers.errors import SegsyncError

if TYPE_CHECKING:
    from collections.abc import Iterator

LINE_SECONDS = 0.01
"""What each line of the thread that removes takes in a test that is about whom it meets where."""


class CameToNothing(SegsyncError):
    """The removal did."""


def fail() -> NoReturn:
    raise CameToNothing("somebody has put it back")


def slowly(frame: Any, event: str, _argument: object) -> Any:
    """A trace function: a moment before each line of the module."""
    if frame.f_code.co_filename != waited_removals.__file__:
        return None
    if event == "line":
        time.sleep(LINE_SECONDS)
    return slowly


@pytest.fixture
def slow_lines() -> Iterator[None]:
    before = threading.gettrace()
    threading.settrace(slowly)
    yield
    threading.settrace(before)


@pytest.mark.usefixtures("slow_lines")
def test_what_fails_as_the_patience_ends_is_raised_or_written_down() -> None:
    drains, written = Drains(), list[Exception]()
    raised, tries = 0, 20
    for number in range(tries):
        key = f"crm-{number}"
        try:
            drains.begin(key, fail, written.append, number * LINE_SECONDS / 2)
        except CameToNothing:
            raised += 1
        until(lambda key=key: key not in drains)  # type: ignore[misc]
    assert raised + len(written) == tries


def test_what_fails_later_is_written_down() -> None:
    drains, written, goes_on = Drains(), list[Exception](), threading.Event()

    def late() -> NoReturn:
        goes_on.wait()
        fail()

    assert drains.begin("crm", late, written.append, 0.01) is None
    assert "crm" in drains
    assert drains.failure("crm") is None
    goes_on.set()
    until(lambda: "crm" not in drains)
    assert [type(each) for each in written] == [CameToNothing]
    assert drains.failure("crm") is written[0]


def test_what_fails_at_once_is_raised_alone() -> None:
    drains, written = Drains(), list[Exception]()
    with pytest.raises(CameToNothing):
        drains.begin("crm", fail, written.append, 60.0)
    assert written == []
    assert drains.failure("crm") is None
