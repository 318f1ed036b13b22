"""What use costs: bytes in Redis, rows in the ledger, idle processes, (j) a million idle lanes, starting, looking."""

from __future__ import annotations

import json
import sqlite3
import statistics
import time
from typing import TYPE_CHECKING, Any

from tests.bench.measuring import timed
from tests.bench.report import loads
from tests.bench.report.ours import Ours
from tests.bench.report.places import place
from tests.bench.report.processes import cpu_seconds, family, resident_bytes
from tests.waiting import until
from workers.control.drain import drain

if TYPE_CHECKING:
    from tests.bench.report.contest import Place
    from tests.bench.report.figures import Figures
    from tests.bench.report.sizes import Sizes
    from tests.bench.servers import Servers

NEVER = '{ size = 10000, timeout = "24h" }'
"""A batch that waits: its lane is idle."""
SETTLE_S = 3.0
"""After a start, before idle processes are watched."""
LOOKS = 3
PROFILES = 20_000
FEW = 2_000
"""In batches of ten, of which each takes a COMMIT."""


def profile(number: int) -> dict[str, Any]:
    """One as a platform has them."""
    return {
        "_id": f"61f0{number:020d}", "CustomID": f"C-{number:07d}", "email": f"someone.{number:07d}@example.com",
        "name": f"Some One {number}", "country": "AT",
    }  # fmt: skip


def events(count: int, each: int = 1, segments: int = 1) -> list[dict[str, Any]]:
    """Adds of so many profiles in all, `each` in an event, over some segments in turn."""
    return [
        {
            "type": "add",
            "segment": {"id": start // each % segments + 1},
            "profiles": [profile(number) for number in range(start, start + each)],
        }
        for start in range(0, count, each)
    ]


def pushing(servers: Servers, sizes: Sizes, rounds: int, figures: Figures) -> None:
    """Events a second from one producer, beside XADDs of ready-made bytes in pipelines of a thousand."""
    wanted = events(sizes.pushed)
    ready = [json.dumps(event) for event in wanted]
    for _ in range(rounds):
        with place(servers) as where:
            ours = Ours()
            ours.configure(where)
            figures.note("push.segsync.rate", len(wanted) / timed(lambda: ours.push(wanted)))  # noqa: B023
            figures.note("push.raw.rate", len(wanted) / timed(lambda: _xadd(ours.installation.redis, ready)))  # noqa: B023
            ours.stop()
    figures.relate("push.of_raw", "push.segsync.rate", "push.raw.rate")


def _xadd(client: Any, ready: list[str]) -> None:
    for start in range(0, len(ready), 1_000):
        with client.pipeline(transaction=False) as pipe:
            for each in ready[start : start + 1_000]:
                pipe.xadd("raw", {"event": each})
            pipe.execute()


def bytes_in_redis(servers: Servers, figures: Figures) -> None:
    """Of one profile in the intake, in a filled lane, and in lanes of three integrations; beside its JSON."""
    text = len(json.dumps(profile(0), separators=(",", ":")))
    figures.note("bytes.json", text)
    for name, each in (("of_one", 1), ("of_1000", 1_000)):
        with place(servers) as where:
            ours = Ours(where.target.connector() + where.target.integration(batch=NEVER))
            ours.configure(where)
            empty = of_keys(ours)
            ours.push(events(PROFILES, each))
            figures.note(f"bytes.intake_{name}", (of_keys(ours) - empty) / PROFILES)
            _route(ours)
            figures.note(f"bytes.lane_{name}", (of_keys(ours) - empty) / PROFILES)
            ours.stop()
    figures.relate("bytes.lane_of_json", "bytes.lane_of_one", "bytes.json")
    with place(servers) as where:
        three = [where.target.integration(f"m{n}", batch=NEVER) for n in range(3)]
        ours = Ours(where.target.connector() + "".join(three))
        ours.configure(where)
        empty = of_keys(ours)
        ours.push(events(PROFILES))
        _route(ours)
        figures.note("bytes.copies_of_three", (of_keys(ours) - empty) / PROFILES)
        ours.stop()
    figures.relate("bytes.copies", "bytes.copies_of_three", "bytes.lane_of_one")


def ledger(servers: Servers, figures: Figures) -> None:
    """Rows and bytes for a million events in full batches, and for a million in batches of ten."""
    for name, segments, count in (("full", 1, PROFILES), ("of_ten", FEW // 10, FEW)):
        with place(servers) as where:
            ours = Ours(where.target.connector() + where.target.integration(batch='{ size = 1000, timeout = "100ms" }'))
            ours.configure(where)
            ours.push(events(count, 1, segments))
            runtime = ours.installation.runtime()
            until(lambda: drain(runtime, 60) and ours.installation.settled(), "all of it", 120)  # noqa: B023
            figures.note(f"ledger.rows_{name}", _rows(where) * 1_000_000 / count)
            size = sum(path.stat().st_size for path in where.folder.glob("ledger.db*"))
            figures.note(f"ledger.mb_{name}", size / count)  # bytes for each are MB for a million
            ours.stop()


def _rows(where: Place) -> int:
    link = sqlite3.connect(where.folder / "ledger.db")
    try:
        tables = [name for (name,) in link.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return sum(int(link.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]) for table in tables)
    finally:
        link.close()


def idle(servers: Servers, sizes: Sizes, figures: Figures) -> None:
    """(j): what processes with nothing to do take of a core, with few idle lanes and with many; and lanes' bytes."""
    for name, lanes in zip(("few", "many"), sizes.idle, strict=True):
        with place(servers) as where:
            ours = Ours(where.target.connector() + where.target.integration(batch=NEVER))
            ours.configure(where)
            empty = used(ours)
            for start in range(0, lanes, 100_000):
                count = min(100_000, lanes - start)
                ours.push(loads.segments(count, 1, first=start + 1).events)
                _route(ours)
            figures.note(f"j.{name}.bytes_of_a_lane", (used(ours) - empty) / lanes)
            figures.note(f"j.{name}.redis_mb", used(ours) / 1e6)
            figures.note(f"j.{name}.lanes", lanes)
            try:
                _watch(ours, servers, name, sizes.idle_s, figures)
                figures.check("j", len(where.target.members()) + abs(ours.installation.backlog() - lanes))
            finally:
                ours.stop()


def _watch(ours: Ours, servers: Servers, name: str, seconds: int, figures: Figures) -> None:
    for worker, count in (("route", 1), ("upkeep", 1), ("deliver", 2)):
        ours.add_worker(worker, count)
    ours.workers["beat"] = ours.installation.beat()
    ours.installation.ready()
    time.sleep(SETTLE_S)
    pids = {worker: process.pid for worker, process in ours.workers.items()} | {"redis": servers.redis.pid}
    before = {worker: cpu_seconds(pid) for worker, pid in pids.items()}
    time.sleep(seconds)
    for worker, pid in pids.items():
        figures.note(f"j.{name}.percent.{worker}", 100 * (cpu_seconds(pid) - before[worker]) / seconds)
    figures.note(f"j.{name}.percent.most", max(figures.values[f"j.{name}.percent.{worker}"][-1] for worker in pids))
    for worker, process in ours.workers.items():
        parent, *children = family(process.pid)
        figures.note(f"memory.{name}.{worker}.parent_mb", resident_bytes(parent) / 1e6)
        if children:
            each = statistics.mean(map(resident_bytes, children)) / 1e6
            figures.note(f"memory.{name}.{worker}.child_mb", each)
    for command in (("--help",), ("status",)):
        took = statistics.median(timed(lambda: ours.installation.segsync(*command)) for _ in range(LOOKS))  # noqa: B023
        figures.note(f"look.{name}.{' '.join(command)}", took)


def starting(servers: Servers, figures: Figures) -> None:
    """Seconds from starting three workers to the row of an event that waits."""
    with place(servers) as where:
        ours = Ours()
        ours.configure(where)
        ours.push(loads.single(1).events)
        try:
            started = time.perf_counter()
            for worker, count in (("route", 1), ("upkeep", 1), ("deliver", 2)):
                ours.add_worker(worker, count)
            until(where.target.members, "the first row")
            figures.note("start.first_row_s", time.perf_counter() - started)
        finally:
            ours.stop()


NOT_DATA = ("used_memory_scripts", "mem_clients_normal", "mem_aof_buffer")
"""Does not grow with the data; counted with it, it came to 14 bytes for each of 20,000 profiles."""


def used(ours: Ours) -> int:
    """Bytes that Redis uses for data."""
    found: Any = ours.installation.redis.info("memory")
    return int(found["used_memory"]) - sum(int(found[name]) for name in NOT_DATA)


def of_keys(ours: Ours) -> int:
    """Bytes of all keys with what they hold. What INFO says has buffers in it that outweigh a small lane."""
    client = ours.installation.redis
    return sum(client.memory_usage(key, samples=0) or 0 for key in client.scan_iter(count=1_000))


def _route(ours: Ours) -> None:
    runtime = ours.installation.runtime()
    while ours.installation.redis.xlen(ours.installation.keys.events):
        runtime.route("bench", 60)
