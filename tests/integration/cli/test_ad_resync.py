"""An ad account made equal to the platform: by what its store says was told, since no platform lists anybody."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.integration.connectors.audiences.rig import sha256
from tests.waiting import until
from workers.control.drain import drain
from workers.lanes.runs import ResyncRuns
from workers.resync.run import ResyncRun

if TYPE_CHECKING:
    from tests.integration.ad_account import AdAccount
    from tests.integration.place import Call

SOURCE = """
[sources.main]
url = "sqlite:///platform.db"
delay = "0s"
members = "SELECT id AS _id, id, email FROM member WHERE segment = {segment_id}"
"""


class Shop:
    """A platform with a table of members, and an ad account that follows it."""

    def __init__(self, ads: AdAccount) -> None:
        self.ads = ads
        self.place = ads.place
        self.runtime = ads.runtime
        with closing(sqlite3.connect(self.place.folder / "platform.db")) as platform:
            platform.execute("CREATE TABLE member (segment INT, id TEXT, email TEXT)")

    def has(self, *members: tuple[str, str | None]) -> None:
        with closing(sqlite3.connect(self.place.folder / "platform.db")) as platform, platform:
            platform.execute("DELETE FROM member")
            platform.executemany("INSERT INTO member VALUES (7, ?, ?)", members)

    def enters(self) -> None:
        """The segment comes into scope, and is read for that."""
        with self.place.producer() as producer:
            producer.segment_upsert(7, name="VIP", database="main", groups=["other"])
            producer.segment_upsert(7, groups=["sales"])
        prefix = self.place.keys.run("")

        def asked() -> list[bytes]:
            drain(self.runtime)
            return list(self.place.redis.scan_iter(match=f"{prefix}*", _type="hash"))

        (name,) = until(asked, "a run")
        assert self.end_of(name.decode().removeprefix(prefix)).outcome == "done"

    def hours_go_by(self) -> set[str]:
        """What the audience has then."""
        self.place.let_timeouts_pass()
        drain(self.runtime)
        return self.ads.hours_go_by()

    def run(self, kind: str = "resync", **more: int) -> ResyncRun:
        name, _ = ResyncRuns(self.runtime.lanes).ask("buyers", "7", "test", kind, **more)
        return self.end_of(name)

    def end_of(self, name: str) -> ResyncRun:
        def found() -> ResyncRun | None:
            drain(self.runtime)
            return ResyncRun.read(ResyncRuns(self.runtime.lanes).read(name))

        until(lambda: (run := found()) is not None and run.state == "ended", "the run's end")
        run = found()
        assert run is not None
        return run


@pytest.fixture
def shop(ads: AdAccount) -> Shop:
    ads.write(SOURCE, scope='groups = ["sales"]', more='on_enter = "resync"\non_leave = "clear"')
    ads.connect()
    return Shop(ads)


def email(number: int) -> str:
    return f"p{number}@example.com"


def members(*numbers: int) -> list[tuple[str, str | None]]:
    return [(str(number), email(number)) for number in numbers]


def hashes(*numbers: int) -> set[str]:
    return {sha256(email(number)) for number in numbers}


def test_a_segment_that_comes_into_scope_is_read_and_one_that_leaves_is_emptied(shop: Shop) -> None:
    shop.has(*members(*range(120)))
    shop.enters()
    assert shop.hours_go_by() == hashes(*range(120))
    with shop.place.producer() as producer:
        producer.segment_upsert(7, groups=[])
    assert shop.hours_go_by() == set()


def test_what_differs_is_found_and_made_equal(shop: Shop, call: Call) -> None:
    shop.has(*members(*range(120)))
    shop.enters()
    shop.hours_go_by()
    assert shop.run("verify").outcome == "equal"

    shop.has(*members(*range(5, 125)), ("a", None), ("3", "changed@example.com"))
    seen = shop.run("verify")
    assert (seen.outcome, seen.missing, seen.strays, seen.unusable) == ("differs", 5, 4, 1)
    asks = shop.run()
    assert (asks.outcome, "first time" in asks.why) == ("needs confirmation", True)
    done = shop.run(accept_removals=4, accept_adds=5)
    assert (done.outcome, done.mode, done.removed, done.added) == ("done", "diff", 4, 121)
    assert shop.hours_go_by() == hashes(*range(5, 125)) | {sha256("changed@example.com")}
    assert json.loads(call("status", "--json").stdout)["quarantine"] == 0
    assert shop.run("verify").outcome == "equal"


def test_what_the_platform_has_lost_is_told_again(shop: Shop, call: Call) -> None:
    shop.has(*members(*range(120)))
    shop.enters()
    shop.hours_go_by()
    (audience,) = shop.ads.yandex.segments.values()
    audience.members = set()
    assert shop.run("verify").outcome == "equal", "what nobody lists, nobody sees"
    assert call("audiences", "ya", "--resend", "--segment", "8").stderr == (
        "segsync: ya has no audience of segment '8'; expected one of 7\n"
    )
    done = call("audiences", "ya", "--resend", "--segment", "7")
    assert done.stdout.startswith("120 identifiers are told again"), done.stderr
    assert shop.hours_go_by() == hashes(*range(120))


def test_a_source_that_lacks_the_fields_removes_nobody(shop: Shop) -> None:
    shop.has(*members(*range(120)))
    shop.enters()
    shop.has(*[(str(number), None) for number in range(120)])
    run = shop.run(accept_removals=1000)
    assert (run.outcome, run.why) == (
        "failed",
        "of none of its 120 members anything can be sent; expected the fields of the integration in what it gives",
    )
    assert shop.hours_go_by() == hashes(*range(120))
