"""A store that lacks what was written since: it is held, whatever asks it, until somebody takes it as it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.integration.connectors.audiences.rig import people
from workers.connectors.audiences.erasing import Eraser
from workers.connectors.audiences.store.database import Store
from workers.connectors.audiences.store.written import StoreCount, StoreWatch, count_up, read_written
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis

    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Rig

OLDER = r"it lacks what was written since: .*`segsync audiences ya --accept`"
OTHER = r"it is another than the one that was written to"


@pytest.fixture
def rig(make_rig: MakeRig, yandex: FakeYandex) -> Rig:
    made = make_rig("yandex", yandex)
    made.deliver(("add", people(range(120))))
    made.run()
    return made


def copy(rig: Rig, name: str) -> None:
    """The store of now, under a name of its own."""
    with closing(sqlite3.connect(rig.folder / "store.db")) as store:
        store.execute("VACUUM INTO ?", (str(rig.folder / name),))


def put_back(rig: Rig, name: str | None) -> None:
    """In the store's place, with all closed; None: nothing is in its place."""
    rig.close()
    for each in rig.folder.glob("store.db*"):
        each.unlink()
    if name is not None:
        (rig.folder / name).rename(rig.folder / "store.db")
    rig.again()


@contextmanager
def refused(said: str = OLDER) -> Iterator[None]:
    with pytest.raises(TargetError, match=said) as caught:
        yield
    assert (caught.value.error_class, caught.value.level) == (ErrorClass.HOLD, HoldLevel.CONNECTOR)


def test_an_older_copy_is_neither_sent_from_nor_written_to(rig: Rig, yandex: FakeYandex) -> None:
    copy(rig, "yesterday.db")
    rig.deliver(("add", people([500])), ("remove", people([1])))
    rig.run()
    had = yandex.members("VIP")
    put_back(rig, "yesterday.db")
    eraser = Eraser(rig.connector, [rig.fields])
    for ask in (
        rig.tend,
        rig.connector.probe,
        rig.connector.standings,
        lambda: rig.connector.resend(None),
        lambda: rig.deliver(("remove", people([500]))),
        lambda: eraser.find({"500"}, set()),
    ):
        with refused():
            ask()
    assert yandex.members("VIP") == had


def test_a_process_that_had_opened_it_before_writes_nothing_more(rig: Rig) -> None:
    session = rig.connector.store
    copy(rig, "yesterday.db")
    with session.changing() as connection:
        connection.exec_driver_sql("UPDATE ads_audience SET name = 'newer'")
    with session._changing() as connection:  # as after a restore within the server
        connection.exec_driver_sql("UPDATE ads_written SET counted = counted - 1")
    with refused(), session.changing() as connection:
        connection.exec_driver_sql("UPDATE ads_audience SET name = 'older'")
    assert [each.name for each in rig.rows("SELECT name FROM ads_audience")] == ["newer"]


def test_an_empty_one_in_its_place_is_refused(rig: Rig) -> None:
    put_back(rig, None)
    with refused(OTHER):
        rig.tend()


def test_the_newest_copy_goes_on(rig: Rig) -> None:
    copy(rig, "now.db")
    put_back(rig, "now.db")
    rig.deliver(("remove", people([1])))
    rig.run()
    assert rig.standing().pending == 0


def test_taken_as_it_is_it_goes_on_and_the_one_before_is_refused_should_it_come_back(
    rig: Rig, yandex: FakeYandex
) -> None:
    copy(rig, "yesterday.db")
    rig.deliver(("add", people([500])), ("remove", people([1])))
    rig.run()
    copy(rig, "newest.db")
    put_back(rig, "yesterday.db")
    rig.connector.store.accept()
    copy(rig, "taken.db")
    put_back(rig, "newest.db")
    with refused():  # though nothing was written to the other since, and much to this one
        rig.tend()
    put_back(rig, "taken.db")
    rig.deliver(("add", people([2])), ("remove", people([3, 4])))
    rig.run()
    assert len(yandex.members("VIP")) == 120 - 1 + 1 - 2


def test_a_redis_that_knows_nothing_takes_what_is_there(rig: Rig, redis_client: redis.Redis, namespace: str) -> None:
    assert redis_client.delete(f"{namespace}0:stores") == 1
    rig.deliver(("remove", people([1])))
    rig.run()
    copy(rig, "now.db")
    rig.deliver(("remove", people([2])))
    put_back(rig, "now.db")
    with refused():
        rig.tend()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_both_databases_count_and_what_is_taken_back_is_not_counted(
    kind: str, fast_path: Path, redis_client: redis.Redis, namespace: str, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{fast_path}/s.db" if kind == "sqlite" else request.getfixturevalue("postgresql_url")
    watch = StoreWatch(redis_client, f"{namespace}:stores", f"{namespace}:nothing", "ya")
    with closing(Store(url, watch)) as store:
        store.upgrade()
        for _ in range(2):
            with store.changing():
                pass
        with pytest.raises(ZeroDivisionError), store.changing():
            raise ZeroDivisionError
        with store.reading() as connection:
            found = read_written(connection, "ya")
        assert (found, found.counted) == (watch.known(), 2)
        with store._changing() as connection:
            assert count_up(connection, "ya", 40).counted == 41
        store.accept()
        assert watch.known() == StoreCount(found.id, 42)
        watch.tell(found)  # who comes late takes nothing back
        watch.tell(StoreCount("of the one before", 1_000))
        assert watch.known() == StoreCount(found.id, 42)
