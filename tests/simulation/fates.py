"""What may befall a call, and whether it does: told by the seed, the caller and the number of its call, nothing else.

So a history can be replayed with some of its misfortunes left out, and all others stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Mapping

REDIS = ("lost", "unanswered", "twice", "stalled", "stalled after", "dies", "dies after")
"""Of calls to Redis: not executed; executed, its answer lost; sent twice, as the client library does; made by a process
that stands still for longer than its lease before or after; or that ends before or after."""
TARGET = (
    *("deadlock", "cut", "commit cut", "commit unanswered", "refused", "slow"),
    *("stalled", "stalled after", "dies", "dies after"),
)
"""Of calls to a target: its transaction is undone; the link is lost before, with COMMIT not executed, or executed and
not answered; no session is to be had; it takes long; and as above."""
LEDGER = ("lost", "unanswered", "slow", "dies", "dies after")
BROKER = ("lost", "twice")


@dataclass(slots=True)
class Fates:
    """Draws what befalls calls.

    rates    chance of each fate for one call, by "kind:fate"; what is absent does not happen
    without  misfortunes left out, as `met` names them
    met      what has happened, as "actor#call kind:fate"
    """

    seed: int
    rates: Mapping[str, float]
    without: frozenset[str] = frozenset()
    met: list[str] = field(default_factory=list)
    storm: bool = True

    def draw(self, actor: str, call: int, kind: str, fates: tuple[str, ...]) -> str:
        """What befalls this call; "" for nothing."""
        if not self.storm:
            return ""
        chance = crc32(f"{self.seed}/{actor}/{call}/{kind}".encode()) / 2**32
        for fate in fates:
            rate = self.rates.get(f"{kind}:{fate}", 0.0)
            if chance < rate:
                return fate if self.happens(f"{actor}#{call} {kind}:{fate}") else ""
            chance -= rate
        return ""

    def happens(self, what: str) -> bool:
        """Whether something that was drawn does happen: unless it is left out; noted if it does."""
        if what in self.without:
            return False
        self.met.append(what)
        return True
