"""A filled lane beside the bare driver; (d) many lanes of one event; (e) one event wanted by ten integrations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.measuring import timed
from tests.bench.report import loads
from tests.bench.report.contest import serve
from tests.bench.report.drivers import Bare
from tests.bench.report.ours import BATCH, Ours
from tests.bench.report.places import place
from tests.bench.report.throughput import watched
from tests.targets import TABLES
from tests.waiting import until
from workers.control.drain import drain
from workers.control.startup import collect_rarely

if TYPE_CHECKING:
    from tests.bench.report.figures import Figures
    from tests.bench.report.loads import Load
    from tests.bench.report.sizes import Sizes
    from tests.bench.servers import Servers
    from tests.targets import TargetDatabase
    from workers.runtime import Runtime

TURN_SECONDS = 60.0
DRIVEN = 2_000
"""Operations of (d) that the bare driver is given: a COMMIT for each takes long."""
INTEGRATIONS = 10


def filled(servers: Servers, sizes: Sizes, rounds: int, figures: Figures) -> None:
    """One lane that is full, delivered by one process, beside one link of the bare driver."""
    collect_rarely()  # as a worker does at its start, whose part this process plays
    load = loads.hot(sizes.filled)
    for dialect in ("postgresql", "mysql"):
        for _ in range(rounds):
            with place(servers, dialect) as where:
                figures.note(f"lane.{dialect}.bare", load.operations / Bare().run(where, load))
            figures.note(f"lane.{dialect}.rate", load.operations / _delivering(servers, dialect, load, figures))
        figures.relate(f"lane.{dialect}.of_bare", f"lane.{dialect}.rate", f"lane.{dialect}.bare")


def _delivering(servers: Servers, dialect: str, load: Load, figures: Figures) -> float:
    ours = Ours()
    with place(servers, dialect) as where:
        ours.configure(where)
        try:
            runtime = ours.installation.runtime()
            ours.push(loads.warm_up().events)
            until(lambda: drain(runtime, TURN_SECONDS) and ours.installation.settled(), "what warms it up")
            where.target.run("DELETE FROM member")
            ours.push(load.events)
            while ours.installation.redis.xlen(ours.installation.keys.events):
                runtime.route("bench", TURN_SECONDS)
            seconds = timed(lambda: _deliver_all(ours, runtime))
        finally:
            ours.stop()
        figures.check(f"lane.{dialect}", load.wrong(where.target))
    return seconds


def _deliver_all(ours: Ours, runtime: Runtime) -> None:
    """As a worker does on its wake-ups; what the ledger is told is upkeep's, and not of it."""
    while ours.installation.backlog():
        for wake in runtime.tick("task").wakes:
            kind, _, connector = wake.queue.partition(".")
            if kind == "deliver":
                runtime.deliver(connector, wake.token, TURN_SECONDS)
            runtime.lanes.give_back(wake.queue, wake.token)


def due(servers: Servers, sizes: Sizes, figures: Figures) -> None:
    """(d): so many segments with one event each; once, as it takes long."""
    load = loads.single(sizes.due)
    few = load.first(DRIVEN)
    with place(servers) as where:
        figures.note("d.bare.rate", few.operations / Bare().run(where, few))
    seconds = watched("d", servers, load, figures)
    figures.note("d.seconds_of_100000", 100_000 * seconds / load.operations)
    figures.relate("d.segsync.of_bare", "d.segsync.rate", "d.bare.rate")


def fan(servers: Servers, sizes: Sizes, rounds: int, figures: Figures) -> None:
    """(e): rows a second where each event has ten of them, beside as many rows of (a)."""
    load = loads.hot(sizes.fan)
    alone = loads.hot(sizes.fan * INTEGRATIONS)
    for _ in range(rounds):
        ours = Ours()
        with place(servers) as where:
            try:
                figures.note("e.alone.rate", alone.operations / serve(ours, where, alone))
            finally:
                ours.stop()
        with place(servers) as where:
            ours = Ours(_ten(where.target))
            try:
                figures.note("e.segsync.rate", load.operations * INTEGRATIONS / serve(ours, where, load))
            finally:
                ours.stop()
            figures.check("e.segsync", _wrong(where.target, load))
    figures.relate("e.of_a", "e.segsync.rate", "e.alone.rate")


def _ten(target: TargetDatabase) -> str:
    """Integrations of which each keeps a table of its own; the first keeps the one that the others are copies of."""
    create = TABLES[target.dialect][0]
    text = target.connector(parallelism=16)
    for number in range(INTEGRATIONS):
        table = _table(number)
        if number:
            target.run(create.replace("TABLE member", f"TABLE {table}"))
        queries = target.integration(key=table, batch=BATCH, leave_out=("segment_upsert", "segment_delete"))
        text += queries.replace(" member ", f" {table} ")
    return text


def _table(number: int) -> str:
    return f"member_{number}" if number else "member"


def _wrong(target: TargetDatabase, load: Load) -> int:
    wanted = load.rows
    wrong = 0
    for number in range(INTEGRATIONS):
        asked = f"SELECT segment_id, client_id FROM {_table(number)} WHERE segment_id < {loads.WARM_SEGMENT}"
        wrong += len(wanted ^ {(str(segment), client) for segment, client in target.run(asked)})
    return wrong
