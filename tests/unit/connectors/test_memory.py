"""What the memory connector adds to the contract: what it remembers, and failures on demand."""

from __future__ import annotations

import pytest

from workers.connectors.memory import MemoryConnector, Transaction
from workers.errors import ErrorClass, TargetError

LOST = TargetError(ErrorClass.AMBIGUOUS, "memory link", "lost")
BUSY = TargetError(ErrorClass.RETRY, "memory busy", "busy")


def test_it_remembers_what_was_committed_and_under_which_lock() -> None:
    connector = MemoryConnector()
    session = connector.open()
    session.begin("lane", 0)
    session.execute("one")
    session.execute("two")
    session.commit()
    session.begin(None, 0)
    session.execute("three")
    session.rollback()
    assert connector.committed == [Transaction("lane", ("one", "two"))]


def test_rows_are_what_the_response_says() -> None:
    connector = MemoryConnector(respond=len)
    session = connector.open()
    session.begin(None, 0)
    assert session.execute("four") == 4


@pytest.mark.parametrize("step", ["open", "begin", "execute", "commit", "rollback"])
def test_a_step_fails_as_often_as_it_was_told_and_then_works(step: str) -> None:
    connector = MemoryConnector()
    connector.fail(step, LOST, BUSY)  # type: ignore[arg-type]
    for error in (LOST, BUSY):
        with pytest.raises(TargetError) as caught:
            run(connector)
        assert caught.value is error
    run(connector)
    assert len(connector.committed) == 3 - 2 * (step in {"open", "begin", "execute", "commit"})


def run(connector: MemoryConnector) -> None:
    session = connector.open()
    try:
        session.begin("lane", 0)
        session.execute("x")
        session.commit()
        session.begin("lane", 0)
        session.rollback()
    finally:
        session.discard()


def test_the_steps_are_noted_in_order() -> None:
    connector = MemoryConnector()
    run(connector)
    assert connector.calls == ["open", "begin", "execute", "commit", "begin", "rollback"]


def test_a_failed_commit_commits_nothing() -> None:
    connector = MemoryConnector()
    connector.fail("commit", LOST)
    session = connector.open()
    session.begin("lane", 0)
    session.execute("x")
    with pytest.raises(TargetError):
        session.commit()
    assert connector.committed == []
