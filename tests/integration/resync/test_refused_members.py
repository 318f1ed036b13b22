"""Members that the target refuses, and a quarantine that has no room for them (rule 31)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.jobs import add
from tests.integration.resync.platform import Platform
from workers import outcomes
from workers.lanes.runs import ReadingLost, ResyncRuns
from workers.resync import reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.jobs import Job
    from tests.targets import TargetDatabase

ACCEPTED: dict[str, Any] = {"accept_removals": 100, "accept_adds": 1000}
on_one = pytest.mark.parametrize("target", ["sqlite"], indirect=True)


@pytest.fixture
def platform(make_job: Callable[[TargetDatabase], Job], target: TargetDatabase) -> Platform:
    """A target that refuses some, and a quarantine with room for two."""
    made = Platform(make_job(target))
    target.run(
        "DROP TABLE member",
        "CREATE TABLE member (segment_id bigint, client_id text CHECK (client_id NOT LIKE 'bad%'), updated text, "
        "PRIMARY KEY (segment_id, client_id))",
    )
    made.configure(max_quarantine="2", batch='{ size = 4, timeout = "100ms" }')
    return made


def flagged(platform: Platform) -> list[bytes]:
    keys = platform.job.installation.keys
    found: list[bytes] = platform.job.installation.redis.hkeys(keys.flagged("members"))
    return found


@on_one
def test_a_run_waits_for_no_room_in_the_quarantine(platform: Platform) -> None:
    """It says how many had none, and does not say that all is well."""
    good = [f"k{number}" for number in range(10)]
    platform.has(7, *(each for number in range(5) for each in (f"k{number}", f"bad{number}", f"k{number + 5}")))
    platform.target_has(7, "x")
    run = platform.resync(7, **ACCEPTED)
    assert (run.outcome, run.quarantined + run.counted) == ("done", 5)
    assert f"{run.counted} were refused beside those in the quarantine, which had no room" in run.why
    assert platform.rows(7) == set(good)
    assert len(platform.job.quarantined()) == run.quarantined
    assert run.counted > 0
    assert (platform.lane(7), flagged(platform)) == ({}, [b"7"])
    assert platform.job.installation.backlog() == 0
    (told,) = [one for one in all_records(platform) if isinstance(one, outcomes.Resynced)]
    assert (told.quarantined, told.reason) == (run.quarantined, run.why)


@on_one
def test_what_was_refused_is_counted_though_its_reader_dies_at_the_end(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark has been taken out by then, and another one says nothing of what was told under it."""
    monkeypatch.setattr(reader, "LOST_MS", 0)
    end = ResyncRuns.end

    def dies(*_: Any, **__: Any) -> None:
        monkeypatch.setattr(ResyncRuns, "end", end)
        raise ReadingLost("it has died")

    monkeypatch.setattr(ResyncRuns, "end", dies)
    platform.has(7, "a", "bad", "b")
    run = platform.resync(7)
    assert (run.outcome, run.quarantined, len(platform.job.quarantined())) == ("done", 1, 1)


@on_one
def test_what_was_pushed_waits_for_room_though_a_run_stands_behind_it(platform: Platform) -> None:
    """Nobody could tell it again: it is no more than held."""
    platform.has(7, "k0")
    platform.job.push(add(8, "a", "bad1", "b"), add(8, "c", "bad2", "d"))
    platform.delivered()
    platform.job.push(add(7, "a", "bad3", "b"))
    name = platform.ask(7, **ACCEPTED)
    platform.turn()
    platform.until(name, lambda _: "hold" in platform.lane(7))
    assert (platform.run(name).state, platform.run(name).reached) == ("marked", 0)
    assert platform.lane(7)["before"] != "0"
    keys = platform.job.installation.keys
    assert platform.job.installation.redis.hget(keys.integration("members"), "quarantined") == b"2"


def all_records(platform: Platform) -> list[outcomes.Record]:
    installation = platform.job.installation
    return [outcomes.decode(fields[b"r"]) for _, fields in installation.redis.xrange(installation.keys.outcomes)]
