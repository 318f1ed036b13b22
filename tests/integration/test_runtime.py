"""Which revision a process works by, while another thread of it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from redis import ConnectionError  # noqa: A004 - Redis's own, as it would be raised

from tests.integration.place import integration
from workers.control.drain import drain
from workers.lanes.store import Lanes
from workers.runtime import Runtime

if TYPE_CHECKING:
    from tests.integration.place import Place


def test_whoever_asks_while_another_revision_is_followed_leaves_no_older_one_behind(place: Place) -> None:
    """The heartbeat asks for the lanes at any moment: what it made of the old revision stayed, and nothing worked."""
    local = place.publish(integration()).local

    class Asked(Runtime):
        following = False

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if self.following:
                assert self.lanes

    runtime = Asked(local)
    before = runtime.lanes.revision
    place.publish(integration(timeout="200ms"))
    runtime.following = True
    runtime.follow()
    runtime.following = False
    assert runtime.lanes.revision == before + 1
    assert runtime.tick("task").sleep_ms >= 0


def test_a_revision_of_the_same_number_in_a_redis_that_was_emptied_is_followed(place: Place) -> None:
    """They are counted anew there: a worker that went on by its old one threw away what the new one wants."""
    runtime = place.publish(integration(segments="[7]"))
    place.add("7", 10)
    drain(runtime)
    for key in place.redis.scan_iter(match=f"*{place.keys.namespace}*", count=1000):
        place.redis.delete(key)
    assert place.publish(integration(segments="[8]")).applied.revision == runtime.applied.revision
    place.add("8", 10)
    runtime.route("t", 5)
    assert place.redis.exists(place.keys.unwanted) == 0
    runtime.deliver("db", "t", 5)
    assert ("8", "1") in place.rows()


def test_a_tick_that_failed_is_sent_again_by_its_name(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its wake-ups were given, and nobody heard of them."""
    runtime = place.publish(integration())
    place.add("7", 1)
    tick = Lanes.tick

    def unheard(self: Lanes, prefix: str, who: str) -> Any:
        tick(self, prefix, who)
        raise ConnectionError("gone")

    with monkeypatch.context() as away:
        away.setattr(Lanes, "tick", unheard)
        with pytest.raises(ConnectionError):
            runtime.tick("pulse")
    assert [wake.queue for wake in runtime.tick("pulse").wakes] == ["route"]
    assert runtime.tick("pulse").wakes == []


def test_two_ticks_at_once_tell_of_no_wakeup_twice(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two threads of one process: a permit that both tell of would be two deliverers."""
    runtime = place.publish(integration())
    place.add("7", 1)
    tick, found = Lanes.tick, list[str]()

    def meanwhile(self: Lanes, prefix: str, who: str) -> Any:
        answer = tick(self, prefix, who)
        with monkeypatch.context() as alone:
            alone.setattr(Lanes, "tick", tick)
            found.extend(wake.queue for wake in runtime.tick("task").wakes)
        return answer

    monkeypatch.setattr(Lanes, "tick", meanwhile)
    assert [wake.queue for wake in runtime.tick("pulse").wakes] == ["route"]
    assert found == []
