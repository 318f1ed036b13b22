"""`segsync erase`: a planted person is found in each place, and afterwards nowhere."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.connectors.audiences.rig import sha256
from tests.integration.place import integration
from workers.control.drain import drain
from workers.control.pause import pause, resume
from workers.ledger.tables import quarantine

if TYPE_CHECKING:
    import redis

    from tests.fakes.yandex import FakeYandex
    from tests.integration.ad_account import AdAccount
    from tests.integration.place import Call, Place

EMAIL = "planted@example.com"
PLANTED = ("planted-id", "planted-key", EMAIL)
NAMED = ("erase", "--profile", "planted-id", "--profile", "planted-key", "--values")


@pytest.fixture
def installation(place: Place, ads: AdAccount) -> AdAccount:
    """A table, a paused integration, and an ad account; a planted person in all of them, among others."""
    place.write(integration("crm"), integration("later"), ads.text())
    ads.connect()
    runtime = ads.runtime
    pause(runtime.redis, runtime.keys, "later", reason="", by="a test")
    person = {"_id": "planted-id", "id": "planted-key", "email": f" {EMAIL.upper()} "}
    others = [{"_id": str(n), "id": str(n), "email": f"p{n}@example.com"} for n in range(120)]
    with place.producer() as producer:
        producer.add(7, [person, *others])
        producer.add(7, [{"_id": "planted-id", "email": EMAIL}, {"_id": "another", "email": "b@example.com"}])
    place.redis.hset(place.keys.run("1"), mapping={"id": "1", "shown": json.dumps({"missing": ["planted-key"]})})
    place.let_timeouts_pass()
    drain(runtime)
    return ads


def stored(client: redis.Redis, namespace: str) -> bytes:
    """All that Redis has of an installation."""
    found: list[Any] = []
    for key in client.scan_iter(match=f"{namespace}:*"):
        kind = client.type(key)
        found.append(key)
        match kind:
            case b"string":
                found.append(client.get(key))
            case b"hash":
                found.append(client.hgetall(key))
            case b"list":
                found.append(client.lrange(key, 0, -1))
            case b"stream":
                found.append(client.xrange(key))
            case b"set":
                found.append(client.smembers(key))
            case b"zset":
                found.append(client.zrange(key, 0, -1))
    return repr(found).encode()


def values(place: Place) -> str:
    """A file with the person's values."""
    file = place.folder / "values.txt"
    file.write_text(f"{EMAIL}\n")
    return str(file)


def test_a_planted_person_is_found_everywhere_and_then_nowhere(
    installation: AdAccount, call: Call, yandex: FakeYandex
) -> None:
    place, runtime = installation.place, installation.runtime
    installation.hours_go_by()
    assert ("email", sha256(EMAIL)) in yandex.members("segment 7")

    looked = call(*NAMED, values(place), "--json")
    assert looked.returncode == 1, looked.stderr
    assert {(each["where"], each["found"]) for each in json.loads(looked.stdout)} == {
        ("the quarantine", 2),
        ("runs of resyncs", 1),
        ("the audiences of ya", 1),
        ("the lane of segment 7 of later", 2),
    }

    erased = call(*NAMED, values(place), "--yes", "--reason", "request 1142")
    assert erased.returncode == 1
    assert "! the lane of segment 7 of later: is left to its delivery; then erase again" in erased.stdout

    resume(runtime.redis, runtime.keys, "later")
    place.let_timeouts_pass()
    installation.hours_go_by()
    again = call(*NAMED, values(place), "--yes")
    assert again.returncode == 0, again.stdout
    last = call(*NAMED, values(place))
    assert (last.returncode, last.stdout) == (0, "nothing is left of it\n")

    assert yandex.members("segment 7") == {("email", sha256(f"p{n}@example.com")) for n in range(120)}
    runtime.targets.dispose()
    kept = b"".join(each.read_bytes() for each in place.folder.iterdir() if each.name.startswith("ledger"))
    kept += stored(place.redis, place.keys.namespace)
    acts = call("audit", "--json").stdout
    for value in (*PLANTED, EMAIL.upper()):
        assert value.encode() not in kept
        assert value not in acts
    assert bytes.fromhex(sha256(EMAIL)) not in kept
    (act,) = [each for each in json.loads(acts) if each["act"] == "erase" and each["reason"]]
    assert (act["target"], act["reason"]) == ("2 profiles, 1 value", "request 1142")


def test_whoever_is_meant_is_found_however_either_is_written(installation: AdAccount, call: Call) -> None:
    """In the quarantine by any spelling, and in an audience by what was meant."""
    place, runtime = installation.place, installation.runtime
    written = ("tel:+7-999-000-11-22", "007 999 000 11 22", "8 (999) 000-11-22", sha256("79990001122").upper())
    with place.producer() as producer:
        producer.add(7, [{"_id": f"{n}", "phone": each} for n, each in enumerate(written)])
        producer.add(7, [{"_id": "in a text", "raw": json.dumps({"to": f"Ann <{EMAIL.upper()}>"})}])
    place.let_timeouts_pass()
    drain(runtime)
    file = place.folder / "values.txt"
    file.write_text(f"mailto:{EMAIL}\ntel:+79990001122\n")
    found = json.loads(call("erase", "--values", str(file), "--json").stdout)
    counts = {each["where"]: each["found"] for each in found}
    # Each profile is there once for either integration that is at work; `later` is paused.
    assert counts["the quarantine"] == 2 * (1 + len(written) + 1)
    assert counts["the audiences of ya"] == 1


def test_who_waits_for_the_platform_is_still_left(installation: AdAccount, call: Call) -> None:
    """A second run, before the platform was told: nobody holds anything any more, and everything is there yet."""
    place = installation.place
    installation.hours_go_by()
    assert call("erase", "--profile", "planted-key", "--yes").returncode == 1
    by_key = call("erase", "--profile", "planted-key", "--dry-run")
    assert by_key.returncode == 1
    assert "1 value, of anybody, to be taken out by the platform; see `segsync audiences ya`" in " ".join(
        by_key.stdout.split()
    )
    by_value = json.loads(call("erase", "--values", values(place), "--yes", "--json").stdout)
    (left,) = [each for each in by_value if each["where"] == "the audiences of ya"]
    assert left["left"]
    installation.hours_go_by()
    gone = json.loads(call("erase", "--values", values(place), "--json").stdout)
    assert [(each["found"], each["becomes"]) for each in gone if "has left" in each["where"]] == [(1, "is forgotten")]


def test_others_keep_what_they_have(installation: AdAccount, call: Call) -> None:
    place = installation.place
    assert call(*NAMED, values(place), "--yes").returncode == 1
    entries = json.loads(call("quarantine", "list", "--state", "all", "--json").stdout)["entries"]
    assert {(each["profile"], each["state"]) for each in entries} == {(None, "dropped"), ("another", "open")}
    assert all(each["code"] == "missing key" for each in entries)


def test_an_account_that_cannot_be_looked_at_is_said(
    installation: AdAccount, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = installation.place
    monkeypatch.delenv("YA_SECRET")
    done = call(*NAMED, values(place), "--yes", "--json")
    assert done.returncode == 1
    (account,) = [each for each in json.loads(done.stdout) if each["where"] == "the audiences of ya"]
    assert account["left"]
    assert account["becomes"].startswith("could not be looked at: segsync settings: connectors.ya.client_secret")


def test_under_another_secret_nobody_is_said_to_be_gone(
    installation: AdAccount, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = installation.place
    monkeypatch.setenv("SEGSYNC_SECRET", "another secret of sixteen")
    done = call(*NAMED, values(place), "--json")
    assert done.returncode == 1
    (account,) = [each for each in json.loads(done.stdout) if each["where"] == "the audiences of ya"]
    assert account["becomes"].endswith("expected the SEGSYNC_SECRET that sealed it")


@pytest.mark.usefixtures("installation")
def test_nothing_is_erased_without_a_yes(call: Call) -> None:
    for how in ((), ("--dry-run", "--yes")):
        done = call("erase", "--profile", "planted-id", *how)
        assert (done.returncode, done.stdout.endswith("\nNothing is erased.\n")) == (1, True)
    assert call("erase", "--profile", "planted-id").stdout == done.stdout


def test_who_finds_nobody_hears_just_that(place: Place, call: Call) -> None:
    place.publish(integration("crm"))
    assert call("erase", "--profile", "nobody", "--yes").stdout == "nothing is left of it\n"


@pytest.mark.parametrize(
    ("arguments", "stdin", "said"),
    [
        (("--profile", ""), b"", "--profile '': nobody has an empty id"),
        ((), b"", "nobody is named; expected --profile ID, or --values FILE with one value in each line"),
        (("--values", "-"), b"7\n", "1 value of fewer than 3 characters, which would find others, too"),
        (("--values", "-"), b"\xef\xbb\xbf77\n", "1 value of fewer than 3 characters"),
        (
            ("--values", "-"),
            b"-------\n",
            "line 1: fewer than 3 letters or digits, which would find others, too; expected a whole",
        ),
        (("--values", "-"), b"a@b.example\n\xcc\xe0\n", "--values -, line 2: expected UTF-8"),
        (("--values", "-"), b"a\0@\0\n", "--values -, line 1: a NUL in it; expected text in UTF-8"),
        (("--values", "-"), b"a@b.example;c@b.example\n", "line 1: more than one @; expected one value in each line"),
        (("--values", "nofile"), b"", "--values nofile: No such file or directory"),
        (("--values", "."), b"", "--values .: Is a directory"),
        (("--profile", '["\\ud800"]'), b"", "--profile: half of a surrogate pair in it; expected an `_id` or a key"),
        (("--profile", "a\udcff"), b"", "--profile: bytes that are no text; expected UTF-8"),
    ],
)
def test_who_is_not_named_well_is_refused(
    place: Place, call: Call, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], stdin: bytes, said: str
) -> None:
    place.publish(integration("crm"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
    done = call("erase", *arguments, "--yes")
    assert done.returncode == 2
    assert said in done.stderr


def test_an_event_that_cannot_be_read_says_nothing_of_them(place: Place, call: Call) -> None:
    """Neither why it could not be read, which everybody sees, nor what an older version had written there."""
    runtime = place.publish(integration("crm"))
    event = json.dumps({"type": "clear", "segment": {"id": 7}, "at": EMAIL})
    for _ in range(2):
        place.redis.xadd(place.keys.events, {"event": event})
    drain(runtime)
    for listed in (call("quarantine", "list", "--json"), call("errors", "--json"), call("quarantine", "show", "1")):
        assert "at: what stands there is no time" in " ".join(listed.stdout.split())
    assert EMAIL not in call("quarantine", "list").stdout + call("errors").stdout

    with runtime.ledger.changing() as connection:
        older = quarantine.update().where(quarantine.c.id == 2)
        connection.execute(older.values(reason=f"at: {EMAIL!r} is no time"))
    assert call("erase", "--values", values(place), "--yes").returncode == 0
    entries = json.loads(call("quarantine", "list", "--state", "all", "--json").stdout)["entries"]
    assert [(each["code"], each["reason"]) for each in entries] == [("malformed", "")] * 2
    kept = b"".join(each.read_bytes() for each in place.folder.iterdir() if each.name.startswith("ledger"))
    assert EMAIL.encode() not in kept
