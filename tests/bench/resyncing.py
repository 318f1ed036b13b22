"""Resyncs: how fast, beside the same rows as events; what a verification takes; memory; events of others meanwhile.

SEGSYNC_BENCH_MEMBERS says how large the segment is, 100,000 unless said; SEGSYNC_BENCH_ROUNDS how many rounds.
`python -m tests.bench.resyncing MANY [verify|plain|resync|fill|series|nobody ...]` does that with a segment of so many
members, and tells what it took; `plain` is a loop that reads both lists into sets, in this process. `series` verifies
members and rows that PostgreSQL makes up as they are read, so that ten million need no tables; with `nobody` none of
the rows is a member's. `fill` makes an empty target equal to members that are made up, and tells the memory of reader
and deliverer each time another tenth is there.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from tests.bench.delivering import USUAL, BenchInstallation
from tests.bench.measuring import Ratio, timed
from tests.bench.servers import Servers
from tests.waiting import SELDOM
from workers.lanes.runs import ResyncRuns
from workers.resync.run import ResyncRun
from workers.settings import load, revision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.installation import Process

MEMBERS = int(os.environ.get("SEGSYNC_BENCH_MEMBERS", "100000"))
ROUNDS = int(os.environ.get("SEGSYNC_BENCH_ROUNDS", "3"))
LONG = 3_000.0
"""Seconds after which a run hangs."""
SOURCE = '''
[sources.main]
url = "{url}"
first = 0
rows = 5000
delay = "0s"
members = """{members}"""
'''
MEMBERS_OF = """SELECT id AS _id, 'customer-' || id AS "CustomID", 'customer-' || id || '@example.com' AS email
FROM membership WHERE segment_id = {segment_id} AND id > {after} ORDER BY id LIMIT {limit}"""
SERIES = """SELECT n AS _id, 'customer-' || n AS "CustomID" FROM generate_series(greatest({{after}}::bigint, 0) + 1,
least(greatest({{after}}::bigint, 0) + {{limit}}, {many})) AS n WHERE {{segment_id}} > 0 ORDER BY n"""
MADE_UP = "SELECT '{who}-' || n FROM generate_series(1, {many}) AS n WHERE {{segment_id}} > 0"
LISTED = "SELECT client_id FROM member WHERE segment_id = {segment_id}"
FILL = "INSERT INTO membership SELECT {segment}, n FROM generate_series(1, {many}) AS n"
TOLD = "INSERT INTO member SELECT {segment}, 'customer-' || n, now() FROM generate_series(1, {many}) AS n"
MEMBERSHIP = "CREATE TABLE membership (segment_id bigint, id bigint, PRIMARY KEY (segment_id, id))"


class Platform(BenchInstallation):
    """An installation whose PostgreSQL is the platform's and the target's, with workers by queue.

    reader, deliverer  the workers of these queues
    """

    reader: Process
    deliverer: Process

    def begin(self, processes: int) -> None:
        """Applies the configuration and starts the workers: by queue, or one for all with so many processes."""
        self.target.run(MEMBERSHIP)
        self.apply(MEMBERS_OF, LISTED)
        if processes:
            self.reader = self.deliverer = self.worker(concurrency=processes)
        else:
            self.reader = self.worker("-Q", "resync", name="read", concurrency=1)
            self.deliverer = self.worker("-Q", "deliver.crm", name="deliver", concurrency=2)
            self.worker("-Q", "route,upkeep", name="route", concurrency=1)
        self.ready()
        self.producer.add(1, [{"_id": "1", "CustomID": "first"}])
        self.settle()

    def apply(self, members: str, listed: str) -> None:
        """Applies the configuration: how the platform and the target list a segment."""
        integration = self.target.integration("members", batch=USUAL, members=listed)
        source = SOURCE.format(url=self.target.url, members=members)
        self.configure(self.target.connector(parallelism=2) + integration + source)
        revision.publish(self.redis, self.keys, load(self.file))

    def has(self, segment: int, many: int, *, told: bool = False) -> None:
        """The platform gets so many members in a segment; the target, too, if it was told."""
        self.target.run(FILL.format(segment=segment, many=many), *([TOLD.format(segment=segment, many=many)] * told))
        self.target.run("VACUUM ANALYZE membership", "VACUUM ANALYZE member")

    def rows(self, segment: int) -> int:
        return int(self.target.run(f"SELECT count(*) FROM member WHERE segment_id = {segment}")[0][0])

    def ask(self, segment: int, kind: str = "resync") -> str:
        runs = ResyncRuns(self.kept_runtime.lanes)
        return runs.ask("members", str(segment), "bench", kind, accept_removals=10**9, accept_adds=10**9)[0]

    def ended(self, run: str) -> ResyncRun | None:
        """The run, once it is over."""
        found = ResyncRun.read(ResyncRuns(self.kept_runtime.lanes).read(run))
        return found if found is not None and found.state == "ended" else None

    def ends(self, run: str) -> ResyncRun:
        """Waits for its end; AssertionError where that is not the one that was meant."""
        self.wait(lambda: self.ended(run), "the run's end", LONG, seldom=SELDOM)
        found = self.ended(run)
        assert found is not None
        assert found.outcome in {"done", "equal", "differs"}, found
        return found


@contextmanager
def platform(servers: Servers, processes: int = 0) -> Iterator[Platform]:
    """An empty one, ready; `processes` as in `begin`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target = stack.enter_context(servers.target("postgresql"))
        found = Platform(folder, servers.redis.url, f"bench_{os.urandom(4).hex()}", target)
        stack.callback(found.stop)
        found.begin(processes)
        yield found


def ratios(servers: Servers) -> Iterator[Ratio]:
    """A resync beside events, a verification beside a bare driver that reads both lists, others' events beside it."""
    with platform(servers) as place:
        pairs = [(_by_resync(place, 100 + n), _by_events(place, 200 + n)) for n in range(ROUNDS)]
        yield Ratio(f"{MEMBERS:,} members by a resync, beside events of 1,000", *_turned(pairs))
        place.has(300, MEMBERS, told=True)
        pairs = [(timed(lambda: place.ends(place.ask(300, "verify"))), _bare(place, 300)) for _ in range(ROUNDS)]
        yield Ratio(f"verify {MEMBERS:,}, beside a driver that reads both lists", *_turned(pairs))
        yield from _live(place)


def _turned(pairs: list[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(one for one, _ in pairs), tuple(other for _, other in pairs)


def _by_resync(place: Platform, segment: int) -> float:
    place.has(segment, MEMBERS)
    seconds = timed(lambda: place.ends(place.ask(segment)))
    assert place.rows(segment) == MEMBERS
    return seconds


def _by_events(place: Platform, segment: int) -> float:
    names = [f"customer-{n}" for n in range(1, MEMBERS + 1)]
    found = [{"_id": str(n), "CustomID": name, "email": f"{name}@example.com"} for n, name in enumerate(names, 1)]
    events = [
        {"type": "add", "segment": {"id": segment}, "profiles": found[at : at + 1000]} for at in range(0, MEMBERS, 1000)
    ]

    def run() -> None:
        place.producer.push(events)
        place.wait(lambda: not (place.redis.xlen(place.keys.events) or place.backlog()), "all", LONG, seldom=SELDOM)

    seconds = timed(run)
    assert place.rows(segment) == MEMBERS
    return seconds


def _bare(place: Platform, segment: int) -> float:
    def run() -> None:
        with psycopg.connect(place.target.url) as link:
            columns = "id, 'customer-' || id, 'customer-' || id || '@example.com'"
            source = f"SELECT {columns} FROM membership WHERE segment_id = {segment} ORDER BY id"
            for statement in (source, f"SELECT client_id FROM member WHERE segment_id = {segment}"):
                for _ in link.execute(statement):
                    pass

    return timed(run)


def _live(place: Platform) -> Iterator[Ratio]:
    """Push to visible, of lone events in a segment of their own."""
    quiet = latencies(place, 400, lambda at: at < 20)
    place.has(500, MEMBERS)
    run = place.ask(500)
    busy = latencies(place, 401, lambda _: place.ended(run) is None)
    for name, part in (("median", 0.5), ("95th percentile", 0.95)):
        yield Ratio(
            f"push to visible in another segment, {name}: {len(busy)} during a resync, beside none",
            (at(busy, part),),
            (at(quiet, part),),
        )


def latencies(place: Platform, segment: int, more: Any) -> list[float]:
    """Of one event after the other, the batch's timeout included."""
    found: list[float] = []
    with psycopg.connect(place.target.url, autocommit=True) as link:
        while more(len(found)):
            key = f"live-{len(found)}"
            began = time.perf_counter()
            place.producer.add(segment, [{"_id": key, "CustomID": key}])
            sql = f"SELECT 1 FROM member WHERE segment_id = {segment} AND client_id = '{key}'"
            while link.execute(sql).fetchone() is None:
                time.sleep(0.01)
            found.append(time.perf_counter() - began)
    return found


def at(values: list[float], part: float) -> float:
    """The value below which that part of them is."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def peaks(worker: Process) -> int:
    """Megabytes that the largest process of a worker has had."""
    found = []
    for pid in worker.children():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        found.append(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) // 1024)
    return max(found, default=0)


def processor(worker: Process) -> float:
    """Seconds of a processor that a worker's processes have had; a busy machine makes them few more."""
    stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in worker.children()]
    return sum(int(each[11]) + int(each[12]) for each in stats) / os.sysconf("SC_CLK_TCK")


def _ends(place: Platform, run: str, of: int) -> None:
    """Waits for a run's end; tells what the processes have had whenever another tenth of so many members is told."""
    told = 0
    while of and place.ended(run) is None:
        found = ResyncRun.read(ResyncRuns(place.kept_runtime.lanes).read(run))
        if found is not None and found.added >= of * (told + 1) // 10:
            told = found.added * 10 // of
            sys.stdout.write(f"{found.added:,} told: {peaks(place.reader)}, {peaks(place.deliverer)} MB at the most\n")
            sys.stdout.flush()
        time.sleep(SELDOM)
    place.ends(run)


def _plain(place: Platform, many: int) -> None:
    """What a loop takes that reads both lists into sets and compares these; it holds all of it in memory."""
    before = os.times()

    def run() -> None:
        with psycopg.connect(place.target.url) as link:
            columns = "id, 'customer-' || id, 'customer-' || id || '@example.com'"
            source = f"SELECT {columns} FROM membership WHERE segment_id = 7 ORDER BY id"
            members = {key for _, key, _ in link.execute(source)}
            rows = {key for (key,) in link.execute("SELECT client_id FROM member WHERE segment_id = 7")}
            assert (len(members), members ^ rows) == (many, set())

    seconds, after = timed(run), os.times()
    used = after.user + after.system - before.user - before.system
    sys.stdout.write(f"plain loop over {many:,}: {seconds:.1f} s, {used:.1f} s of its processor\n")
    sys.stdout.flush()


def main(many: int, kinds: list[str]) -> None:
    """What a segment of so many members takes that the target has; `nobody`: that has as many others."""
    with Servers() as servers, platform(servers) as place:
        for kind in kinds:
            if kind == "fill":
                place.apply(SERIES.format(many=many), LISTED)
            elif kind in {"series", "nobody"}:
                who = "customer" if kind == "series" else "nobody"
                place.apply(SERIES.format(many=many), MADE_UP.format(who=who, many=many))
            elif not place.rows(7):
                place.has(7, many, told=True)
            if kind == "plain":
                _plain(place, many)
                continue
            before = (peaks(place.reader), peaks(place.deliverer))
            had = processor(place.reader)
            asked = "resync" if kind in {"resync", "fill"} else "verify"
            run = place.ask(7, asked)
            seconds = timed(lambda: _ends(place, run, many if kind == "fill" else 0))  # noqa: B023 - called at once
            after = (peaks(place.reader), peaks(place.deliverer))
            sys.stdout.write(
                f"{kind} of {many:,}: {seconds:.1f} s, {processor(place.reader) - had:.1f} s of the reader's processor;"
                f" MB at the most of the reader {before[0]} -> {after[0]}, of the deliverer {before[1]} -> {after[1]}\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:] or ["verify"])
