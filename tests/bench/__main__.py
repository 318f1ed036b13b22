"""`python -m tests.bench [PART ...]`, of those that `PARTS` names: ratios, medians of several rounds."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.bench import (
    delivering,
    flagged,
    growth,
    looking,
    overlap,
    pages,
    protocol,
    recording,
    rendering,
    resyncing,
    stages,
    usual,
    waiting,
)
from tests.bench.servers import Servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.measuring import Ratio

PARTS: dict[str, Callable[[Servers], Iterator[Ratio]]] = {
    "rendering": lambda _: rendering.ratios(),
    "recording": lambda _: recording.ratios(),
    "stages": stages.ratios,
    "usual": usual.ratios,
    "drain": delivering.ratios,
    "ordering": delivering.by_ordering,
    "workers": delivering.by_workers,
    "batches": waiting.ratios,
    "looks": looking.ratios,
    "overlap": overlap.ratios,
    "resync": resyncing.ratios,
    "pages": pages.ratios,
    "protocol": protocol.ratios,
    "flagged": flagged.ratios,
    "growth": lambda _: growth.ratios(),
}


def main(wanted: list[str]) -> int:
    """Runs the named parts, or all; 2 for a name that is none."""
    if unknown := [name for name in wanted if name not in PARTS]:
        sys.stderr.write(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}\n")
        return 2
    sys.stdout.write(f"{'':<72}{'ratio':>7}   {'quartiles':<16}{'the one':>10}{'the other':>10}\n")
    with Servers() as servers:
        for name in wanted or PARTS:
            for ratio in PARTS[name](servers):
                sys.stdout.write(f"{ratio}\n")
                sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
