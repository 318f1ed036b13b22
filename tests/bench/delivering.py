"""Events to rows beside a bare driver's changes: in one process, and by Celery's workers."""

from __future__ import annotations

import random
import secrets
import tempfile
from contextlib import ExitStack, contextmanager
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench import bare
from tests.bench.measuring import Ratio, compare, timed
from tests.installation import Installation
from tests.model import mixed, profiles
from tests.waiting import EVERY
from workers.control.drain import drain
from workers.settings import load, revision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.servers import Servers
    from tests.targets import TargetDatabase
    from workers.runtime import Runtime

EVENTS = 20_000
MANY = 200_000
SIZE = 1_000
ROUNDS = 5
USUAL = f'{{ size = {SIZE}, timeout = "100ms" }}'


def loads() -> dict[str, list[dict[str, Any]]]:
    """Events of one profile each, and large ones."""
    chance = random.Random(7)
    adds = [event | {"type": "add"} for event in mixed(EVENTS, chance)]
    large = [
        {"type": "add", "segment": {"id": n % 10}, "profiles": profiles(*range(n * 500, n * 500 + 500))}
        for n in range(EVENTS // 500)
    ]
    return {
        "20,000 adds of one profile": adds,
        "20,000 adds and removes of one profile": mixed(EVENTS, chance),
        "20,000 profiles in adds of 500": large,
    }


def ratios(servers: Servers) -> Iterator[Ratio]:
    """By `segsync drain`'s way, in this process, on each database; routing, and the ledger, included."""
    for dialect in ("sqlite", "postgresql", "mysql"):
        for name, events in loads().items():
            wanted = bare.transactions(events, dialect, SIZE)
            yield compare(
                f"{dialect}: {name}, beside a bare driver",
                lambda dialect=dialect, events=events: _ours(servers, dialect, events),  # type: ignore[misc]
                lambda dialect=dialect, wanted=wanted: _bare(servers, dialect, wanted),  # type: ignore[misc]
                ROUNDS,
            )


def by_ordering(servers: Servers) -> Iterator[Ratio]:
    """What order costs on adds and removes of one profile each, mixed: with `ordering` left out, and "strict".

    Where every key comes once, and where some come again, so that what they ask for must keep its order.
    """
    loads = {"once": apart(EVENTS, random.Random(7)), "again": mixed(EVENTS, random.Random(7))}
    for dialect, (keys, events) in product(("sqlite", "postgresql", "mysql"), loads.items()):
        for name, line in (("left out", ""), ('"strict"', '"strict"')):
            yield compare(
                f'{dialect}: 20,000 adds and removes, keys {keys}, {name} beside "exact"',
                lambda dialect=dialect, events=events, line=line: _ours(servers, dialect, events, line),  # type: ignore[misc]
                lambda dialect=dialect, events=events: _ours(servers, dialect, events, '"exact"'),  # type: ignore[misc]
                ROUNDS,
            )


def apart(count: int, chance: random.Random, segments: int = 50) -> list[dict[str, Any]]:
    """As `mixed`, and no two of them are of one key."""
    return [event | {"profiles": profiles(f"C-{n}")} for n, event in enumerate(mixed(count, chance, segments))]


def by_workers(servers: Servers) -> Iterator[Ratio]:
    """200,000 events, adds and removes mixed, by one worker with two processes, beside one bare link."""
    events = mixed(MANY, random.Random(7))
    for dialect in ("postgresql", "mysql"):
        wanted = bare.transactions(events, dialect, SIZE)
        yield compare(
            f"{dialect}: 200,000 adds and removes, a worker with two processes, beside a driver",
            lambda dialect=dialect: _by_worker(servers, dialect, events),  # type: ignore[misc]
            lambda dialect=dialect, wanted=wanted: _bare(servers, dialect, wanted),  # type: ignore[misc]
            1,
        )


def _bare(servers: Servers, dialect: str, wanted: list[bare.Transaction]) -> float:
    with servers.target(dialect) as target:
        return bare.seconds(target, wanted)


def _ours(servers: Servers, dialect: str, events: list[dict[str, Any]], ordering: str = "") -> float:
    with installed(servers, dialect, ordering=ordering) as installation:
        installation.producer.push(events)
        runtime = installation.runtime()

        def run() -> None:
            drain(runtime, 60)
            while installation.backlog():
                drain(runtime, 60)

        return timed(run)


def _by_worker(servers: Servers, dialect: str, events: list[dict[str, Any]]) -> float:
    with installed(servers, dialect) as installation:
        installation.worker(concurrency=2)
        installation.ready()
        installation.producer.push(events[:1])
        installation.settle()
        pushing = timed(lambda: installation.producer.push(events))  # they deliver meanwhile: pushing is part of it
        return pushing + timed(lambda: installation.wait(lambda: not _owed(installation), "all", 600, seldom=EVERY))


def _owed(installation: Installation) -> int:
    return int(installation.redis.xlen(installation.keys.events)) + installation.backlog()


class BenchInstallation(Installation):
    """One with a target."""

    def __init__(self, folder: Path, redis_url: str, namespace: str, target: TargetDatabase) -> None:
        super().__init__(folder, redis_url, namespace)
        self.target = target

    @cached_property
    def kept_runtime(self) -> Runtime:
        """One for all rounds, so that none but the first pays for what is read once."""
        return self.runtime()


@contextmanager
def installed(
    servers: Servers, dialect: str, batch: str = USUAL, ordering: str = "", copies: int = 1
) -> Iterator[BenchInstallation]:
    """An installation with so many integrations alike, applied; its target is `installation.target`."""
    more: dict[str, Any] = {"ordering": ordering} if ordering else {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target = stack.enter_context(servers.target(dialect))
        installation = BenchInstallation(folder, servers.redis.url, f"bench_{secrets.token_hex(4)}", target)
        stack.callback(installation.stop)
        integrations = [target.integration(f"members{n or ''}", batch=batch, **more) for n in range(copies)]
        installation.configure(target.connector() + "".join(integrations))
        revision.publish(installation.redis, installation.keys, load(installation.file))
        yield installation
