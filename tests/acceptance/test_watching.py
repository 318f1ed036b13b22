"""What `status` says of real processes: it tells who is missing, and nothing of a normal day."""

from __future__ import annotations

import json
import signal
import time
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from tests.model import profiles
from tests.proof import draws
from tests.targets import TargetDatabase
from tests.waiting import A_PROCESS, PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.installation import Installation, Process
    from tests.servers.redis import RedisServer

LEAST = 1
"""Rounds of a normal day that show it."""
MOST = 50
"""Tens of profiles that one round tells each segment of."""


@pytest.fixture
def target(sqlite_url: str) -> TargetDatabase:
    database = TargetDatabase("sqlite", sqlite_url)
    database.create()
    return database


@pytest.fixture
def watched(installation: Installation, target: TargetDatabase) -> Installation:
    """Configured, and nothing runs yet."""
    installation.configure(target.connector() + target.integration())
    return installation


def look(installation: Installation) -> tuple[int, list[str]]:
    """The exit status of `segsync status`, and what it says that someone is needed for."""
    done = installation.segsync("status", "--json")
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)["needs"] if done.stdout else [done.stderr]


def told(installation: Installation, beginning: str) -> None:
    """Waits until `status` says it."""
    seen: list[Any] = []

    def says() -> bool:
        seen[:] = look(installation)
        return seen[0] == 1 and any(each.startswith(beginning) for each in seen[1])

    installation.wait(says, f"{beginning!r}", every=A_PROCESS)


def fine(installation: Installation) -> None:
    """Waits until `status` has nothing to say."""
    installation.wait(lambda: look(installation) == (0, []), "a status without needs", every=A_PROCESS)


def let_pass(installation: Installation, seconds: int, *, beat: bool = False, worker: str = "") -> None:
    """As if those who were killed had said nothing for so long: what they have said last is so much older."""
    redis, keys = installation.redis, installation.keys
    if beat:
        redis.hincrby(keys.seen, "beat", -seconds * 1000)
    for own, said in redis.hgetall(keys.workers).items():
        at, clock, name, queues = said.decode().split(" ", 3)
        if worker and name.startswith(f"{worker}@"):
            redis.hset(keys.workers, own, f"{int(at) - seconds * 1000} {clock} {name} {queues}")


def test_who_is_missing_is_told_until_it_is_there(watched: Installation) -> None:
    route = watched.worker("-Q", "route,upkeep", name="route")
    watched.ready()
    told(watched, "beat has not looked yet: start one with `celery -A workers beat`")
    beat = watched.beat()
    told(watched, "no worker serves deliver.crm; start one with -Q")
    watched.worker("-Q", "deliver.crm", name="deliver")
    fine(watched)
    beat.kill()
    let_pass(watched, 15, beat=True)
    told(watched, "beat has not looked for ")
    watched.beat()
    route.kill()
    let_pass(watched, 12, worker="route")
    told(watched, "no worker serves route, upkeep; start one with -Q")
    for process in watched.processes:
        process.kill()
    let_pass(watched, 12, worker="deliver")
    told(watched, "no worker is running; start them with `segsync up`")


@pytest.fixture
def secretive(installation: Installation, target: TargetDatabase) -> Installation:
    """A connector whose URL stands in a variable."""
    scheme, path = target.url.split("///", 1)
    text = (target.connector() + target.integration()).replace(target.url, f"{scheme}///${{TARGET_PATH}}")
    assert path not in text
    installation.configure(text)
    return installation


def test_a_worker_without_the_secret_takes_nothing_and_says_so(secretive: Installation, target: TargetDatabase) -> None:
    """It held the connector for all."""
    secretive.beat()
    secretive.worker(name="without")
    secretive.environ["TARGET_PATH"] = target.url.split("///", 1)[1]
    secretive.worker(name="with")
    secretive.ready()
    for number in range(20):
        secretive.producer.add(number, profiles(number))
    secretive.settle()
    told(secretive, "connector crm on without@")
    assert not secretive.redis.hexists(secretive.keys.connector("crm"), "hold")
    assert {segment for segment, _ in target.members()} == {str(number) for number in range(20)}


def restarted(installation: Installation, process: Process, name: str, queues: str) -> Process:
    """In good order, as a deploy does it: the new one first."""
    fresh = installation.worker("-Q", queues, name=name)
    installation.ready()
    process.send(signal.SIGTERM)
    process.wait(PATIENCE)
    return fresh


def rounds(seconds: float) -> Iterator[int]:
    """From 1, two at the least, until so much time has passed."""
    ends = time.monotonic() + seconds
    for number in count(1):
        if number > LEAST and time.monotonic() > ends:
            return
        yield number


@pytest.mark.proof
def test_a_normal_day_says_nothing(watched: Installation, target: TargetDatabase) -> None:
    """Load, restarts and revisions: a round of them, and in `make proof` ten minutes."""
    watched.beat()
    route, deliver = watched.worker("-Q", "route,upkeep", name="r0"), watched.worker("-Q", "deliver.crm", name="d0")
    watched.ready()
    fine(watched)
    for day in rounds(draws(0, 600)):
        for segment in range(50):
            watched.producer.add(segment, profiles(*range(10 * (day % MOST))))
        assert look(watched) == (0, [])
        route = restarted(watched, route, f"r{day}", "route,upkeep")
        assert look(watched) == (0, [])
        deliver = restarted(watched, deliver, f"d{day}", "deliver.crm")
        watched.configure(target.connector() + target.integration(max_backlog=str(1_000_000 + day)))
        assert watched.segsync("apply", "--yes").returncode == 0
        assert look(watched) == (0, [])
    watched.settle()
    assert look(watched) == (0, [])


def test_a_redis_that_starts_anew_is_told_while_it_is_away(
    own_redis: RedisServer, watched: Installation, target: TargetDatabase
) -> None:
    watched.redis_url = watched.broker = own_redis.url
    watched.redis = own_redis.client()
    watched.configure(target.connector() + target.integration())
    watched.beat()
    watched.worker()
    watched.ready()
    fine(watched)
    own_redis.kill()
    status, said = look(watched)
    assert status == 3
    assert "Redis is out of reach" in said[0]
    own_redis.start()
    fine(watched)
    watched.producer.add(7, profiles(1))
    watched.settle()
    assert look(watched) == (0, [])
