"""Tokens: renewed early, once, and by one process; and what a person must do."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.fakes.server import Reply
from tests.integration.connectors.audiences.rig import Rig, people
from workers.connectors.audiences.logins import LoginTokens
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from tests.fakes.yandex import FakeYandex

DAY_S = 86_400.0


def test_a_token_is_renewed_long_before_its_end(rig: Rig, yandex: FakeYandex) -> None:
    rig.connector.probe()
    assert yandex.renewals == 0
    rig.fake.advance(100 * DAY_S)
    rig.connector.probe()
    rig.connector.probe()
    assert yandex.renewals == 1


def test_a_renewal_that_fails_early_stops_nothing(rig: Rig, yandex: FakeYandex) -> None:
    rig.fake.advance(100 * DAY_S)
    yandex.fail("/token", Reply(500, {}))
    rig.connector.probe()
    rig.connector.probe()
    assert yandex.renewals == 1


def test_a_refused_token_is_renewed_once_and_the_call_repeated(rig: Rig, yandex: FakeYandex) -> None:
    yandex.access = "another"
    rig.deliver(("add", people(range(120))))
    rig.run()
    assert yandex.renewals == 1
    assert len(yandex.members("VIP")) == 120


def test_processes_renew_one_after_the_other_and_take_what_the_first_got(rig: Rig, yandex: FakeYandex) -> None:
    keepers = [rig.again().way.tokens for _ in range(4)]
    refused, got = keepers[0].token(), []

    def renew(number: int) -> None:
        try:
            got.append(keepers[number].renew(refused))
        except TargetError as error:
            got.append(error.error_class.value)

    threads = [threading.Thread(target=renew, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert yandex.renewals == 1
    assert set(got) <= {yandex.access, ErrorClass.RETRY.value}
    assert keepers[3].renew(refused) == yandex.access
    assert yandex.renewals == 1


def test_who_died_in_a_renewal_stands_in_nobody_s_way(rig: Rig, yandex: FakeYandex) -> None:
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql(f"UPDATE ads_login SET owner = 'dead', owned_until_ms = {rig.fake.now + 60_000}")
    yandex.access = "another"
    with pytest.raises(TargetError, match="another process renews"):
        rig.connector.probe()
    rig.fake.advance(120)
    rig.connector.probe()
    assert yandex.renewals == 1


def test_what_no_renewal_helps_needs_a_person_and_loses_nothing(rig: Rig, yandex: FakeYandex) -> None:
    yandex.access, yandex.refresh = "another", "another, too"
    rig.deliver(("add", people(range(120))))
    with pytest.raises(TargetError, match="expected `segsync connect ya`") as caught:
        rig.tend()
    assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)
    rig.connector.way.tokens.keep(rig.connector.way.consent.exchange("1234567"))
    rig.fake.advance(400)
    rig.run()
    assert len(yandex.members("VIP")) == 120


def test_nobody_has_consented_yet(rig: Rig) -> None:
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql("DELETE FROM ads_login")
    with pytest.raises(TargetError, match="nobody has consented yet; expected `segsync connect ya`"):
        rig.connector.probe()


def test_tokens_show_nowhere() -> None:
    assert repr(LoginTokens("secret-1", "secret-2")).count("secret") == 0
