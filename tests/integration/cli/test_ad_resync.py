"""An ad account made equal to the platform: by what its store says was told, since no platform lists anybody."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.fakes.yandex import FakeYandex
from tests.integration.cli.hours import let_the_platform_work
from tests.integration.connectors.audiences.rig import sha256
from tests.waiting import until
from workers.control.drain import drain
from workers.lanes.runs import ResyncRuns
from workers.resync.run import ResyncRun
from workers.runtime import Runtime
from workers.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.place import Call, Place

FILE = """
namespace = "{namespace}"
[redis]
url = "{redis}"
[ledger]
url = "sqlite:///ledger.db"
[sources.main]
url = "sqlite:///platform.db"
delay = "0s"
members = "SELECT id AS _id, id, email FROM member WHERE segment = {{segment_id}}"
[connectors.ya]
platform = "yandex-audiences"
url = "{url}"
client_id = "ya-client"
client_secret = "${{YA_SECRET}}"
[integrations.buyers]
connector = "ya"
key = "id"
scope = {{ database = "main", groups = ["sales"] }}
batch = {{ size = 1000, timeout = "100ms" }}
fields = {{ email = "email" }}
on_enter = "resync"
on_leave = "clear"
"""


@pytest.fixture
def yandex() -> Iterator[FakeYandex]:
    fake = FakeYandex()
    yield fake
    fake.close()


class Shop:
    """A platform with a table of members, and an ad account that follows it."""

    def __init__(self, place: Place, yandex: FakeYandex) -> None:
        self.place = place
        self.yandex = yandex
        with closing(sqlite3.connect(place.folder / "platform.db")) as platform:
            platform.execute("CREATE TABLE member (segment INT, id TEXT, email TEXT)")
        self.runtime = Runtime(load(place.file).local)

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
        let_the_platform_work(self.place, self.runtime, self.yandex)
        return {value for _, value in self.yandex.members("VIP")}

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
def shop(place: Place, call: Call, yandex: FakeYandex, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setenv("YA_SECRET", "ya-secret")
    monkeypatch.setenv("SEGSYNC_SECRET", "a secret of this installation's own")
    place.file.write_text(FILE.format(namespace=place.keys.namespace, redis=place.url, url=yandex.url))
    call("connect", "ya", "--code", "1234567")
    assert call("apply").returncode == 0
    made = Shop(place, yandex)
    yield made
    made.runtime.targets.dispose()


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
    (audience,) = shop.yandex.segments.values()
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
