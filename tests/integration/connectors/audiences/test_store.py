"""The store itself: on both databases, for many processes at once, of this version and of another."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from tests.integration.connectors.audiences.rig import hashes, people, sha256
from workers.connectors.audiences.store import calls, erasing, members
from workers.connectors.audiences.store.database import Store
from workers.connectors.audiences.store.sealing import Seal
from workers.connectors.audiences.store.tables import REFUSED, THERE, holdings, identifiers, refusals
from workers.connectors.identifiers import Identifier
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Rig


@pytest.fixture
def on_postgresql(make_rig: MakeRig, yandex: FakeYandex, postgresql_url: str) -> Rig:
    return make_rig("yandex", yandex, store_url=postgresql_url)


def test_postgresql_does_as_a_file_does(on_postgresql: Rig, yandex: FakeYandex) -> None:
    rig = on_postgresql
    shared = {"id": "500", "email": "p7@example.com"}
    rig.deliver(("add", [*people(range(120), outer="7"), shared]))
    rig.run()
    yandex.fails = ["all"]
    rig.deliver(("remove", people([7, 8])), ("add", [{"id": "9", "email": "new@example.com"}]))
    rig.run()
    left = [each for each in people(range(120)) if each["id"] not in ("7", "8", "9")]
    assert yandex.members("VIP") == hashes([*left, shared, {"email": "new@example.com"}])
    rig.tell("clear")
    rig.run()
    assert yandex.members("VIP") == set()


@pytest.fixture
def ends_slowly(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when a call has ended in the store, whose transaction then waits for a delivery to get to its members."""
    ended, delivers = threading.Event(), threading.Event()
    end, owe = calls.end, members._owe

    def slow_end(*args: Any, **more: Any) -> int:
        found = end(*args, **more)
        ended.set()
        delivers.wait(1)
        return found

    def slow_owe(*args: Any, **more: Any) -> None:
        delivers.set()
        owe(*args, **more)

    monkeypatch.setattr(calls, "end", slow_end)
    monkeypatch.setattr(members, "_owe", slow_owe)
    return ended


def test_the_end_of_a_call_and_a_delivery_to_its_audience_wait_for_each_other(
    on_postgresql: Rig, yandex: FakeYandex, request: pytest.FixtureRequest
) -> None:
    """Each would have what the other needs, and the database would end one of them: deliveries, or a call's answer."""
    rig, told = on_postgresql, list[str]()
    rig.deliver(("add", people(range(120))))
    rig.run(hours=1)
    yandex.advance(3_600)
    rig.deliver(("add", people(range(120, 140))))
    rig.tend()
    yandex.advance(3_600)
    yandex.work()
    ended: threading.Event = request.getfixturevalue("ends_slowly")

    def deliver() -> None:
        assert ended.wait(10)
        try:
            rig.deliver(("remove", people(range(130, 150))))
        except TargetError as error:
            told.append(str(error))

    thread = threading.Thread(target=deliver)
    thread.start()
    try:
        rig.tend()
    finally:
        thread.join()
    assert not told
    rig.run()
    assert yandex.members("VIP") == hashes(people(range(130)))


def test_two_processes_never_work_on_one_audience(on_postgresql: Rig, yandex: FakeYandex) -> None:
    rig = on_postgresql
    for segment in range(6):
        rig.deliver(("add", people(range(100))), segment=str(segment), name=f"S{segment}")
    connectors = [rig.again() for _ in range(3)]
    threads = [threading.Thread(target=each.tend, args=(30,)) for each in connectors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rig.run(hours=2)
    assert {len(yandex.members(f"S{segment}")) for segment in range(6)} == {100}
    assert len(yandex.segments) == 6


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_key_that_a_database_cannot_keep_costs_its_profile_alone(
    kind: str, make_rig: MakeRig, yandex: FakeYandex, request: pytest.FixtureRequest
) -> None:
    more = {} if kind == "sqlite" else {"store_url": request.getfixturevalue("postgresql_url")}
    rig = make_rig("yandex", yandex, **more)
    long = "".join(sha256(str(number)) for number in range(60))
    bad = [{"id": "a\0b", "email": "nul@example.com"}, {"id": long, "email": "long@example.com"}]
    receipt = rig.deliver(("add", [*bad, *people(range(120)), {"id": long[:2_000], "email": "fits@example.com"}]))
    assert [(each.code, each.reason) for each in receipt.rejected] == [
        ("bad key", "its key has a NUL; expected text without one"),
        ("bad key", "its key has 3,840 bytes; expected at most 2,000"),
    ]
    rig.run()
    assert yandex.members("VIP") == hashes([*people(range(120)), {"email": "fits@example.com"}])
    assert not rig.deliver(("remove", [*bad, *people([7])])).rejected
    rig.run()
    assert yandex.members("VIP") >= hashes(people([6]))
    assert not yandex.members("VIP") & hashes([*bad, *people([7])])


def test_who_stands_there_under_a_key_that_a_file_took_can_leave(rig: Rig, yandex: FakeYandex) -> None:
    old = {"id": "a\0b", "email": "nul@example.com"}
    rig.deliver(("add", [*people(range(120)), {**old, "id": "old"}]))
    with rig.connector.store.changing() as connection:
        connection.execute(holdings.update().where(holdings.c.profile == "old").values(profile=old["id"]))
    rig.run()
    assert yandex.members("VIP") >= hashes([old])
    rig.deliver(("remove", [old]))
    rig.run()
    assert not yandex.members("VIP") & hashes([old])


def test_what_postgresql_does_not_take_is_the_data_s_fault(postgresql_url: str, fast_path: Path) -> None:
    stores = [Store(postgresql_url), Store(f"sqlite:///{fast_path}/store.db")]
    stores[0].upgrade()
    stores[1].upgrade()
    long = "".join(sha256(str(number)) for number in range(200))
    for store, profile in ((stores[0], "a\0b"), (stores[0], long), (stores[0], "\ud800"), (stores[1], "\ud800")):
        with pytest.raises(TargetError, match="does not take a value of it") as caught, store.changing() as connection:
            connection.execute(holdings.insert().values(audience=1, profile=profile, identifier=1))
        assert (caught.value.error_class, caught.value.phase) == (ErrorClass.ISOLATE, None)
    for store in stores:
        store.close()


def test_many_make_the_tables_at_once(postgresql_url: str) -> None:
    stores = [Store(postgresql_url) for _ in range(4)]
    failed = []

    def upgrade(store: Store) -> None:
        try:
            store.upgrade()
        except TargetError as error:
            failed.append(error)

    threads = [threading.Thread(target=upgrade, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert not failed


def test_a_store_of_another_version_or_with_strangers_in_it_needs_someone(fast_path: Path) -> None:
    for statements, said in (
        (("CREATE TABLE ads_version (version_num TEXT)", "INSERT INTO ads_version VALUES ('9999')"), "'9999'"),
        (("CREATE TABLE ads_call (id INTEGER)",), "'ads_call' that segsync did not make"),
    ):
        store = Store(f"sqlite:///{fast_path}/{len(statements)}.db")
        with store.changing() as connection:
            for each in statements:
                connection.exec_driver_sql(each)
        with pytest.raises(TargetError, match=said) as caught:
            store.upgrade()
        assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)
        store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_was_refused_before_entries_told_of_it_gets_one(
    kind: str, fast_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{fast_path}/old.db" if kind == "sqlite" else request.getfixturevalue("postgresql_url")
    old, new = Store(url), Store(url)
    old.upgrade()
    members = [("a", REFUSED), ("b", THERE), ("c", REFUSED)]
    with old.changing() as connection:
        connection.exec_driver_sql("DROP TABLE ads_refusal")
        connection.exec_driver_sql("DROP TABLE ads_written")
        connection.exec_driver_sql("DROP TABLE ads_seal")
        for column in ("replaces", "replaced", "replace_ms", "last_call", "unanswered"):
            connection.exec_driver_sql(f"ALTER TABLE ads_audience DROP COLUMN {column}")
        for column in ("lacks", "listed", "listed_ms"):
            connection.exec_driver_sql(f"ALTER TABLE ads_login DROP COLUMN {column}")
        connection.exec_driver_sql("DROP INDEX ads_call_state")
        connection.exec_driver_sql("CREATE INDEX ads_call_open ON ads_call (state)")
        connection.exec_driver_sql("UPDATE ads_version SET version_num = '0003'")
        rows = [{"audience": 4, "kind": "email", "value": name.encode(), "there": there} for name, there in members]
        connection.execute(identifiers.insert(), [row | {"owed": False, "sent_ms": 0} for row in rows])
    new.upgrade()
    with new.reading() as connection:
        asked = sa.select(identifiers.c.value, refusals).join(refusals, refusals.c.identifier == identifiers.c.id)
        found = connection.execute(asked.order_by(identifiers.c.id)).all()
    assert [bytes(each.value) for each in found] == [b"a", b"c"]
    assert {(each.audience, each.told, each.before, each.retries) for each in found} == {(4, "", "", 0)}
    assert len({each.entry for each in found}) == 2
    old.close()
    new.close()


def test_a_store_that_is_away_waits(fast_path: Path) -> None:
    store = Store(f"sqlite:///{fast_path}/no folder/store.db")
    with pytest.raises(TargetError, match=r"no folder/store.db\) cannot be used now") as caught:
        store.upgrade()
    assert caught.value.error_class is ErrorClass.RETRY


def test_a_store_whose_user_may_make_no_tables_needs_someone(postgresql_url: str) -> None:
    store = Store(f"{postgresql_url}?options=-csearch_path%3Dpg_catalog")
    with pytest.raises(TargetError, match="its user may not make tables in") as caught:
        store.upgrade()
    assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)
    store.close()


def test_another_secret_opens_nothing() -> None:
    sealed = Seal("one").seal("token")
    assert Seal("one").open(sealed) == "token"
    with pytest.raises(TargetError, match="expected the SEGSYNC_SECRET that sealed it"):
        Seal("another").open(sealed)


@pytest.mark.parametrize(
    "sealed", [b"", b"\x00", b"\x01", b"\x01" + b"n" * 7, b"\x01" + b"n" * 12, b"\x01" + b"n" * 40]
)
def test_what_is_cut_or_damaged_is_said(sealed: bytes) -> None:
    with pytest.raises(TargetError, match="what the store keeps sealed") as caught:
        Seal("one").open(sealed)
    assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)


def test_postgresql_forgets_a_person_by_key_and_by_value(on_postgresql: Rig, yandex: FakeYandex) -> None:
    rig = on_postgresql
    shares = {"id": '["400","de"]', "email": "p7@example.com", "phone": "7999"}
    deep = {"id": '["a",' + "[" * 1_900, "email": "deep@example.com"}
    rig.deliver(("add", [*people(range(120)), shares, deep]))
    rig.run()

    def erase(names: set[str], value: str) -> int:
        kept = {rig.connector.kept(Identifier("email", sha256(value)))} if value else set()
        with rig.connector.store.changing() as connection:
            found = erasing.find_holders(connection, "ya", names, kept)
            erasing.erase(connection, found, rig.fake.clock(), whole_rows=False)
            erasing.sweep(connection, "ya", rig.fake.clock())
        return len(found)

    assert [erase({"5", deep["id"]}, ""), erase({"de"}, ""), erase({'["400","de"]'}, "")] == [2, 0, 1]
    assert [erase(set(), "p7@example.com"), erase({"5"}, "")] == [1, 0]
    rig.run()
    assert yandex.members("VIP") == hashes(people([n for n in range(120) if n not in (5, 7)]))
    with rig.connector.store.changing() as connection:
        assert erasing.sweep(connection, "ya", rig.fake.clock()) == 0
    assert len(rig.rows("SELECT id FROM ads_identifier")) == 118
