"""What the way of the data costs, counted: commands, scripts, statements, messages, commits, decodings.

Nothing here is timed, so that a busy machine fails nothing. What is allowed lies a little above what is needed now.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from tests.installation import Installation
from tests.integration.jobs import Job, add, remove
from tests.targets import TargetDatabase
from workers.connectors.sql.connector import PooledSession
from workers.delivery import attempt, leases, plain_cut, together
from workers.delivery.turn import NothingDue
from workers.events import profiles, usual

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.redis import RedisServer

ASIDE = ("client", "config", "hello", "info", "script", "select", "ping")
"""How often somebody connects and looks is not what is counted."""


@pytest.fixture
def counted_job(
    tmp_path: Path, own_redis: RedisServer, namespace: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> Job:
    """A job on a Redis that nobody else sends anything, where nothing is slow, and leases are seldom renewed."""
    monkeypatch.setattr(together, "PACE_SECONDS", 600.0)
    monkeypatch.setattr(attempt, "CONFIRM_AFTER", 600.0)
    monkeypatch.setattr(leases, "RENEW_EVERY", 20.0)
    target = TargetDatabase("sqlite", sqlite_url)
    target.create()
    return Job(Installation(tmp_path, own_redis.url, namespace), target)


class Calls:
    """The commands that Redis was sent, those of scripts among them, and how many of these were scripts."""

    def __init__(self, job: Job) -> None:
        self._redis = job.installation.redis
        self._redis.config_resetstat()

    def so_far(self) -> tuple[int, int]:
        found: dict[str, Any] = self._redis.info("commandstats")
        calls = {name.removeprefix("cmdstat_"): each["calls"] for name, each in found.items()}
        scripts = calls.get("evalsha", 0) + calls.get("eval", 0)
        return sum(count for name, count in calls.items() if name.partition("|")[0] not in ASIDE), scripts


def route(job: Job) -> None:
    while job.installation.redis.xlen(job.installation.keys.events):
        job.runtime.route("t", 30)


def deliver(job: Job) -> None:
    job.let_timeouts_pass()
    while job.installation.backlog():
        assert isinstance(job.runtime.deliver("crm", "t", 30), NothingDue)


def warm_up(job: Job) -> None:
    """What is read once, asked once and connected once."""
    job.push(add(0, "first"))
    route(job)
    deliver(job)


def test_commands_and_scripts_by_event_and_by_lane(counted_job: Job) -> None:
    job = counted_job
    warm_up(job)

    calls = Calls(job)
    job.push(*(add(1, n) for n in range(1_000)))
    assert calls.so_far() <= (1_010, 2), "pushing: an XADD each, in one script"

    calls = Calls(job)
    route(job)
    assert calls.so_far() <= (72, 6), "routing 1,000 events of one segment"

    job.let_timeouts_pass()  # its looks are not what is counted
    calls = Calls(job)
    deliver(job)
    assert calls.so_far() <= (75, 4), "delivering a full lane"

    job.push(*(add(1 + n % 100, n) for n in range(1_000)))
    calls = Calls(job)
    route(job)
    commands, scripts = calls.so_far()
    assert (commands <= 720, scripts <= 6) == (True, True), f"{commands} for 100 lanes that ten events each go to"

    job.let_timeouts_pass()
    runtime: Any = job.runtime
    runtime._deliverer("crm")._together.pace.most = 50
    calls = Calls(job)
    deliver(job)
    commands, scripts = calls.so_far()
    assert commands <= 100 * 41, f"{commands / 100} commands to claim and settle a lane"
    assert scripts <= 100 + 12, f"{scripts} scripts for 100 lanes: one to claim some, one to settle each"
    job.ends_right()


def test_statements_by_batch_and_decodings_by_profile(counted_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job = counted_job
    warm_up(job)
    counts = dict.fromkeys(("begin", "execute", "commit", "look", "verify", "profile"), 0)

    def count(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*given: Any) -> Any:
            counts[name] += 1
            return call(*given)

        return counting

    for name in ("begin", "execute", "commit"):
        monkeypatch.setattr(PooledSession, name, count(name, getattr(PooledSession, name)))
    monkeypatch.setattr(usual, "_named", count("look", usual._named))
    monkeypatch.setattr(profiles, "_verify_profile", count("verify", profiles._verify_profile))
    monkeypatch.setattr(plain_cut, "profile", count("profile", profiles.profile))
    monkeypatch.setattr("workers.delivery.batching.profile", None)

    job.push(*(add(1, n) for n in range(2_000)), add(2, *range(500)), remove(2, *range(500, 1_000)))
    route(job)
    deliver(job)

    assert counts["look"] == 3_000, "the router looks once at each profile"
    assert counts["verify"] <= 501, "and once more where it is the first that it hears of a segment"
    assert counts["profile"] == 3_000, "a deliverer decodes each once"
    assert counts["execute"] == 4, "a statement for each kind in a batch"
    assert counts["begin"] == counts["commit"] == 3, "a transaction for each batch"
    job.ends_right()


def test_transactions_by_lanes_that_owe_one_operation_each(counted_job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    job = counted_job
    warm_up(job)
    commits = []
    commit = PooledSession.commit

    def counting(session: PooledSession) -> None:
        commits.append(session)
        commit(session)

    monkeypatch.setattr(PooledSession, "commit", counting)
    job.push(*(add(1 + n, n) for n in range(200)))
    route(job)
    deliver(job)
    assert len(commits) <= 12, f"{len(commits)} transactions for 200 lanes: 1, 1, 2, 4, ... 50 of them"
    job.ends_right()


def test_messages_by_lane_and_commits_by_record(counted_job: Job) -> None:
    """However many lanes are due, no more wake-ups are on their way than the connector may have at once."""
    job = counted_job
    warm_up(job)
    job.push(*(add(1 + n, n) for n in range(150)))
    route(job)
    job.let_timeouts_pass()
    sent = [wake for _ in range(5) for wake in job.runtime.tick("pulse").wakes if wake.queue == "deliver.crm"]
    parallelism = 4
    assert len(sent) == parallelism
    assert isinstance(job.runtime.deliver("crm", sent[0].token, 30), NothingDue), "one wake-up serves as many as it can"
    assert job.installation.backlog() == 0

    commits: list[object] = []
    event.listen(job.runtime.ledger._engine, "commit", commits.append)
    assert job.runtime.drain_outcomes(30) >= 150
    assert len(commits) <= 8, "500 records are written at once"
