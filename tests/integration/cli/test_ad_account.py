"""An ad account from the file to the platform: connected, checked, delivered to, and looked at."""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.integration.ad_account import CODE, ENVIRON, buyers
from tests.integration.connectors.audiences.rig import sha256
from tests.waiting import until
from workers.control.drain import drain
from workers.lanes.tending import tend_again

if TYPE_CHECKING:
    from tests.fakes.yandex import FakeYandex
    from tests.integration.ad_account import AdAccount
    from tests.integration.place import Call, Place

FIELDS = 'email = "email", external_id = "id"'
PLANTED = (
    "ya-secret",
    ENVIRON["SEGSYNC_SECRET"],
    "ya-access-1",
    "ya-refresh-1",
    "ann@example.com",
    sha256("ann@example.com"),
)


@pytest.fixture
def account(ads: AdAccount) -> AdAccount:
    ads.write(fields=FIELDS)
    return ads


def test_from_the_file_to_the_platform(account: AdAccount, call: Call, yandex: FakeYandex) -> None:
    assert call("connect", "ya", "--code", CODE).stdout == "ya is connected: Yandex.Audiences takes the token\n"
    assert call("apply").returncode == 0
    account.add([{"_id": "a", "id": "a", "email": "ann@example.com"}, *buyers(*range(120))])
    yandex.work()
    wanted = {("email", sha256(f"p{n}@example.com")) for n in range(120)} | {("email", sha256("ann@example.com"))}
    assert yandex.members("VIP") == wanted
    shown = call("audiences", "ya", "--json")
    (one,) = json.loads(shown.stdout)["audiences"]
    assert (one["state"], one["accepted"], one["pending"], one["waits"]) == ("live", 121, 121, "the platform")
    place = account.place
    kept = b"".join(each.read_bytes() for each in place.folder.iterdir() if each.name.startswith("ledger"))
    told = shown.stdout + str(place.redis.hgetall(place.keys.config))
    for value in PLANTED:
        assert value.encode() not in kept
        assert value not in told


def test_what_is_refused_is_shown_by_profile_and_never_by_value(account: AdAccount, call: Call) -> None:
    account.connect()
    account.add(buyers(4))
    assert json.loads(call("audiences", "ya", "--refused", "--json").stdout) == []
    with closing(sqlite3.connect(account.place.folder / "ledger.db")) as store, store:
        store.execute("UPDATE ads_identifier SET there = 3, owed = 0, code = 'invalid_md5'")
    shown = call("audiences", "ya", "--refused", "--json").stdout
    where = {"integration": "buyers", "segment": "7", "list": ""}
    assert json.loads(shown) == [where | {"profile": "4", "kind": "email", "code": "invalid_md5"}]
    assert "invalid_md5" in call("audiences", "ya", "--refused").stdout
    refused = call("audiences", "ya", "--refused", "--resend")
    assert (refused.returncode, refused.stderr) == (
        2,
        "segsync: --refused stands alone; expected no --resend, no --replace and no --segment\n",
    )


def test_all_that_the_platform_has_is_replaced_by_a_command(account: AdAccount, call: Call) -> None:
    account.connect()
    account.add(buyers(*range(120)))
    account.hours_go_by()
    (audience,) = account.yandex.segments.values()
    audience.members |= {("email", "of a stranger")}
    assert call("audiences", "ya", "--replace", "--resend").returncode == 2
    assert call("audiences", "ya", "--replace", "--segment", "8").returncode == 2
    told = call("audiences", "ya", "--replace")
    assert (told.returncode, told.stdout) == (
        0,
        "1 audiences are replaced; `segsync audiences ya` says how far that is\n",
    )
    assert "live, is replaced" in call("audiences", "ya").stdout
    assert len(account.hours_go_by()) == 120
    assert "of a stranger" not in account.hours_go_by()


@pytest.mark.parametrize(
    ("old", "new", "environ", "said"),
    [
        pytest.param('key = "id"', 'key = "email"', {}, "key was id and is email", id="key"),
        pytest.param(
            "client_id =",
            "hashing = false\nclient_id =",
            {},
            "hashing of connectors.ya was true and is false",
            id="file",
        ),
        pytest.param(
            "", "", {"YAAUDIENCES_SYNC_DO_HASHING": "false"}, "hashing of connectors.ya was true", id="variable"
        ),
    ],
)
def test_a_change_after_which_nobody_could_leave_is_refused(
    account: AdAccount,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    environ: dict[str, str],
    said: str,
) -> None:
    assert call("apply").returncode == 0
    file = account.place.file
    text = file.read_text()
    file.write_text(text.replace(old, new, 1) if old else text)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    refused = call("apply", "--yes")
    assert refused.returncode == 1
    assert f"integrations.buyers: {said}" in refused.stderr
    assert "expected the old one, and another" in refused.stderr
    for name in environ:
        monkeypatch.delenv(name)
    file.write_text(text.replace("batch = { size = 1000", "batch = { size = 900"))
    assert call("apply", "--yes").returncode == 0


@pytest.mark.usefixtures("account")
def test_check_looks_at_store_token_and_account(call: Call, yandex: FakeYandex) -> None:
    before = call("check", "--connect")
    assert before.returncode == 1
    assert "    fields     email, external_id\n" in before.stdout
    assert "queries    " not in before.stdout
    assert "x token    ads token: nobody has consented yet; expected `segsync connect ya`" in before.stdout
    call("connect", "ya", "--code", CODE)
    after = call("check", "--connect")
    assert after.returncode == 0
    assert "+ account  Yandex.Audiences lets us in" in after.stdout
    assert "+ rights   none is known to be missing of audience:read, audience:write" in after.stdout
    assert "+ terms    Yandex.Audiences tells at the first call" in after.stdout
    yandex.scope = "audience:read"
    refused = call("connect", "ya", "--code", CODE)
    assert (refused.returncode, "ya: the login lacks audience:write; expected" in refused.stderr) == (1, True)
    assert not yandex.segments


def test_preview_shows_the_records_of_an_account(account: AdAccount, call: Call) -> None:
    event = account.place.folder / "event.json"
    event.write_text(json.dumps({"type": "add", "segment": {"id": 7}, "profiles": [*buyers(5), {"_id": "x"}]}))
    shown = call("preview", "buyers", str(event))
    assert f"email            sha256   {sha256('p5@example.com')}\n" in shown.stdout
    assert (shown.returncode, "-- rejected: event 1, profile 2 (_id x)" in shown.stdout) == (1, True)
    (record,) = json.loads(call("preview", "buyers", str(event), "--json").stdout)["records"]
    assert (record["profile"], record["sent"][0]["how"]) == ("5", "sha256")
    refused = call("preview", "buyers", str(event), "--try")
    assert (refused.returncode, refused.stderr) == (
        2,
        "segsync: --try is for statements, and 'buyers' sends records to an ad account\n",
    )


def test_a_wrong_code_is_said_and_keeps_nothing(account: AdAccount, call: Call) -> None:
    done = call("connect", "ya", "--code", "7654321")
    assert done.returncode == 1
    assert done.stderr == (
        "segsync: yandex-audiences 400 invalid_grant: Yandex.OAuth refuses the code, the token or the application\n"
    )
    assert account.place.folder.joinpath("ledger.db").exists()


@pytest.mark.usefixtures("account")
def test_a_package_that_is_missing_is_said_with_what_to_install(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "workers.connectors.audiences.connector", None)
    done = call("audiences", "ya")
    assert done.returncode == 1
    assert done.stderr.endswith("is not installed; expected pip install 'segsync[ads]'\n")


@pytest.mark.usefixtures("account")
def test_an_unknown_account_is_named_with_the_nearest(call: Call) -> None:
    done = call("audiences", "yaa")
    assert (done.returncode, done.stderr) == (
        2,
        "segsync: 'yaa' is no connector with a platform; did you mean 'ya'?\n",
    )


def test_where_there_is_no_account_that_is_said(place: Place, call: Call) -> None:
    place.write()
    for command in ("audiences", "connect"):
        done = call(command, "db")
        said = "segsync: 'db' is no connector with a platform; the file has none (docs/ads.md)\n"
        assert (done.returncode, done.stderr) == (2, said)


def test_a_login_that_needs_someone_holds_the_account_and_nothing_is_lost(
    account: AdAccount, call: Call, yandex: FakeYandex
) -> None:
    account.connect()
    yandex.access = yandex.refresh = "another"
    account.add(buyers(*range(120)))
    connector = account.place.keys.connector("ya")
    assert b"expected `segsync connect ya`" in account.place.redis.hgetall(connector)[b"hold"]
    call("connect", "ya", "--code", CODE)
    drain(account.runtime)
    assert b"hold" not in account.place.redis.hgetall(connector)
    assert len(account.hours_go_by()) == 120


def test_who_says_yes_no_longer_is_taken_out_and_is_no_mistake(account: AdAccount, call: Call) -> None:
    account.write(fields=FIELDS, more='consent = "ads"')
    account.connect()
    account.add([{**each, "ads": True} for each in buyers(*range(120))])
    account.yandex.work()
    no, nothing = {"_id": "5", "id": "5", "email": "p5@example.com", "ads": False}, {"_id": "new", "id": "new"}
    account.add([no, {**nothing, "email": "new@example.com"}])
    (one,) = json.loads(call("audiences", "ya", "--json").stdout)["audiences"]
    assert (one["accepted"], one["owed"]) == (120, 1)
    assert json.loads(call("status", "--json").stdout)["quarantine"] == 0


@pytest.mark.parametrize("point", ["after-commit", "before-call", "after-call"])
def test_a_process_that_is_killed_loses_and_doubles_nothing(account: AdAccount, yandex: FakeYandex, point: str) -> None:
    """SIGKILL after the store's transaction, and around the first call; then five minutes go by."""
    account.connect()
    place = account.place
    with place.producer() as producer:
        producer.segment_upsert(7, name="VIP")
        producer.add(7, buyers(*range(120)))
    place.let_timeouts_pass()
    assert place.run("drain", SEGSYNC_CRASH_AT=point, SEGSYNC_LEASE_MS="2000").returncode == -9

    def is_there() -> bool:
        """Its lane's lease runs out by itself; for the audience's time there is no such word."""
        drain(account.runtime)
        with account.target.store.changing() as connection:
            connection.exec_driver_sql("UPDATE ads_audience SET owned_until_ms = 0, due_ms = 1 WHERE state <> 'live'")
        tend_again(place.redis, place.keys, "ya", 0)
        return any(each.confirmed for each in yandex.segments.values())

    until(is_there, "the audience")
    yandex.work()
    assert yandex.members("VIP") == {("email", sha256(f"p{n}@example.com")) for n in range(120)}
