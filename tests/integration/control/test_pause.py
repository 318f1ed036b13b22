"""The toggle at run time, on a real Redis."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import integration
from tests.waiting import PATIENCE
from workers.control.drain import drain
from workers.control.pause import NotPausable, NotSettled, UnknownIntegration, pause, resume
from workers.errors import WrongUsage
from workers.lanes import Claimed, Lanes
from workers.lanes.messages import Release

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.place import Place


def claim(place: Place, owner: str) -> tuple[Lanes, Claimed]:
    """A lane in the hands of a deliverer that does nothing."""
    lanes = Lanes(place.redis, place.keys.namespace, int(place.redis.hget(place.keys.config, "revision") or 0), owner)
    claimed = lanes.claim("db", f"token-{owner}", 4)
    assert isinstance(claimed, Claimed)
    return lanes, claimed


def owe(place: Place, *segments: str) -> None:
    """Lanes of ten operations, which are due at once."""
    runtime = place.publish(integration())
    for segment in segments:
        place.add(segment, 10)
    runtime.route("token", 5)


def test_a_paused_integration_keeps_its_events_and_delivers_none(place: Place) -> None:
    owe(place, "7")
    pause(place.redis, place.keys, "crm", reason="moving the table", by="ann@host")

    runtime = place.publish(integration())
    place.add("8", 10)
    assert drain(runtime).batches == 0
    assert place.rows() == set()

    assert resume(place.redis, place.keys, "crm")
    assert drain(runtime).batches == 2
    assert len(place.rows()) == 20


def test_a_second_pause_keeps_who_and_why(place: Place) -> None:
    place.publish(integration())
    assert pause(place.redis, place.keys, "crm", reason="moving the table", by="ann@host")
    at = place.redis.hget(place.keys.integration("crm"), "paused_at")
    for reason in ("", "a deploy", "moving the table"):
        assert not pause(place.redis, place.keys, "crm", reason=reason, by="bob@host")
    told = place.redis.hmget(place.keys.integration("crm"), "paused_reason", "paused_by", "paused_at")
    assert told == [b"moving the table; then a deploy", b"ann@host", at]

    resume(place.redis, place.keys, "crm")
    pause(place.redis, place.keys, "crm", by="bob@host")
    assert place.redis.hmget(place.keys.integration("crm"), "paused_reason", "paused_by") == [b"", b"bob@host"]


def test_a_reason_that_is_too_long_pauses_nothing(place: Place) -> None:
    place.publish(integration("crm"))
    with pytest.raises(WrongUsage, match="a reason of 1,001 characters; expected at most 1,000"):
        pause(place.redis, place.keys, "crm", reason="x" * 1_001)
    assert place.redis.hget(place.keys.integration("crm"), "paused") is None


def test_a_pause_survives_a_deploy(place: Place) -> None:
    owe(place, "7")
    pause(place.redis, place.keys, "crm")
    runtime = place.publish(integration(timeout="3s"))
    assert drain(runtime).batches == 0


def test_a_pause_returns_when_the_delivery_in_flight_is_over(place: Place) -> None:
    owe(place, "7", "8")
    lanes, claimed = claim(place, "one")
    waiting = threading.Thread(target=pause, args=(place.redis, place.keys, "crm"))
    waiting.start()
    waiting.join(0.5)
    assert waiting.is_alive()

    lanes.release(Release("crm", claimed.segment, claimed.claim))
    waiting.join(PATIENCE)
    assert not waiting.is_alive()


def test_the_lane_in_flight_is_found_among_thousands_that_wait(place: Place) -> None:
    owe(place, "7")
    claim(place, "one")
    now = time.time() * 1000
    place.redis.zadd(place.keys.timed("crm"), {f"waits{n}": now + n * 3 for n in range(9_000)})

    with pytest.raises(NotSettled, match=r"segment '7'.*by one"):
        pause(place.redis, place.keys, "crm", patience=0.3)


def test_a_pause_does_not_wait_for_a_deliverer_whose_lease_is_over(place: Place) -> None:
    owe(place, "7")
    claim(place, "dead")
    place.redis.hset(place.keys.lane("crm", "7"), "until", 1)
    pause(place.redis, place.keys, "crm", patience=0.3)


def test_a_pause_that_is_not_settled_stands_all_the_same(place: Place) -> None:
    owe(place, "7", "8")
    claim(place, "one")
    with pytest.raises(NotSettled):
        pause(place.redis, place.keys, "crm", patience=0.1)
    assert drain(place.publish(integration())).batches == 0


def test_resume_wakes_the_workers_at_once(place: Place) -> None:
    owe(place, "7")
    pause(place.redis, place.keys, "crm")
    place.redis.delete(place.keys.bell)
    resume(place.redis, place.keys, "crm")
    assert place.redis.xlen(place.keys.bell) == 1


def test_resuming_what_is_not_paused_is_told(place: Place) -> None:
    owe(place, "7")
    assert not resume(place.redis, place.keys, "crm")


def test_what_the_file_pauses_only_the_file_resumes(place: Place) -> None:
    place.publish(integration(active=False))
    with pytest.raises(NotPausable, match=r"active = false.*active = true.*segsync apply"):
        resume(place.redis, place.keys, "crm")


@pytest.mark.parametrize("command", [pause, resume])
def test_an_unknown_name_is_met_with_the_nearest(place: Place, command: Callable[..., object]) -> None:
    place.publish(integration())
    with pytest.raises(UnknownIntegration, match="no integration 'crn'; did you mean 'crm'"):
        command(place.redis, place.keys, "crn")


@pytest.mark.parametrize("command", [pause, resume])
def test_with_nothing_applied_no_name_is_known(place: Place, command: Callable[..., object]) -> None:
    with pytest.raises(UnknownIntegration, match="nothing has been applied"):
        command(place.redis, place.keys, "crm")


@pytest.mark.parametrize("command", [pause, resume])
def test_what_left_the_file_can_neither_be_paused_nor_resumed(place: Place, command: Callable[..., object]) -> None:
    owe(place, "7")
    place.publish()
    with pytest.raises(NotPausable, match="not in the applied configuration"):
        command(place.redis, place.keys, "crm")


def test_both_work_on_a_full_redis(full_place: Place) -> None:
    """Just when somebody may want to pause: Redis refuses every command that asks for memory."""
    owe(full_place, "7")
    used = int(full_place.redis.info("memory")["used_memory"])
    full_place.redis.config_set("maxmemory", used - 1)

    pause(full_place.redis, full_place.keys, "crm", reason="x" * 1000)
    assert full_place.redis.hget(full_place.keys.integration("crm"), "paused") == b"1"
    assert resume(full_place.redis, full_place.keys, "crm")
