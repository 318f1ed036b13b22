"""The secret that a store is sealed with: proved before anything is read, written or looked for under another one."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.integration.connectors.audiences.rig import hashes, people, sha256
from workers.connectors.audiences.erasing import Eraser
from workers.connectors.audiences.logins import LoginTokens
from workers.connectors.audiences.store import proving
from workers.connectors.audiences.store.database import Store
from workers.connectors.audiences.store.sealing import Seal
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Rig

ANOTHER = "another secret of sixteen"
SAID = "expected the SEGSYNC_SECRET that sealed it"


def change_secret(rig: Rig, secret: str) -> str:
    """Another process, whose environment has another secret; returns the one before."""
    was = rig._target.secret
    rig._target = replace(rig._target, secret=secret)
    rig.again()
    return was


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_who_has_another_secret_delivers_sends_and_looks_for_nothing(
    kind: str, make_rig: MakeRig, yandex: FakeYandex, request: pytest.FixtureRequest
) -> None:
    more = {} if kind == "sqlite" else {"store_url": request.getfixturevalue("postgresql_url")}
    rig = make_rig("yandex", yandex, **more)
    rig.deliver(("add", people(range(120), outer="o")))
    rig.run()
    was = change_secret(rig, ANOTHER)
    eraser = Eraser(rig.connector, [])
    for act in (
        lambda: rig.deliver(("remove", people([5]))),
        rig.tend,
        rig.connector.probe,
        lambda: eraser.find((), {"o"}),
        lambda: eraser.leaving({"o"}),
    ):
        with pytest.raises(TargetError, match=SAID) as caught:
            act()
        assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)
    change_secret(rig, was)
    rig.deliver(("remove", people([5], outer="o")))
    rig.run()
    assert yandex.members("VIP") == hashes([each for each in people(range(120)) if each["id"] != "5"])


def test_a_store_that_is_older_than_its_proof_is_asked_what_it_has(rig: Rig) -> None:
    rig.deliver(("add", people(range(3), outer="o")))
    was = rig._target.secret
    for kept in ("", "UPDATE ads_login SET access = NULL"):
        with rig.connector.store.changing() as connection:
            connection.exec_driver_sql("DELETE FROM ads_seal")
            if kept:
                connection.exec_driver_sql(kept)
        change_secret(rig, ANOTHER)
        with pytest.raises(TargetError, match=SAID):
            rig.deliver(("add", people([4])))
        change_secret(rig, was)
        rig.deliver(("add", people([4])))
        assert rig.number("SELECT COUNT(*) FROM ads_seal") == 1


def test_a_look_takes_nobody_s_secret_for_the_right_one(rig: Rig) -> None:
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql("UPDATE ads_login SET access = NULL")
    was = change_secret(rig, ANOTHER)
    assert not Eraser(rig.connector, []).find((), {"nobody@example.com"})
    rig.connector.prove_secret()
    change_secret(rig, was)
    rig.deliver(("add", people([1])))


def test_a_login_under_another_secret_is_kept_where_no_ids_are_sealed(rig: Rig) -> None:
    rig.deliver(("add", people(range(3))))
    was = change_secret(rig, ANOTHER)
    rig.connector.check_secret()
    rig.connector.keep_login(LoginTokens("token"), "")
    rig.deliver(("add", people([4])))
    change_secret(rig, was)
    with pytest.raises(TargetError, match=SAID):
        rig.deliver(("add", people([5])))
    change_secret(rig, ANOTHER)
    rig.deliver(("add", people([6], outer="o")))
    change_secret(rig, was)
    with pytest.raises(TargetError, match=SAID):
        rig.connector.check_secret()
    with pytest.raises(TargetError, match=SAID):
        rig.connector.keep_login(LoginTokens("token"), "")


def test_of_two_who_begin_at_once_one_has_the_secret(postgresql_url: str) -> None:
    store = Store(postgresql_url)
    store.upgrade()
    refused: list[str] = []
    both = threading.Barrier(2)

    def begin(secret: str) -> None:
        try:
            with store.changing() as connection:
                proving.prove(connection, "ya", Seal(secret))
                both.wait(20)
                proving.begin(connection, "ya", Seal(secret))
        except TargetError:
            refused.append(secret)

    threads = [threading.Thread(target=begin, args=(sha256(name),)) for name in ("one", "other")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(refused) == 1
    store.close()
