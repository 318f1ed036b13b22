"""Ratios of two things measured in turn, so that whatever else the machine does meets both."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Ratio:
    """How much longer one thing took than another, in each round.

    what    what was compared with what
    ours    seconds of the one, by round
    other   seconds of the other, by round
    """

    what: str
    ours: tuple[float, ...]
    other: tuple[float, ...]

    @property
    def each(self) -> list[float]:
        """The rounds' ratios, smallest first."""
        return sorted(one / other for one, other in zip(self.ours, self.other, strict=True))

    def __str__(self) -> str:
        each = self.each
        ours, other = statistics.median(self.ours), statistics.median(self.other)
        low, middle, high = statistics.quantiles(each, n=4, method="inclusive") if len(each) > 1 else each * 3
        shown = f"{middle:7.2f}   {low:.2f} … {high:.2f}"
        return f"{self.what:<72}{shown:<26}{_seconds(ours):>10}{_seconds(other):>10}"


def compare(what: str, ours: Callable[[], float], other: Callable[[], float], rounds: int) -> Ratio:
    """Both in turn, so many rounds; each gives the seconds that it took (see `timed`)."""
    pairs = [(ours(), other()) for _ in range(rounds)]
    one, two = zip(*pairs, strict=True)
    return Ratio(what, one, two)


def timed(run: Callable[[], object]) -> float:
    """Seconds that it takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def _seconds(value: float) -> str:
    return f"{value * 1000:.2f} ms" if value < 1 else f"{value:.2f} s"
