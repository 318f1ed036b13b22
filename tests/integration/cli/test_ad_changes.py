"""An ad account that changes: another login, and integrations that leave it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.fakes.yandex import FakeYandex
from tests.integration.cli.hours import let_the_platform_work
from tests.integration.cli.test_ad_account import FILE, people
from tests.integration.connectors.audiences.rig import sha256
from workers.control.drain import drain
from workers.runtime import Runtime
from workers.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.place import Call, Place


@pytest.fixture
def yandex() -> Iterator[FakeYandex]:
    fake = FakeYandex()
    yield fake
    fake.close()


@pytest.fixture
def account(place: Place, yandex: FakeYandex, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("YA_SECRET", "ya-secret")
    monkeypatch.setenv("SEGSYNC_SECRET", "a secret of this installation's own")
    place.file.write_text(FILE.format(namespace=place.keys.namespace, redis=place.url, url=yandex.url))
    return place


def test_whose_integration_leaves_the_file_stays_unless_they_shall_leave(
    account: Place, call: Call, yandex: FakeYandex
) -> None:
    call("connect", "ya", "--code", "1234567")
    whole = account.file.read_text()
    assert call("apply").returncode == 0
    runtime = Runtime(load(account.file).local)
    with account.producer() as producer:
        producer.segment_upsert(7, name="VIP")
        producer.add(7, people(0, 120))
    account.let_timeouts_pass()
    drain(runtime)
    let_the_platform_work(account, runtime, yandex)

    account.file.write_text(whole.partition("[integrations.buyers]")[0])
    told = call("apply", "--dry-run")
    said = "! buyers leaves ya: its people stay in its audiences there, and nothing takes them out; expected --empty"
    assert said in told.stderr
    wrong = call("apply", "--yes", "--empty", "buyer")
    assert (wrong.returncode, wrong.stderr.splitlines()[-1]) == (
        2,
        "segsync: --empty buyer: expected an integration that leaves its ad account; did you mean 'buyers'?",
    )
    done = call("apply", "--yes", "--empty", "buyers")
    assert done.returncode == 0, done.stderr
    assert "the people of buyers leave 1 audience of ya" in done.stderr
    assert said not in done.stderr
    runtime.follow()
    let_the_platform_work(account, runtime, yandex)
    assert yandex.members("VIP") == set()
    runtime.targets.dispose()


def test_an_account_that_leaves_with_its_integration_cannot_be_emptied(account: Place, call: Call) -> None:
    assert call("apply").returncode == 0
    account.file.write_text(account.file.read_text().partition("[connectors.ya]")[0])
    refused = call("apply", "--yes", "--empty", "buyers")
    assert refused.returncode == 2
    assert "its ad account 'ya' leaves the file, too, and then nobody tells the platform" in refused.stderr


def test_another_account_is_refused_unless_it_is_meant(account: Place, call: Call, yandex: FakeYandex) -> None:
    call("connect", "ya", "--code", "1234567")
    assert call("apply").returncode == 0
    runtime = Runtime(load(account.file).local)
    with account.producer() as producer:
        producer.segment_upsert(7, name="VIP")
        producer.add(7, people(0, 120))
    account.let_timeouts_pass()
    drain(runtime)
    let_the_platform_work(account, runtime, yandex)
    assert call("connect", "ya", "--code", "1234567").returncode == 0, "the same account"

    theirs, yandex.segments = yandex.segments, {}
    refused = call("connect", "ya", "--code", "1234567")
    assert refused.returncode == 1
    assert "segsync: ya: the account has none of the audiences 'VIP'; expected the account that" in refused.stderr
    assert "`segsync connect ya --move`" in refused.stderr
    assert not yandex.segments

    moved = call("connect", "ya", "--move", "--code", "1234567")
    assert moved.returncode == 0
    assert "audiences of the account before, if it was another, and whom they have stay there" in moved.stdout
    with account.producer() as producer:
        producer.remove(7, people(5, 6))
    account.let_timeouts_pass()
    let_the_platform_work(account, runtime, yandex)
    wanted = {("email", sha256(f"p{n}@example.com")) for n in range(120)}
    assert yandex.members("VIP") == wanted - {("email", sha256("p5@example.com"))}
    assert {len(each.members) for each in theirs.values()} == {120}, "what is in the other one nobody touches"
    (act,) = [each for each in json.loads(call("audit", "--json").stdout) if each["act"] == "connect --move"]
    assert act["target"] == "ya"
    runtime.targets.dispose()
