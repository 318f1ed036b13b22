"""More than one reader: a source is read by as many processes as it says, and by no more."""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.integration.resync.platform import Platform
from tests.integration.resync.test_feed_runs import DELAY, lines
from tests.servers.platform_http import Answer, Asked, answering
from tests.waiting import PATIENCE, until
from workers.lanes.runs import ResyncRuns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

pytestmark = pytest.mark.parametrize("target", ["sqlite"], indirect=True)


class HeldBack:
    """A platform whose answers are held back, each segment's until it is let go, and counted meanwhile."""

    def __init__(self) -> None:
        self.gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)
        self.inside: set[str] = set()
        self.most = self.asked = 0
        self._lock = threading.Lock()

    def answer(self, asked: Asked) -> Answer:
        segment = asked.path.strip("/")
        with self._lock:
            self.asked += 1
            self.inside.add(segment)
            self.most = max(self.most, len(self.inside))
        self.gates[segment].wait(PATIENCE)
        with self._lock:
            self.inside.discard(segment)
        return Answer(lines(1, 2))

    def let_go(self, *segments: int) -> None:
        for each in segments:
            self.gates[str(each)].set()


class Readers:
    """Processes of the queue `resync`, as threads that have nothing in common; `turns` of each."""

    def __init__(self, platform: Platform, many: int) -> None:
        self.platform = platform
        self.turns = [0] * many
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._read, args=(number,)) for number in range(many)]

    def _read(self, number: int) -> None:
        runtime = self.platform.job.installation.runtime()
        while not self._over.wait(0.01):
            runtime.resync("token", 0)
            self.turns[number] += 1

    def until(self, holds: Callable[[], object], what: object = "") -> None:
        """Routes and delivers, and reads nothing, until it holds."""
        runtime = self.platform.job.runtime

        def comes() -> object:
            for wake in runtime.tick("task").wakes:
                if wake.queue == "route":
                    runtime.route(wake.token, 1)
                elif wake.queue.startswith("deliver"):
                    runtime.deliver("crm", wake.token, 1)
                runtime.lanes.give_back(wake.queue, wake.token)
            return holds()

        until(comes, what)

    def start(self) -> None:
        for each in self._threads:
            each.start()

    def stop(self) -> None:
        self._over.set()
        for each in self._threads:
            each.join()


@contextmanager
def reading(platform: Platform, readers: int, many: int) -> Iterator[tuple[HeldBack, Readers]]:
    """Readers of a source that says how many may read it."""
    source, team = HeldBack(), Readers(platform, many)
    with answering(source.answer) as server:
        platform.configure_feed(f'url = "{server.url}/{{segment_id}}"\n{DELAY}\nreaders = {readers}')
        team.start()
        try:
            yield source, team
        finally:
            source.let_go(*range(100))
            team.stop()


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    return Platform(make_job(target))


@pytest.mark.parametrize("readers", [1, 2, 3])
def test_as_many_read_at_once_as_the_source_says(platform: Platform, readers: int) -> None:
    segments = range(1, 6)
    with reading(platform, readers, readers + 1) as (source, team):
        names = [platform.ask(each) for each in segments]
        team.until(lambda: len(source.inside) == readers, lambda: source.inside)
        before = sum(team.turns)  # of those who find nothing to do, again and again
        team.until(lambda: sum(team.turns) > before + 3)
        source.let_go(*segments)
        team.until(lambda: all(platform.run(each).state == "ended" for each in names))

    assert {platform.run(each).outcome for each in names} == {"done"}
    assert [platform.rows(each) for each in segments] == [{"c1", "c2"}] * 5
    assert (source.most, source.asked) == (readers, 5)


def test_a_list_that_is_long_in_coming_holds_up_no_other_run(platform: Platform) -> None:
    with reading(platform, 2, 2) as (source, team):
        slow = platform.ask(1)
        team.until(lambda: source.inside == {"1"})
        source.let_go(2, 3)
        others = [platform.ask(each) for each in (2, 3)]
        team.until(lambda: all(platform.run(each).state == "ended" for each in others))
        assert (platform.run(slow).progress, platform.run(slow).place[:14]) == ("reading", "resync.main.2 ")
        source.let_go(1)
        team.until(lambda: platform.run(slow).state == "ended")
    assert (platform.run(slow).outcome, platform.run(slow).place) == ("done", "")


def test_a_run_is_cancelled_while_its_source_is_read(platform: Platform) -> None:
    """At once; and what is read of it then changes nothing."""
    with reading(platform, 2, 2) as (source, team):
        name = platform.ask(1)
        team.until(lambda: source.inside == {"1"})
        ResyncRuns(platform.job.runtime.lanes).cancel(name, "somebody")
        team.until(lambda: platform.run(name).state == "ended")
        assert source.inside == {"1"}
        source.let_go(1)
        team.until(lambda: not source.inside)
        again = platform.ask(1)
        team.until(lambda: platform.run(again).state == "ended")
    assert [platform.run(each).outcome for each in (name, again)] == ["cancelled", "done"]
    assert source.asked == 2
    assert not [*platform.folder.glob("*")], "nobody's profiles are left on the disk"


def test_what_cannot_be_read_at_a_place_fails_as_elsewhere(platform: Platform) -> None:
    with answering(lambda _: Answer(b"", 401)) as server:
        platform.configure_feed(f'url = "{server.url}/{{segment_id}}"\n{DELAY}\nreaders = 2')
        run = platform.resync(1)
    assert (run.outcome, platform.lane(1)) == ("failed", {})
    assert "it answers 401; expected 200" in run.why


def test_the_place_of_a_dead_reader_is_free_when_its_lease_is_over(platform: Platform) -> None:
    """And its run is read by another one then, and not before."""
    redis, keys = platform.job.installation.redis, platform.job.installation.keys
    with answering(lambda _: Answer(lines(1, 2))) as server:
        platform.configure_feed(f'url = "{server.url}/{{segment_id}}"\n{DELAY}\nreaders = 2')
        name = platform.ask(1)
        platform.until(name, lambda _: bool(platform.lane(1).get("mark")))
        assert platform.job.runtime.lanes.take_lease("resync.main.2", "dead", "") == 0
        redis.hset(keys.run(name), mapping={"state": "marked", "place": "resync.main.2 dead"})
        for _ in range(3):
            redis.zadd(keys.runs, {name: 0})
            platform.turn()
        assert not server.asked, "it may be at it still"

        redis.hset(keys.lease("resync.main.2"), "until", 0)
        redis.zadd(keys.runs, {name: 0})
        assert platform.ends(name).outcome == "done"
        assert len(server.asked) == 1
    assert platform.job.runtime.lanes.take_lease("resync.main.2", "next", "") == 1, (
        "one death was counted, and the place is free"
    )
