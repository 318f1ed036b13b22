"""An ad account's store comes from a backup: it is told, nothing is sent from it, and a command takes it as it is."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.integration.ad_account import buyers
from tests.integration.connectors.audiences.rig import sha256
from workers.control.drain import drain
from workers.lanes.tending import tend_again

if TYPE_CHECKING:
    from tests.integration.ad_account import AdAccount
    from tests.integration.place import Call

STORE = '[connectors.ya.store]\nurl = "sqlite:///ads.db"\n'


@pytest.fixture
def restored(ads: AdAccount) -> AdAccount:
    """500 joined and 1 left after the copy; 2 leaves when it is in the store's place."""
    ads.write(more=STORE)
    ads.connect()
    ads.add(buyers(*range(120)))
    folder = ads.place.folder
    ads.hours_go_by()
    with closing(sqlite3.connect(folder / "ads.db")) as store:
        store.execute("VACUUM INTO ?", (str(folder / "copy.db"),))
    ads.add(buyers(500))
    ads.remove(buyers(1))
    ads.hours_go_by()
    ads.close()
    for each in folder.glob("ads.db*"):
        each.unlink()
    (folder / "copy.db").rename(folder / "ads.db")
    del ads.__dict__["runtime"]
    with ads.place.producer() as producer:
        producer.remove(7, [{"_id": "2", "id": "2"}])
    ads.place.let_timeouts_pass()
    drain(ads.runtime)
    tend_again(ads.place.redis, ads.place.keys, "ya", 0)
    drain(ads.runtime)
    return ads


def test_it_is_told_wherever_somebody_asks_and_taken_where_somebody_says_so(restored: AdAccount, call: Call) -> None:
    said = "lacks what was written since"
    for ask in (("status",), ("check", "--connect"), ("audiences", "ya"), ("audiences", "ya", "--resend")):
        told = call(*ask)
        assert told.returncode != 0, ask
        assert said in " ".join((told.stdout + told.stderr).split()), ask
    erased = call("erase", "--profile", "500", "--yes")
    assert (erased.returncode, said in " ".join((erased.stdout + erased.stderr).split())) == (1, True)
    assert call("audiences", "ya", "--accept", "--resend").returncode == 2
    taken = call("audiences", "ya", "--accept", "--json")
    assert json.loads(taken.stdout) == {"connector": "ya", "accepted": True, "resync": ["buyers"]}
    assert "segsync resync buyers --all" in call("audiences", "ya", "--accept").stdout
    restored.deliver()
    there = restored.hours_go_by()
    assert sha256("p2@example.com") not in there
    assert said not in call("status").stdout
    acts = [each["act"] for each in json.loads(call("audit", "--json").stdout)]
    assert acts.count("audiences --accept") == 2
