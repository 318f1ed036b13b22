"""The places of open streams of live parts (live.py): how many a browser may have, and what ends them."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_OF_BROWSER: Final = 3
"""Of one browser, in all its windows: it opens six connections to a host, and with a stream on each of them whatever it
asks for next waits for ever."""


@dataclass(eq=False, slots=True)
class OpenStream:
    """A stream's place.

    browser  whose it is: the value of its cookie; "" for one without
    ending   set when it must end
    gives_way  whether it ends for a newer one of its browser
    """

    browser: str
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    gives_way: bool = False


class Streams:
    """Those that are open, the oldest first; `end` ends them all, from the loop that serves them."""

    def __init__(self) -> None:
        self._open: list[OpenStream] = []

    def __len__(self) -> int:
        return len(self._open)

    @contextmanager
    def one(self, browser: str) -> Iterator[OpenStream]:
        """A place for one; its browser's oldest give way, where it has too many with this one."""
        place = OpenStream(browser)
        self._open.append(place)
        same = [each for each in self._open if each.browser == browser and not each.gives_way]
        for each in same[:-MOST_OF_BROWSER] if browser else ():
            each.gives_way = True
            each.ending.set()
        try:
            yield place
        finally:
            self._open.remove(place)

    def end(self) -> None:
        """Ends them all."""
        for each in self._open:
            each.ending.set()
