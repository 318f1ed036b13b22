"""What must show nowhere: tokens, secrets, addresses and their hashes, on all four platforms, whatever fails."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.chaos.account_file import SECRETS, account_text, planted, start_fakes
from tests.fakes.server import repeating
from workers.connectors.audiences.platforms import PLATFORMS
from workers.control.drain import drain
from workers.lanes.tending import tend_again
from workers.runtime import Runtime
from workers.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.place import Call, Place

MAIL, PHONE = "planted.ann@example.com", "79990001234"
PLANTED = planted({"id": "ann", "email": MAIL, "phone": PHONE})
CHANGES = {"ya": "POST /v1", "fb": "POST /", "vk": "POST /api/v3", "g": "POST /v1"}


@pytest.fixture
def fakes() -> Iterator[dict[str, Any]]:
    made = start_fakes()
    made["vk"].first = made["vk"].later = 2
    yield made
    for each in made.values():
        each.close()


@pytest.fixture
def account(place: Place, fakes: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    for key in ("yandex-audiences", "vk-ads"):
        monkeypatch.setitem(PLATFORMS, key, replace(PLATFORMS[key], first_rows=2, later_rows=0))
    monkeypatch.setattr("workers.connectors.audiences.vk.FEWEST", 0)
    head = (
        f'namespace = "{place.keys.namespace}"\n[redis]\nurl = "{place.url}"\n[ledger]\nurl = "sqlite:///ledger.db"\n'
    )
    place.file.write_text(head + account_text(fakes))
    return place


def commands() -> str:
    """What the list of processes shows."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(each.read_text(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


def everything(place: Place) -> str:
    """All that Redis has of the namespace: lanes are empty, so no profile is among it."""
    redis: Any = place.redis
    found = []
    read: dict[bytes, Any] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        b"stream": redis.xrange,
    }
    for key in redis.scan_iter(match=f"*{place.keys.namespace}*", count=1000):
        kind = redis.type(key)
        found += [repr((key, read[kind](key)))] if kind in read else []
    return "\n".join(found)


def test_what_is_planted_shows_nowhere_on_any_platform(
    account: Place, call: Call, fakes: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told, seen = connected(call), list[str]()
    assert call("apply").returncode == 0
    runtime = Runtime(load(account.file).local)
    for name, fake in fakes.items():
        fake.before(CHANGES[name], lambda: seen.append(commands()))
    replies = [None, *(repeating(" ".join(PLANTED), status) for status in (400, 503, 200, 401))]
    for number, reply in enumerate(replies):
        with account.producer() as producer:
            people = [{"_id": f"{n}-{number}", "id": f"{n}-{number}", "email": f"{n}{MAIL}"} for n in range(3)]
            producer.add(7, [*people, {"_id": "ann", "id": "ann", "email": MAIL, "phone": f"+{PHONE}", "n": number}])
        account.let_timeouts_pass()
        for name, fake in fakes.items():
            if reply is not None:
                fake.fail(CHANGES[name], reply)
                fake.fail("GET", reply)
            due(runtime, name)
            account.redis.delete(account.keys.budget(name), account.keys.looks(name))
            tend_again(account.redis, account.keys, name, 0)
        drain(runtime)
        asked = [["audiences", "--json"], ["check", "--connect"]]
        if reply is replies[-1]:  # they tell of all that failed before, too
            asked += [["status", "--json"], ["errors", "--json"]]
        for command in asked:
            done = call(*command)
            told += [done.stdout, done.stderr]
        for fake in fakes.values():
            fake.heal()
            fake.work()
    kept = b"".join(each.read_bytes() for each in account.folder.iterdir() if each.name.startswith("ledger"))
    assert len(seen) == 4
    text = "\n".join((*told, *seen, everything(account), caplog.text))
    shown = [value for value in PLANTED if value in text]
    assert shown == []
    assert [value for value in PLANTED if value.encode() in kept] == []
    runtime.targets.dispose()


def connected(call: Call) -> list[str]:
    """What `connect` says of each."""
    told = []
    for name, code in (("ya", ["--code", "1234567"]), ("g", ["--code", "4/code"]), ("vk", []), ("fb", [])):
        done = call("connect", name, *code)
        told += [done.stdout, done.stderr]
        assert done.returncode == 0, done.stderr
    return told


def due(runtime: Runtime, name: str) -> None:
    """Its audiences are due at once, whatever they wait for."""
    target: Any = runtime.targets.get(name)
    target.store.upgrade()
    with target.store.changing() as connection:
        connection.exec_driver_sql("UPDATE ads_audience SET owned_until_ms = 0, due_ms = 1, written_ms = 0")
