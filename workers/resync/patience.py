"""How long a source is waited for: it may be slow, but neither silent nor endless (rule 46)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from workers.connectors.sql.listing import SILENT_SECONDS
from workers.resync.profiles import UnfitSource
from workers.settings.feeds import FeedSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from workers.settings.sources import AnySource

    Keep = Callable[[], None]

LONGEST_READING: Final = 86_400.0
"""Seconds that one reading may take as a whole: what is older than a day is no picture of the platform."""
NEARLY: Final = 0.99
"""Of the time without a member: a server that counts the same seconds may do so a little faster."""


def alone() -> None:
    """Says that a reading goes on, where nobody waits for that word."""


class Patience:
    """One reading of a source: its reader goes on while something comes, and not for ever without a member.

    members  that have come; whoever finds them among what came counts them here

    key     the source's, as it is told
    keep    says that the reader goes on, or raises where it must not
    silent  seconds without a new member after which the reading is given up
    """

    def __init__(self, key: str, keep: Keep, silent: float = SILENT_SECONDS) -> None:
        self.members = 0
        self._key, self._keep, self._silent = key, keep, silent
        self._seen = 0
        self._since = self._began = time.monotonic()

    def heard(self) -> None:
        """Something came. UnfitSource where that takes too long; whatever `keep` raises."""
        self._keep()
        now = time.monotonic()
        if now - self._began > LONGEST_READING:
            raise UnfitSource(
                f"source {self._key!r} has not come to its end within a day; expected a list that ends: "
                "look whether it gives members that there are not"
            )
        if self.members > self._seen:
            self._seen, self._since = self.members, now
        self.check()

    def check(self) -> None:
        """UnfitSource where no new member has come for too long."""
        if time.monotonic() - self._since > self._silent * NEARLY:
            raise UnfitSource(
                f"source {self._key!r} has given no new member for {self._silent:g} s, after {self.members:,}; "
                "expected one at least that often: give pages by `{after}`, or make its query faster"
            )

    def each(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """What comes, as it comes."""
        for chunk in chunks:
            self.heard()
            yield chunk

    def counted(self, entries: Iterable[bytes]) -> Iterator[bytes]:
        """The same members; each counts as soon as it is there."""
        for entry in entries:
            self.members += 1
            yield entry


def granted(source: AnySource) -> float:
    """Seconds for which a reader's lease goes on without its word, beyond those of any task: its source may be silent.

    As far as the file says so; all else is silent for no longer than any task may be (lanes/lease.py).
    """
    return max(0.0, source.timeout - SILENT_SECONDS) if isinstance(source, FeedSettings) else 0.0
