"""The costliest of many pieces of work: the clock of its own thread finds them, what they do then judges them."""

from __future__ import annotations

import contextlib
import heapq
import time
import tracemalloc
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from tests.lines import lines
from workers.templates import BadRows, TemplateErrors

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

JUDGED: Final = 5
"""So many, since one may have waited for something else than its own work."""
MOST_LINES: Final = 2_000_000
"""Lines of Python, of which a slow machine runs more in a second: two small cores of a cloud, some six million."""
MOST_BYTES: Final = 100 * 2**20


class _Run(NamedTuple):
    seconds: float
    number: int
    what: str
    work: Callable[[], object]


class Costliest:
    """Of all work that was run here, what took the most processor time."""

    def __init__(self) -> None:
        self._runs = 0
        self._kept: list[_Run] = []

    def run(self, work: Callable[[], T], what: str) -> T:
        """What the work gives; `what` names it."""
        self._runs += 1
        began = time.thread_time()
        try:
            return work()
        finally:
            run = _Run(time.thread_time() - began, self._runs, what, work)
            if len(self._kept) < JUDGED:
                heapq.heappush(self._kept, run)
            elif run > self._kept[0]:
                heapq.heapreplace(self._kept, run)

    def judge(self, most_lines: int = MOST_LINES, most_bytes: int = MOST_BYTES) -> str:
        """Runs the costliest once more, and says what they took. AssertionError where that is too much."""
        assert self._kept, "nothing was run"
        counts, peaks = [], []
        for run in self._kept:
            counts.append(lines(lambda run=run: _again(run)))  # type: ignore[misc]
            tracemalloc.start()
            _again(run)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
            assert counts[-1] <= most_lines, run
            assert peaks[-1] <= most_bytes, run
        longest = max(self._kept).seconds
        return f"{longest:.3f} s of processor, {max(counts):,} lines, {max(peaks) / 2**20:.1f} MiB"


def _again(run: _Run) -> None:
    with contextlib.suppress(BadRows, TemplateErrors):
        run.work()
