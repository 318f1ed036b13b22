"""An ad account that changes: another login, and integrations that leave it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.integration.ad_account import buyers
from tests.integration.connectors.audiences.rig import sha256

if TYPE_CHECKING:
    import pytest

    from tests.fakes.yandex import FakeYandex
    from tests.integration.ad_account import AdAccount
    from tests.integration.place import Call


def test_whose_integration_leaves_the_file_stays_unless_they_shall_leave(ads: AdAccount, call: Call) -> None:
    ads.connect()
    ads.add(buyers(*range(120)))
    ads.hours_go_by()

    file = ads.place.file
    file.write_text(file.read_text().partition("[integrations.buyers]")[0])
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
    ads.runtime.follow()
    assert ads.hours_go_by() == set()


def test_an_account_that_leaves_with_its_integration_cannot_be_emptied(ads: AdAccount, call: Call) -> None:
    assert call("apply").returncode == 0
    file = ads.place.file
    file.write_text(file.read_text().partition("[connectors.ya]")[0])
    refused = call("apply", "--yes", "--empty", "buyers")
    assert refused.returncode == 2
    assert "its ad account 'ya' leaves the file, too, and then nobody tells the platform" in refused.stderr


def test_another_account_is_refused_unless_it_is_meant(ads: AdAccount, call: Call, yandex: FakeYandex) -> None:
    ads.connect()
    ads.add(buyers(*range(120)))
    ads.hours_go_by()
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
    ads.remove(buyers(5))
    assert ads.hours_go_by() == {sha256(f"p{n}@example.com") for n in range(120) if n != 5}
    assert {len(each.members) for each in theirs.values()} == {120}, "what is in the other one nobody touches"
    (act,) = [each for each in json.loads(call("audit", "--json").stdout) if each["act"] == "connect --move"]
    assert act["target"] == "ya"


def test_a_login_under_another_secret_is_refused_where_ids_are_sealed(
    ads: AdAccount, call: Call, monkeypatch: pytest.MonkeyPatch, yandex: FakeYandex
) -> None:
    ads.write(fields='email = "email", external_id = "id"')
    ads.connect()
    ads.add(buyers(*range(3)))
    monkeypatch.setenv("SEGSYNC_SECRET", "another secret of sixteen")
    before = len(yandex.calls)
    refused = call("connect", "ya", "--code", "1234567")
    assert refused.returncode == 1
    assert "expected the SEGSYNC_SECRET that sealed it" in refused.stderr
    assert len(yandex.calls) == before, "the code is still good"
