"""`exactly_once` and a replica that takes over as of an earlier moment: what the target has, and what it passed over.

Each event here was known to the replica; what it lacks is what deliverers have told its master since.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.delivery.test_exactly_once import JOURNAL, journal, serve
from tests.integration.delivery.test_positions import BAD, REFUSING, accounted_for, configure, goes_on, is_due
from tests.integration.jobs import add
from workers.connectors.sql import delivery, rendering
from workers.connectors.sql.positions import CREATE
from workers.lanes import Lost
from workers.settings import load, revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job

HELD = "has passed over a refused one, which Redis does not have"
MOMENTS = ("before it", "after the first batch was halved", "after A", "after the refusal was noted", "after its entry")
"""Of a turn in which A, one that is refused, and B are delivered."""


class Replica:
    """What a replica has of an installation as of one moment, until it takes over."""

    def __init__(self, job: Job) -> None:
        self._redis, self._namespace = job.installation.redis, job.installation.namespace
        self._known = {key: self._redis.dump(key) for key in self._keys()}

    def _keys(self) -> list[bytes]:
        return list(self._redis.scan_iter(match=f"*{self._namespace}*", count=1_000))

    def takes_over(self) -> None:
        self._redis.delete(*self._keys())
        for key, value in self._known.items():
            self._redis.restore(key, 0, value)


@pytest.fixture
def once(sqlite_job: Job) -> Job:
    sqlite_job.target.run("CREATE TABLE journal (client_id varchar(255))", CREATE["sqlite"], REFUSING)
    configure(sqlite_job)
    return sqlite_job


def replicas_of_a_turn(job: Job, monkeypatch: pytest.MonkeyPatch) -> list[Replica]:
    """One before the turn, and one after each thing that its deliverer has told Redis."""
    lanes: Any = job.runtime.lanes
    found: list[Replica] = []

    def told(tell: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def tell_and_copy(what: Any) -> Any:
            answer = tell(what)
            found.append(Replica(job))
            return answer

        return tell_and_copy

    job.runtime.route("t", 10)
    job.let_timeouts_pass()
    found.append(Replica(job))
    with monkeypatch.context() as patched:
        for name in ("settle", "release"):
            patched.setattr(lanes, name, told(getattr(lanes, name)))
        job.runtime.deliver("crm", "t", 10)
    return found


def falls_due(job: Job) -> None:
    lane = job.installation.keys.lane("members", "7")
    if job.installation.redis.hexists(lane, "until"):
        job.installation.redis.hset(lane, mapping={"until": 0})
    is_due(job)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_refused_one_is_in_the_quarantine_or_its_lane_is_held(
    once: Job, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The target was past it, and whoever took over had never heard that it was refused: it was nowhere."""
    once.push(add(7, "A", BAD, "B"))
    replicas = replicas_of_a_turn(once, monkeypatch)
    assert len(replicas) == len(MOMENTS) + 1, "the last one has it all"
    assert journal(once) == ["A", "B"]
    replicas[MOMENTS.index(moment)].takes_over()
    falls_due(once)
    if moment in MOMENTS[:3]:
        assert HELD in str(serve(once))
        assert (once.quarantined(), journal(once)) == ([], ["A", "B"])
        return
    goes_on(once)
    accounted_for(once, "A", "B", BAD)


def test_of_two_that_are_refused_neither_stands_for_the_other(once: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """The position said that some were refused, and one was known: that the other was not, nobody saw."""
    configure(once, size=2)
    keyless = {"type": "add", "segment": {"id": 7}, "profiles": [{"_id": "keyless"}, {"_id": "x", "CustomID": BAD}]}
    once.installation.producer.push([keyless, add(7, "Y"), add(7, "Z")])
    lanes: Any = once.runtime.lanes
    release = lanes.release
    found: list[Replica] = []

    def released(told: Any) -> Any:
        answer = release(told)
        found.extend([Replica(once)] if told.aside else [])
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(lanes, "release", released)
        patched.setattr(lanes, "settle", lambda _: Lost())
        serve(once)
    assert len(found) == 2
    found[0].takes_over()
    falls_due(once)
    assert HELD in str(serve(once))
    assert once.quarantined() == []


NUMBERS = JOURNAL.replace("'{$lead.CustomID}'", "{number $lead.CustomID}")


def by_another_key(job: Job) -> None:
    """A revision by whose key the one in question has none."""
    remove = """DELETE FROM journal WHERE client_id IN ({batch_in "other"})"""
    text = job.target.integration(exactly_once="true", add=JOURNAL.replace("CustomID", "other"), remove=remove)
    job.installation.configure(job.target.connector() + text.replace('key = "CustomID"', 'key = "other"'))
    revision.publish(job.installation.redis, job.installation.keys, load(job.installation.file))


@pytest.mark.parametrize("why", ["it cannot be rendered", "it has no key"])
def test_what_the_target_has_is_refused_by_no_later_revision(
    once: Job, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    """It was in the table and in the quarantine, and its retry brought it into the table once more."""
    some = [{"_id": key, "CustomID": key, "other": key} for key in "123"]
    once.installation.producer.push(
        [{"type": "add", "segment": {"id": 7}, "profiles": [some[0], {"_id": "B", "CustomID": "B"}, *some[1:]]}]
    )
    with monkeypatch.context() as patched:
        patched.setattr(once.runtime.lanes, "settle", lambda _: Lost())
        serve(once)
    assert journal(once) == ["1", "2", "3", "B"]
    if why == "it cannot be rendered":
        configure(once, add=NUMBERS)
    else:
        by_another_key(once)
    once.runtime.follow()
    falls_due(once)
    goes_on(once)
    assert (journal(once), once.quarantined()) == (["1", "2", "3", "B"], [])


def test_a_lane_that_was_empty_in_between_counts_on(once: Job) -> None:
    """Its count began anew, so the position of its next life said nothing of what the replica had never heard."""
    once.push(add(7, "A", BAD, "B"))
    once.runtime.route("t", 10)
    once.push(add(7, "C"))
    replica = Replica(once)  # both are known to it: one in its lane, the other in the intake
    once.let_timeouts_pass()
    once.runtime.deliver("crm", "t", 10)
    is_held_once_it_takes_over(once, replica)


def test_neither_of_two_lives_of_a_lane_stands_for_the_other(once: Job) -> None:
    """In each one is refused; the replica has heard of the first."""
    configure(once, batch='{ size = 2, timeout = "10m" }')
    once.push(add(7, "A", BAD, "B"))
    once.runtime.route("t", 10)
    once.runtime.deliver("crm", "t", 10)
    assert (journal(once), len(once.quarantined())) == (["A"], 1)
    once.push(add(7, f"{BAD}, too", "C"))
    replica = Replica(once)
    falls_due(once)
    once.runtime.deliver("crm", "t", 10)
    is_held_once_it_takes_over(once, replica)


def is_held_once_it_takes_over(job: Job, replica: Replica) -> None:
    assert not job.installation.redis.exists(job.installation.keys.lane("members", "7"))
    job.runtime.route("t", 10)
    goes_on(job)
    assert journal(job) == ["A", "B", "C"]
    replica.takes_over()
    job.runtime.route("t", 10)
    falls_due(job)
    assert HELD in str(job.runtime.deliver("crm", "t", 10))
    assert journal(job) == ["A", "B", "C"]


class Dies(BaseException):
    """A process ends."""


@pytest.mark.parametrize("ends", [Dies, MemoryError])
def test_what_the_target_has_is_rendered_no_more(
    once: Job, monkeypatch: pytest.MonkeyPatch, ends: type[BaseException]
) -> None:
    """It ended each process for ever, or was set aside, and the position that came before told of one less."""
    configure(once, size=1)
    once.installation.producer.push([add(7, "K"), add(7, "L")])
    with monkeypatch.context() as patched:
        patched.setattr(once.runtime.lanes, "settle", lambda _: Lost())
        serve(once)
    assert journal(once) == ["K"]
    render = rendering.render

    def renders(shipment: Any) -> Any:
        if any(member.row.profile["CustomID"] == "K" for group in shipment.groups for member in group.members):
            raise ends
        return render(shipment)

    monkeypatch.setattr(delivery, "render", renders)
    for _ in range(12):
        falls_due(once)
        with suppress(Dies):
            once.runtime.deliver("crm", "t", 10)
    assert once.installation.backlog() == 0
    assert (journal(once), once.quarantined()) == (["K", "L"], [])
