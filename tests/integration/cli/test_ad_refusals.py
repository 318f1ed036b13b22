"""What an ad platform refuses is found where an operator looks: listed, retried and dropped as any entry."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.fakes.vk import FakeVk
from tests.integration.hours import let_the_platform_work
from workers.connectors.audiences.platforms import PLATFORMS, VK
from workers.control.drain import drain
from workers.control.pause import pause
from workers.lanes.clock import redis_ms
from workers.outcomes import Cleared
from workers.quarantine import refused_members
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
[connectors.vk]
platform = "vk-ads"
url = "{url}"
client_id = "vk-client"
client_secret = "${{VK_SECRET}}"
[integrations.buyers]
connector = "vk"
key = "id"
scope = {{ database = "main", segments = [7] }}
batch = {{ size = 1000, timeout = "100ms" }}
fields = {{ email = "email", phone = "phone" }}
"""


@pytest.fixture
def vk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeVk]:
    monkeypatch.setitem(PLATFORMS, VK.key, replace(VK, first_rows=2, later_rows=0))
    monkeypatch.setattr("workers.connectors.audiences.vk.FEWEST", 0)
    fake = FakeVk()
    fake.first, fake.later = 2, 1
    yield fake
    fake.close()


@pytest.fixture
def installation(
    place: Place, call: Call, vk: FakeVk, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Place, Runtime]]:
    """Seven people are told of, two of whom VK refuses, and one has nothing that could be sent."""
    monkeypatch.setenv("VK_SECRET", "vk-secret")
    monkeypatch.setenv("SEGSYNC_SECRET", "a secret of this installation's own")
    place.file.write_text(FILE.format(namespace=place.keys.namespace, redis=place.url, url=vk.url))
    assert call("connect", "vk").returncode == 0
    assert call("apply").returncode == 0
    runtime = Runtime(load(place.file).local)
    vk.refuses = {sent(5), sent(6)}
    push(place, runtime, vk, *seven(), {"_id": "none", "id": "none", "email": "no address"})
    yield place, runtime
    runtime.targets.dispose()


def person(number: int) -> dict[str, str]:
    return {"_id": f"id {number}", "id": str(number), "email": f"p{number}@example.com"}


def seven() -> list[dict[str, str]]:
    return [person(number) for number in range(7)]


def sent(number: int) -> str:
    return hashlib.md5(f"p{number}@example.com".encode(), usedforsecurity=False).hexdigest()


def push(place: Place, runtime: Runtime, vk: FakeVk, *profiles: dict[str, str]) -> None:
    with place.producer() as producer:
        producer.add(7, list(profiles))
    place.let_timeouts_pass()
    drain(runtime)
    work(place, runtime, vk)


def work(place: Place, runtime: Runtime, vk: FakeVk) -> None:
    let_the_platform_work(place, runtime, vk, "vk")


def listed(call: Call, state: str = "open") -> list[dict[str, Any]]:
    shown = json.loads(call("quarantine", "list", "--state", state, "--json").stdout)
    found: list[dict[str, Any]] = shown["entries"]
    return sorted(found, key=lambda each: each["id"])


def told(entries: list[dict[str, Any]]) -> set[tuple[str, str, str, str, int]]:
    return {(each["profile"], each["code"], each["source"], each["state"], each["retries"]) for each in entries}


def test_what_is_refused_is_listed_retried_and_dropped_as_any_entry(
    installation: tuple[Place, Runtime], call: Call, vk: FakeVk
) -> None:
    place, runtime = installation
    refused = "vk-ads invalid_md5"
    nothing = ("none", "no identifier", "lane", "open", 0)
    assert told(listed(call)) == {(n, refused, "audience", "open", 0) for n in ("5", "6")} | {nothing}
    five, six, none = (next(e["id"] for e in listed(call) if e["profile"] == name) for name in ("5", "6", "none"))
    text = call("quarantine", "list").stdout
    assert "profile 5" in text
    assert "VK Ads refuses what was sent of it as: Email address; mend the profile where it comes from" in {
        each["reason"] for each in listed(call)
    }
    assert json.loads(call("status", "--json").stdout)["quarantine"] == 3

    dropped = call("quarantine", "drop", str(six), "--yes")
    assert (dropped.returncode, dropped.stdout) == (0, "1 entry is dropped\n")
    vk.refuses = set()
    retried = call("quarantine", "retry", str(five), str(none))
    assert (retried.returncode, retried.stdout) == (0, "2 entries are on their way once more\n")
    again = call("quarantine", "retry", str(five))
    assert again.returncode == 1
    assert "refused no more" in again.stdout
    place.let_timeouts_pass()
    drain(runtime)
    work(place, runtime, vk)
    assert vk.members("segment 7", "emails") == {sent(n) for n in range(6)}, "who was dropped is not told again"
    assert told(listed(call, "all")) == {
        ("5", refused, "audience", "delivered", 0),
        ("6", refused, "audience", "dropped", 0),
        ("none", "no identifier", "lane", "replaced", 0),
        ("none", "no identifier", "lane", "open", 1),
    }
    acts = [(each["act"], each["target"]) for each in json.loads(call("audit", "--json").stdout)]
    assert {("quarantine drop", str(six)), ("quarantine retry", f"{five}, {none}")} <= set(acts)
    shown = call("quarantine", "show", str(five)).stdout
    assert sent(5) not in shown
    assert "p5@example.com" not in shown
    push(place, runtime, vk, person(6))
    assert sent(6) in vk.members("segment 7", "emails"), "its profile has come again"


@pytest.mark.usefixtures("installation")
def test_a_refusal_says_where_it_is_and_goes_with_an_erasure(call: Call) -> None:
    where = json.loads(call("why", "buyers", "--segment", "7", "--profile", "5", "--json").stdout)
    assert [each["code"] for each in where["entries"]] == ["vk-ads invalid_md5"]
    assert call("erase", "--profile", "5", "--yes").returncode in (0, 1)
    (one,) = [each for each in listed(call, "all") if each["state"] == "dropped"]
    assert (one["profile"], one["source"]) == (None, "audience")
    assert not [each for each in listed(call, "all") if each["profile"] == "5"]


def test_what_its_lane_has_done_with_is_refused_still(installation: tuple[Place, Runtime], call: Call) -> None:
    """As after a resync: what the lane itself refused before says nothing any more."""
    _, runtime = installation
    now_ms = redis_ms(runtime.redis)
    done = Cleared("buyers", "7", f"{now_ms:013d}{0:014d}", now_ms, "resync")
    refused_members.append(runtime.redis, runtime.keys, [done])
    runtime.drain_outcomes(5)
    assert told(listed(call)) == {(n, "vk-ads invalid_md5", "audience", "open", 0) for n in ("5", "6")}
    assert ("none", "no identifier", "lane", "superseded", 0) in told(listed(call, "all"))


def test_who_is_found_by_a_value_goes_from_what_names_their_key_alone(
    installation: tuple[Place, Runtime], call: Call
) -> None:
    """The refused entry has no address in it, and neither has what waits with another one, or a run that shows keys."""
    place, runtime = installation
    place.redis.hset(place.keys.run("1"), mapping={"id": "1", "integration": "buyers", "shown": '{"missing": ["5"]}'})
    place.redis.hset(place.keys.run("2"), mapping={"id": "2", "integration": "others", "shown": '{"missing": ["5"]}'})
    pause(runtime.redis, runtime.keys, "buyers", reason="", by="a test")
    with place.producer() as producer:
        producer.add(7, [{**person(5), "email": "new@example.com"}, {"_id": "5", "id": "8", "email": "p8@example.com"}])
    place.let_timeouts_pass()
    drain(runtime)
    values = place.folder / "values.txt"
    values.write_text("p5@example.com\n")

    erased = json.loads(call("erase", "--values", str(values), "--yes", "--json").stdout)
    assert [(each["where"], each["found"]) for each in erased] == [
        ("the quarantine", 1),
        ("runs of resyncs", 1),
        ("the audiences of vk", 1),
        ("the lane of segment 7 of buyers", 1),
    ]
    assert {each["profile"] for each in listed(call, "all")} == {None, "6", "none"}
    assert place.redis.hget(place.keys.run("2"), "shown") == b'{"missing": ["5"]}'


def test_what_another_has_as_well_stays_in_the_quarantine_by_their_key(
    installation: tuple[Place, Runtime], call: Call, vk: FakeVk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One entry tells of a refused value, whoever has it; where nobody can say who that is, it stays as it is."""
    push(*installation, vk, {"_id": "id 9", "id": "9", "email": "p5@example.com"})
    with monkeypatch.context() as without:
        without.delenv("SEGSYNC_SECRET")
        left = json.loads(call("erase", "--profile", "5", "--yes", "--json").stdout)
    stays = [(each["where"], each["found"], each["left"]) for each in left if each["found"]]
    assert stays == [("the quarantine", 2, True)], "the one that was replaced is a person's, too"
    assert {each["profile"] for each in listed(call)} == {"5", "6", "none"}

    assert call("erase", "--profile", "5", "--yes").returncode in (0, 1)
    assert {each["profile"] for each in listed(call)} == {"9", "6", "none"}
    (mine,) = [each for each in listed(call) if each["profile"] == "9"]
    vk.refuses = set()
    assert call("quarantine", "retry", str(mine["id"])).returncode == 0
    work(*installation, vk)
    assert sent(5) in vk.members("segment 7", "emails")
    assert "5" not in {each["profile"] for each in listed(call, "all")}
