"""(g) a slow target beside a fast one; (i) more workers where the target is slow enough not to be the limit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.bench.report import loads
from tests.bench.report.contest import LONGEST_SECONDS, serve
from tests.bench.report.ours import BATCH, Ours
from tests.bench.report.places import place
from tests.targets import TABLES
from tests.waiting import until

if TYPE_CHECKING:
    from tests.bench.report.contest import Place
    from tests.bench.report.figures import Figures
    from tests.bench.report.sizes import Sizes
    from tests.bench.servers import Servers
    from tests.targets import TargetDatabase

SLEEP = "CREATE FUNCTION doze() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.05); RETURN NULL; END'"
OF_A_SLOW_ONE = 10
"""Profiles of each slow segment."""
FULL_AT_ONCE = f'{{ size = {OF_A_SLOW_ONE}, timeout = "1s" }}'
"""What is measured waits for no timeout, which would be the same however many workers there are; what warms up does."""
FIRST_SLOW = 1_000


def doze(table: str) -> tuple[str, str]:
    """Statements after which each statement on a table takes 50 ms more, whatever its rows."""
    on = f"AFTER INSERT OR DELETE ON {table} FOR EACH STATEMENT"
    return SLEEP, f"CREATE TRIGGER doze {on} EXECUTE FUNCTION doze()"


class Beside(Ours):
    """segsync with a fast connector and a slow one; idle is it when the fast one owes nothing."""

    def __init__(self, text: str) -> None:
        super().__init__(text, {"route": 1, "upkeep": 1})

    def start(self, place: Place) -> None:
        """A worker for each connector, as the README advises."""
        super().start(place)
        for connector in ("fast", "slow"):
            self.add_worker(connector, 1, f"deliver.{connector}")
        self.installation.ready()

    def idle(self) -> bool:
        """Whether the intake and the fast lanes are empty."""
        return not (self.installation.redis.xlen(self.installation.keys.events) or self.owed("fast"))

    def rests(self) -> bool:
        """The same, and nothing is left to be written down."""
        return self.idle() and not self.installation.redis.xlen(self.installation.keys.outcomes)

    def owed(self, key: str) -> int:
        """Operations that an integration owes."""
        return int(self.installation.redis.hget(self.installation.keys.integration(key), "backlog") or 0)


def beside(servers: Servers, sizes: Sizes, rounds: int, figures: Figures) -> None:
    """(g): what the fast one loses while the slow one is busy."""
    load = loads.hot(sizes.fast)
    for _ in range(rounds):
        for name, slow in (("alone", 0), ("beside", sizes.slow)):
            with place(servers) as where:
                ours = Beside(_two(where.target))
                backlog = loads.segments(slow, OF_A_SLOW_ONE, FIRST_SLOW)
                try:
                    looks: list[dict[str, float]] = []
                    look = partial(_look, ours, servers, looks)
                    seconds = serve(_Laden(ours, backlog), where, load, look)
                    figures.note(f"g.{name}.rate", load.operations / seconds)
                    figures.busy(f"g.{name}", looks[0], looks[1], seconds)
                    figures.note(f"g.{name}.slow_left", ours.owed("slow"))
                finally:
                    ours.stop()
                figures.check("g", load.wrong(where.target))
    figures.relate("g.kept", "g.beside.rate", "g.alone.rate")


def _look(ours: Ours, servers: Servers, looks: list[dict[str, float]]) -> None:
    looks.append(ours.spent(servers))


class _Laden:
    """The same, with a backlog for the slow one, which is in its lanes before the load comes."""

    def __init__(self, ours: Beside, backlog: loads.Load) -> None:
        self._ours, self._backlog = ours, backlog
        self.title = ours.title
        self.groups, self.idle, self.stop = ours.groups, ours.idle, ours.stop
        self.rests = ours.idle if backlog.events else ours.rests  # with a backlog there is always something to write
        self._pushes = 0

    def start(self, place: Place) -> None:
        self._ours.start(place)

    def push(self, events: list[dict[str, object]]) -> None:
        """First what warms up, and the backlog behind it; then the load."""
        self._ours.push(events)
        if not self._pushes and self._backlog.events:
            until(self._ours.rests, "what warms it up", LONGEST_SECONDS)
            self._ours.push(self._backlog.events)
            until(lambda: not self._ours.installation.redis.xlen(self._ours.installation.keys.events), "routing")
        self._pushes += 1


def _two(target: TargetDatabase) -> str:
    target.run(TABLES[target.dialect][0].replace("TABLE member", "TABLE slow"), *doze("slow"))
    left_out = ("segment_upsert", "segment_delete")
    wanted = ", ".join(str(FIRST_SLOW + number) for number in range(1_000))
    warm = ", ".join(str(loads.WARM_SEGMENT + number) for number in range(loads.WARM))
    text = target.connector("fast") + target.connector("slow")
    text += target.integration("fast", "fast", batch=BATCH, leave_out=left_out).replace(
        'segments = "all"', f"segments = [{loads.HOT}, {warm}]"
    )
    slow = target.integration("slow", "slow", batch=BATCH, leave_out=left_out)
    return text + slow.replace(" member ", " slow ").replace('segments = "all"', f"segments = [{wanted}]")


def workers(servers: Servers, sizes: Sizes, rounds: int, figures: Figures) -> None:
    """(i): as many batches by one, two and four workers, of one process each."""
    load = loads.segments(sizes.slow, OF_A_SLOW_ONE)
    for _ in range(rounds):
        for count in (1, 2, 4):
            with place(servers) as where:
                where.target.run(*doze("member"))
                crowd = {"route": 1, "upkeep": 1} | {f"deliver{number}": 1 for number in range(count)}
                text = where.target.connector(parallelism=16) + where.target.integration(batch=FULL_AT_ONCE)
                ours = Ours(text, crowd)
                try:
                    figures.note(f"i.{count}.rate", sizes.slow / serve(ours, where, load))
                finally:
                    ours.stop()
                figures.check("i", load.wrong(where.target))
    for count in (2, 4):
        figures.relate(f"i.{count}.grown", f"i.{count}.rate", "i.1.rate")
        figures.values[f"i.{count}.linear"] = [grown / count for grown in figures.values[f"i.{count}.grown"]]
