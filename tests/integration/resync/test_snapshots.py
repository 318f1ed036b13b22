"""Whole runs that the platform answers itself: `Producer.snapshot`, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import redis.asyncio

from segsync import AsyncProducer, InvalidEvent, Producer, Resynced, _Answer, _AsyncAnswer
from tests.integration.jobs import add, remove
from tests.integration.resync.platform import Platform
from tests.repository import ROOT
from tests.waiting import until
from workers.lanes.runs import ResyncRuns
from workers.resync import failing
from workers.resync.run import ResyncRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

    Profiles = Iterable[dict[str, Any]]

on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)
ONE = [{"_id": "1", "CustomID": "a", "email": "a@x"}, {"_id": "2", "CustomID": "b", "email": "b@x"}]
THREE = [*ONE, {"_id": "3", "CustomID": "x"}]
MAYBE: dict[str, Any] = {"accept_removals": 9, "accept_adds": 9}


class Answered:
    """A platform without a source that is read, and the calls of `snapshot` that answer for it."""

    def __init__(self, platform: Platform, threads: ThreadPoolExecutor) -> None:
        self.platform = platform
        self.threads = threads
        self.redis, self.keys = platform.job.installation.redis, platform.job.installation.keys
        platform.configure_feed('url = "http://localhost:1/{segment_id}"')  # nobody is there
        platform.target_has(7, "x")
        self.redis.hset(self.keys.removals("members"), "ever", 1)

    def call(
        self, read: Callable[[], Any], *, by: str = "", user: str = "", integration: str | None = None
    ) -> Future[list[Resynced]]:
        installation, segment = self.platform.job.installation, 7
        url, namespace = installation.redis_url.replace("//", f"//{user}", 1), installation.namespace
        if by == "async":

            async def snapshot() -> list[Resynced]:
                async with AsyncProducer(url, namespace=namespace) as producer:
                    return await producer.snapshot(segment, read)

            return self.threads.submit(lambda: asyncio.run(snapshot()))
        return self.threads.submit(lambda: Producer(url, namespace=namespace).snapshot(segment, read, integration))

    def work(self, is_over: Callable[[], object]) -> None:
        """Does what workers would."""
        self.platform.works(is_over)

    def ends(self, call: Future[list[Resynced]]) -> list[Resynced]:
        self.work(call.done)
        return call.result()

    def last_run(self) -> ResyncRun:
        found = ResyncRun.read(ResyncRuns(self.platform.job.runtime.lanes).read("1"))
        assert found
        return found


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as made:
        yield made


@pytest.fixture
def answered(
    make_job: Callable[[TargetDatabase], Job], target: TargetDatabase, threads: ThreadPoolExecutor
) -> Answered:
    return Answered(Platform(make_job(target)), threads)


@on_one
@pytest.mark.parametrize("by", ["", "async"])
def test_a_target_is_made_equal_to_what_the_platform_says_itself(answered: Answered, by: str) -> None:
    """Whatever [sources] says: who answers is asked instead."""
    platform, calls = answered.platform, []
    platform.target_has(7, *(f"k{number}" for number in range(20)))

    def read() -> Profiles:
        calls.append(1)
        yield from ONE
        yield from ({"_id": f"m{number}", "CustomID": f"k{number}", "email": "e"} for number in range(20))

    (ended,) = answered.ends(answered.call(read, by=by))

    assert ended == Resynced("members", "1", "done", "", 22, 22, 1)
    assert platform.rows(7) == {"a", "b", *(f"k{number}" for number in range(20))}
    assert len(calls) == 1, "what was compared is told, and nothing read again"
    left = [key for name in ("answering", "wanted", "parts", "claimed") for key in keys_like(answered, name)]
    assert left == []


def keys_like(answered: Answered, name: str) -> list[bytes]:
    return list(answered.redis.scan_iter(f"{answered.keys.namespace}:{name}:*"))


@on_one
@pytest.mark.parametrize("by", ["", "async"])
def test_what_cannot_be_read_is_raised_and_removes_nothing(answered: Answered, by: str) -> None:
    def raises() -> Profiles:
        yield ONE[0]
        raise ValueError("the cursor is gone")

    failing = answered.call(raises, by=by)
    answered.work(lambda: failing.done() and answered.last_run().state == "ended")

    with pytest.raises(ValueError, match="the cursor is gone"):
        failing.result()
    run = answered.last_run()
    assert (run.outcome, "the platform's own reading failed" in run.why) == ("failed", True)
    assert (answered.platform.rows(7), answered.platform.lane(7)) == ({"x"}, {})

    with pytest.raises(InvalidEvent, match=r"profiles\[1\]._id"):
        answered.ends(answered.call(lambda: [ONE[0], {"CustomID": "b"}], by=by))


MESSAGES = (
    b'+{"_id":"1","CustomID":"a"}\n',
    b'+{"_id":"2","CustomID":"b"}\n',
    b'+{"end":true,"count":2}\n',
    b".",
)
"""An answer of two, in as many messages as it can have."""


def answer_in_part(answered: Answered, messages: tuple[bytes, ...]) -> ResyncRun:
    """A run that is told these, and then whoever answers is gone."""
    platform, redis, keys = answered.platform, answered.redis, answered.keys
    redis.sadd(keys.answering("7"), "dies")
    name = platform.ask(7, **MAYBE)

    def dies() -> bool:
        wish = redis.get(keys.wanted("7"))
        if wish is None:
            return False
        if messages:
            redis.rpush(keys.parts(json.loads(wish)["token"]), *messages)
        redis.delete(keys.answering("7"))
        return True

    dying = answered.threads.submit(lambda: until(dies))
    run = platform.ends(name)
    assert dying.result()
    return run


@on_one
def test_an_answer_that_is_cut_at_any_message_is_none(answered: Answered, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, as it were: all that it said stands in Redis. The whole of it is one."""
    monkeypatch.setattr(failing, "MOST_TRIES", 1)
    platform = answered.platform
    for said in range(len(MESSAGES)):
        run = answer_in_part(answered, MESSAGES[:said])
        why = "the source could not be read: source snapshot: nobody answers for the platform (any more);"
        why += " nothing was changed: ask again once that is mended"
        assert (said, run.outcome, run.why) == (said, "failed", why)
        assert (platform.rows(7), platform.lane(7)) == ({"x"}, {})
    assert answer_in_part(answered, MESSAGES).outcome == "done"
    assert platform.rows(7) == {"a", "b"}


@on_one
def test_nothing_is_read_before_the_lane_has_come_to_the_mark(answered: Answered) -> None:
    """What the platform does while it reads is told behind the mark."""
    platform, seen = answered.platform, []

    def read() -> Profiles:
        seen.append(platform.rows(7))
        platform.job.push(remove(7, "b"), add(7, "c"))
        return ONE

    platform.job.push(add(7, "before"))
    platform.job.installation.redis.hset(answered.keys.removals("members"), mapping={"ever": 1})
    (ended,) = answered.ends(answered.call(read))

    assert seen == [{"x", "before"}]
    assert ended.outcome == "needs confirmation", "two of two rows"
    platform.delivered()
    assert platform.rows(7) == {"x", "before", "c"}


@on_one
def test_two_calls_answer_one_run_and_one_reading(answered: Answered) -> None:
    """Their parts never meet in one answer."""
    platform = answered.platform
    platform.target.run("DELETE FROM member")
    calls = [answered.call(lambda: ONE) for _ in range(2)]
    answered.work(lambda: all(call.done() for call in calls))

    assert {ended.outcome for call in calls for ended in call.result()} <= {"done"}
    assert platform.rows(7) == {"a", "b"}


@on_one
@pytest.mark.parametrize("by", ["", "async"])
def test_who_ends_takes_back_its_own_word_alone(answered: Answered, by: str) -> None:
    """Another call waits still, and a run that begins in between has no other source."""
    url, events, key = answered.platform.job.installation.redis_url, answered.keys.events, answered.keys.answering("7")
    seen = []

    def look() -> None:
        seen.append(bool(answered.redis.exists(key)) and answered.redis.ttl(key) > 0)

    async def side_by_side() -> None:
        async with redis.asyncio.Redis.from_url(url) as client:
            one, other = (_AsyncAnswer(client, events, "7", None, None) for _ in range(2))
            async with other.alive():
                async with one.alive():
                    look()
                look()
            look()

    if by == "async":
        asyncio.run(side_by_side())
    else:
        one, other = (_Answer(answered.redis, events, "7", None, None) for _ in range(2))
        with other.alive():
            with one.alive():
                look()
            look()
        look()
    assert seen == [True, True, False]


@on_one
@pytest.mark.parametrize("by", ["", "async"])
def test_an_integration_that_is_none_is_named(answered: Answered, by: str) -> None:
    installation = answered.platform.job.installation
    where: dict[str, Any] = {"namespace": installation.namespace}

    async def snapshot() -> None:
        async with AsyncProducer(installation.redis_url, **where) as producer:
            await producer.snapshot(7, lambda: ONE, "nope")

    def call() -> object:
        if by == "async":
            return asyncio.run(snapshot())
        return Producer(installation.redis_url, **where).snapshot(7, lambda: ONE, "nope")

    with pytest.raises(InvalidEvent, match="integration: 'nope' is not applied"):
        call()
    assert answered.redis.xlen(answered.keys.events) == 0


@on_one
def test_a_segment_that_nobody_follows_has_no_runs(answered: Answered) -> None:
    answered.platform.configure(scope='{ database = "main", groups = ["none"] }')
    assert answered.ends(answered.call(lambda: ONE)) == []


@on_one
def test_a_wait_may_have_an_end(answered: Answered) -> None:
    installation = answered.platform.job.installation
    with pytest.raises(TimeoutError, match="segment 7 is not over"):
        Producer(installation.redis_url, namespace=installation.namespace).snapshot(7, lambda: ONE, timeout=0)


@on_one
def test_the_rights_of_the_page_will_do(answered: Answered) -> None:
    page = (ROOT / "docs/redis.md").read_text()
    (line,) = (line for line in page.splitlines() if line.startswith("ACL SETUSER platform "))
    name = f"platform-{answered.keys.namespace}"
    rights = line.replace("segsync:*", f"{answered.keys.namespace}:*").split()[3:]
    answered.redis.execute_command("ACL", "SETUSER", name, *rights)
    try:
        (ended,) = answered.ends(answered.call(lambda: THREE, user=f"{name}:PASSWORD@", integration="members"))
    finally:
        answered.redis.execute_command("ACL", "DELUSER", name)
    assert ended.outcome == "done"


@on_one
@pytest.mark.parametrize("answers", [False, True])
def test_a_snapshot_beside_an_open_run_is_asked_for_its_members(
    make_job: Callable[[TargetDatabase], Job], target: TargetDatabase, *, answers: bool
) -> None:
    """Whoever has answered the run so far, or whatever its file has, was read before this call."""
    platform = Platform(make_job(target))
    installation = platform.job.installation
    installation.redis.hset(installation.keys.removals("members"), "ever", 1)
    stay = [f"k{number}" for number in range(20)]
    platform.has(7, *stay, "x")
    called: list[int] = []

    def read() -> list[dict[str, Any]]:
        called.append(1)
        there = stay if len(called) > answers else [*stay, "x"]
        return [{"_id": key, "CustomID": key} for key in there]

    def snapshot() -> list[Resynced]:
        return Producer(installation.redis_url, namespace=installation.namespace).snapshot(7, read)

    def is_told() -> bool:
        return any(platform.run(each).state == "adding" for each in ResyncRuns(platform.job.runtime.lanes).open())

    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(snapshot)] if answers else []
        if not answers:
            platform.ask(7)
        platform.works(is_told)
        calls.append(threads.submit(snapshot))
        until(lambda: installation.redis.xlen(installation.keys.events), what="the second request")
        platform.job.runtime.route("token", 1)
        platform.works(lambda: all(call.done() for call in calls))
        outcomes = {each.outcome for call in calls for each in call.result()}
    assert (len(called), outcomes, platform.rows(7)) == (1 + answers, {"done"}, set(stay))
