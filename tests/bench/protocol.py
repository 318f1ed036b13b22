"""What PostgreSQL takes for a statement by the extended protocol, as it is sent, beside the simple one.

The extended one takes a single statement and no more: behind the compiler of templates it is the last wall. What that
costs is part of what segsync lacks to the bare driver, which sends the same by the simple one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import pq

from tests.bench import bare
from tests.bench.measuring import Ratio, timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from psycopg.pq.abc import PGconn

    from tests.bench.servers import Servers

ROUNDS = 5
BATCHES, ROWS = 80, 1_000
TICKS = 100
"""Of a processor's second in /proc."""


def ratios(servers: Servers) -> Iterator[Ratio]:
    """By the clock, and by the processor time of the server's process for the link."""
    by_clock: dict[bool, list[float]] = {False: [], True: []}
    processor: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for extended in (False, True):
            clock, spent = _round(servers, extended=extended)
            by_clock[extended].append(clock)
            processor[extended].append(spent)
    for what, found in (("the clock", by_clock), ("the server's processor", processor)):
        title = f"1,000 rows a statement: extended protocol beside the simple one, {what}"
        yield Ratio(title, tuple(found[True]), tuple(found[False]))


def _round(servers: Servers, *, extended: bool) -> tuple[float, float]:
    events = [
        {
            "type": "add",
            "segment": {"id": 7},
            "profiles": [{"CustomID": f"c{n:07}"} for n in range(first, first + ROWS)],
        }
        for first in range(0, BATCHES * ROWS, ROWS)
    ]
    with servers.target("postgresql") as target:
        statements = [each.encode() for (each,) in bare.transactions(events, "postgresql", ROWS)]
        connection = target.connect()
        try:
            link = connection.pgconn
            execute: Callable[[bytes], None] = (lambda each: _extended(link, each)) if extended else link.exec_
            before = _spent(link.backend_pid)
            clock = timed(lambda: _run(link, execute, statements))
            return clock, _spent(link.backend_pid) - before
        finally:
            connection.close()


def _extended(link: PGconn, statement: bytes) -> None:
    assert link.exec_params(statement, None).status == pq.ExecStatus.COMMAND_OK


def _run(link: PGconn, execute: Callable[[bytes], object], statements: list[bytes]) -> None:
    for each in statements:
        link.exec_(b"BEGIN")
        execute(each)
        link.exec_(b"COMMIT")


def _spent(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS
