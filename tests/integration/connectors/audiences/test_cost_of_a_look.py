"""A look at an audience costs what is to be done, and not what is in it: counted in steps of SQLite, not in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.connectors.audiences.accounts import Account, on

if TYPE_CHECKING:
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Profile, Rig

FEW, MANY = 200, 2_000


def people(numbers: range) -> list[Profile]:
    return [{"id": str(n), "email": f"p{n}@example.com"} for n in numbers]


def steps_of_a_look(rig: Rig) -> int:
    """Hundreds of SQLite's instructions that the next look takes."""
    counted = [0]

    def count() -> None:
        counted[0] += 1

    with rig.connector.store.reading() as connection:
        connection.connection.driver_connection.set_progress_handler(count, 100)  # type: ignore[union-attr]
    rig.connector.tend(0)
    with rig.connector.store.reading() as connection:
        connection.connection.driver_connection.set_progress_handler(None, 0)  # type: ignore[union-attr]
    return counted[0]


@pytest.fixture
def small_calls(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    account.shrink(monkeypatch, largest_call=50)


@on("yandex", "google")
def test_who_is_told_already_costs_nothing(make_rig: MakeRig, account: Account) -> None:
    took = []
    for size in (FEW, MANY):
        fake = account.fake(0)
        rig = make_rig(account.name, fake)
        rig.deliver(("add", people(range(size))))
        rig.run(hours=6, step_s=600)
        assert account.members(fake) == account.wanted(people(range(size)))
        fake.advance(3_600)
        rig.deliver(("remove", people(range(2))))
        took.append(steps_of_a_look(rig))
        assert account.members(fake) != account.wanted(people(range(size))) or fake.busy
        fake.close()
    assert took[1] < 2 * took[0]


@on("yandex", "google")
@pytest.mark.usefixtures("small_calls")
def test_who_waits_for_a_later_call_costs_nothing(make_rig: MakeRig, account: Account) -> None:
    took = []
    for size in (FEW, MANY):
        fake = account.fake(0)
        rig = make_rig(account.name, fake)
        rig.deliver(("add", people(range(2))))
        rig.run(hours=2)
        fake.advance(3_600)
        rig.deliver(("add", people(range(size))))
        took.append(steps_of_a_look(rig))
        assert fake.busy
        assert rig.standing().pending == 50
        fake.close()
    assert took[1] < 2 * took[0]


def test_calls_that_are_over_cost_nothing(rig: Rig) -> None:
    took = []
    rig.deliver(("add", people(range(120))))
    rig.run(hours=2)
    for left in range(2):
        rig.fake.advance(3_600)
        rig.deliver(("remove", people(range(left, left + 1))))
        took.append(steps_of_a_look(rig))
        rig.run(hours=2)
        with rig.connector.store.changing() as connection:
            numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)"
            rows = "SELECT 1 + i % 2, 'add', 'done', 1 FROM n"
            connection.exec_driver_sql(f"{numbers} INSERT INTO ads_call (audience, action, state, ended_ms) {rows}")
    assert took[1] < 2 * took[0]
