"""A full lane, each batch settled while the next one is executed, beside the same with one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.bench.delivering import installed
from tests.bench.measuring import Ratio, compare, timed
from tests.model import profiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.servers import Servers

ROUNDS = 9
OPERATIONS = 30_000


def ratios(servers: Servers) -> Iterator[Ratio]:
    """By batches of 100, and of 1,000; routed before, and the ledger left out."""
    for dialect in ("postgresql", "mysql"):
        for size in (100, 1_000):
            yield compare(
                f"{dialect}: a full lane, {size:,} a batch, settled meanwhile beside in turn",
                lambda dialect=dialect, size=size: _seconds(servers, dialect, size, overlapping=True),  # type: ignore[misc]
                lambda dialect=dialect, size=size: _seconds(servers, dialect, size, overlapping=False),  # type: ignore[misc]
                ROUNDS,
            )


def _seconds(servers: Servers, dialect: str, size: int, *, overlapping: bool) -> float:
    with installed(servers, dialect, batch=f'{{ size = {size}, timeout = "100ms" }}') as installation:
        events: list[dict[str, Any]] = [
            {"type": "add", "segment": {"id": 7}, "profiles": profiles(*range(first, first + 1_000))}
            for first in range(0, OPERATIONS, 1_000)
        ]
        installation.producer.push(events)
        runtime = installation.kept_runtime
        runtime.route("bench", 60)
        runtime._deliverer("crm")._overlapping = overlapping

        def deliver() -> None:
            while installation.backlog():
                runtime.deliver("crm", "bench", 60)

        return timed(deliver)
