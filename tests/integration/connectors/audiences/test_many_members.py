"""What concerns all members of an audience at once: of millions it takes minutes, and comes to its end all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.connectors.audiences.rig import people
from workers.connectors.audiences.erasing import Eraser
from workers.connectors.audiences.store import pieces, replacing
from workers.connectors.audiences.store.audiences import begin_anew
from workers.connectors.contract import SegmentEvent, Shipment
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from tests.fakes.yandex import FakeYandex
    from tests.integration.connectors.audiences.conftest import MakeRig
    from tests.integration.connectors.audiences.rig import Rig


@pytest.mark.parametrize("event", ["clear", "segment_delete"])
def test_a_clear_of_millions_keeps_its_lane_as_long_as_it_goes_on(
    rig: Rig, yandex: FakeYandex, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    """A lane that is ours no longer when it is done has it taken back, and begun once more, without end."""
    rig.deliver(("add", people(range(120), phone="79995551111")))
    rig.run()
    monkeypatch.setattr(pieces, "PIECE", 50)
    fences: list[float] = []
    one = SegmentEvent(QueryKind(event), "9", 0, 9)
    shipment = Shipment("buyers", "7", "VIP", "lane 7", "0", "9", {}, event=one)
    rig.connector.open().deliver(shipment, lambda seconds=0.0: fences.append(seconds))
    asked = [seconds for seconds in fences if seconds]
    assert len(asked) == 1 + 5 + 3 + 1, "of 240 holdings, and of values of two kinds"
    assert rig.number("SELECT count(*) FROM ads_holding") == 0
    assert rig.number("SELECT count(*) FROM ads_identifier WHERE owed") == 121
    rig.run(hours=72)
    assert yandex.members("VIP") == set()
    assert rig.number("SELECT count(*) FROM ads_identifier") == 0


SLOW = """
CREATE FUNCTION slowly() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$ LANGUAGE plpgsql;
CREATE TRIGGER slowly AFTER UPDATE OR DELETE ON ads_identifier FOR EACH STATEMENT EXECUTE FUNCTION slowly();
"""


ACTS: dict[str, Callable[[Rig], object]] = {
    "resend": lambda rig: rig.connector.resend(None),
    "a day later": lambda rig: rig.connector.tend(0),
    "move": lambda rig: _within(rig, lambda connection: begin_anew(connection, "ya", rig.fake.now)),
    "erase": lambda rig: Eraser(rig.connector, ()).erase((), rig.fake.now),
    "replace": lambda rig: _within(rig, lambda connection: replacing.begin(connection, 1, "", rig.fake.now)),
}


def _within(rig: Rig, act: Callable[[Connection], object]) -> None:
    with rig.connector.store.changing() as connection:
        act(connection)


@pytest.mark.parametrize("act", ACTS)
def test_no_database_ends_what_concerns_all_members(
    make_rig: MakeRig, yandex: FakeYandex, postgresql_url: str, act: str
) -> None:
    """It was begun once more with each look, and all audiences of the account waited behind it."""
    url = f"{postgresql_url}?options=-c%20statement_timeout%3D500ms"
    rig = make_rig("yandex", yandex, store_url=url)
    rig.deliver(("add", people(range(120))))
    rig.run(hours=1)
    yandex.advance(3 * 86_400)
    with rig.connector.store.changing() as connection:
        connection.exec_driver_sql(SLOW)
    ACTS[act](rig)
