"""A lane is only its owner's, and nothing is committed without it (rules 12, 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

from tests.integration.jobs import add
from workers.connectors.sql import delivery

if TYPE_CHECKING:
    import pytest

    from tests.integration.jobs import Job


def test_a_lease_that_is_lost_while_a_statement_runs_lets_nothing_be_committed(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heartbeat has learned that the lane is another's, or the machine has slept: the clock is asked again."""
    job.push(add(7, "A"), add(8, "B"))
    job.configure(batch='{ size = 1, timeout = "100ms" }')
    job.runtime.route("t", 10)
    deliverer: Any = job.runtime._deliverer("crm")
    begin, run = deliverer._turns.begin, delivery._run
    turns: list[Any] = []

    def begins(*arguments: Any) -> Any:
        turns.append(begin(*arguments))
        return turns[-1]

    def runs(*arguments: Any) -> Any:
        done = run(*arguments)
        if len(turns) == 1:
            turns[0].lease.lost = True
        return done

    monkeypatch.setattr(deliverer._turns, "begin", begins)
    monkeypatch.setattr(delivery, "_run", runs)
    result = deliverer.work("t", 5)

    assert "the lease ran out before COMMIT" in str(result)
    assert job.target.members() == set()
    assert job.installation.backlog() == 2


def test_no_two_processes_have_one_name(job: Job) -> None:
    """Nor the same one after it has started again: what it held before is not its own any more (rule 12)."""
    names = {job.installation.runtime().owner for _ in range(3)}
    assert len(names) == 3


def test_every_transaction_holds_its_lanes_own_lock(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named by the installation as well, since a whole server may share the names (rule 19)."""
    job.push(add(7, "A"), add(8, "B"))
    job.runtime.route("t", 10)
    deliverer: Any = job.runtime._deliverer("crm")
    opens, locks = deliverer._attempts._open_session, []

    def noting() -> Any:
        session = opens()
        begin = session.begin

        def begins(lock: str, patience: float) -> None:
            locks.append(lock)
            begin(lock, patience)

        noted = Mock(wraps=session, begin=begins)
        noted.deliver = lambda *told: delivery.deliver(noted, *told)
        return noted

    monkeypatch.setattr(deliverer._attempts, "_open_session", noting)
    job.let_timeouts_pass()
    deliverer.work("t", 5)

    assert job.target.members() == {("7", "A"), ("8", "B")}
    installation = job.runtime.applied.installation
    assert installation
    assert sorted(locks) == [f"{installation}/members/{segment}" for segment in (7, 8)]
