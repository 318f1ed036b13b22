"""How long a full batch takes from its push to its rows: on a quiet installation, and with something in the way."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from tests.bench import bare
from tests.bench.delivering import SIZE, installed
from tests.bench.measuring import Ratio, timed
from tests.model import profiles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.delivering import BenchInstallation
    from tests.bench.servers import Servers

LANES = 50_000
ROUNDS = 10
FULL = f'{{ size = {SIZE}, timeout = "1s" }}'
PROBES = count(1_000_000)
"""Segments of their own for what is measured."""


def ratios(servers: Servers) -> Iterator[Ratio]:
    """A full batch by a worker: beside a bare driver's, among 50,000 due lanes, and without a ledger."""
    with installed(servers, "postgresql", batch=FULL) as installation:
        _start(installation)
        quiet = _batches(installation)
        event = {"type": "add", "segment": {"id": 1}, "profiles": profiles(*range(SIZE))}
        wanted = bare.transactions([event], "postgresql", SIZE)
        alone = tuple(bare.seconds(installation.target, wanted) for _ in range(ROUNDS))
        yield Ratio("postgresql: a full batch, push to rows, beside a bare driver", quiet, alone)
    with installed(servers, "postgresql", batch=FULL) as installation:
        installation.producer.push(
            {"type": "add", "segment": {"id": n}, "profiles": profiles(n)} for n in range(1, LANES + 1)
        )
        runtime = installation.runtime()
        while installation.redis.xlen(installation.keys.events):
            runtime.route("bench", 60)
        _start(installation)
        yield Ratio("the same among 50,000 due lanes, beside a quiet installation", _batches(installation), quiet)
    servers.ledger.create_database("bench")
    with installed(servers, "postgresql", batch=FULL) as installation:
        text = installation.file.read_text()
        installation.file.write_text(text.replace("sqlite:///ledger.db", servers.ledger.url("bench")))
        _start(installation)
        there = _batches(installation)
        servers.ledger.kill()
        yield Ratio("the same without the ledger's server, beside itself with it", _batches(installation), there)


def _start(installation: BenchInstallation) -> None:
    installation.worker("-Q", "route,upkeep", name="route")
    installation.worker("-Q", "deliver.crm", name="deliver")
    installation.beat()
    installation.ready()


def _batches(installation: BenchInstallation) -> tuple[float, ...]:
    return tuple(_seconds(installation) for _ in range(ROUNDS))


def _seconds(installation: BenchInstallation) -> float:
    segment = next(PROBES)
    asked = f"SELECT count(*) FROM member WHERE segment_id = {segment}"
    connection = installation.target.connect()
    try:
        cursor = connection.cursor()

        def run() -> None:
            installation.producer.add(segment, profiles(*range(SIZE)))
            while cursor.execute(asked).fetchone()[0] < SIZE:
                pass  # each look is a round trip; a pause would be measured, too

        return timed(run)
    finally:
        connection.close()
