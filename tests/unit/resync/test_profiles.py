"""From a source's rows to profiles and keys: the quick way says what the careful one does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers.resync.profiles import Shaper, UnfitSource, key_in

COLUMNS = ("_id", "CustomID", "note")


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ((1, "a", None), {"_id": 1, "CustomID": "a", "note": None}),
        (("x", 7, True), {"_id": "x", "CustomID": 7, "note": True}),
        ((1, "a", float("nan")), {"_id": 1, "CustomID": "a", "note": None}),
        ((b"x", "a", b"\xff"), {"_id": "x", "CustomID": "a", "note": "/w=="}),
    ],
)
def test_a_row_is_a_profile(row: tuple[Any, ...], shown: dict[str, Any]) -> None:
    assert json.loads(Shaper(COLUMNS).profile_of(row)) == shown


def test_a_column_in_another_one_is_not_lost_behind_it() -> None:
    """Its key would be compared, as a column, and be told to nobody, since no profile had it."""
    row = (1, {"name": "Bo", "id": 4}, 5)
    assert json.loads(Shaper(("_id", "crm", "crm.id")).profile_of(row))["crm"] == {"name": "Bo", "id": 5}
    assert json.loads(Shaper(("_id", "crm.x", "crm.id")).profile_of((1, 2, 3)))["crm"] == {"x": 2, "id": 3}
    for columns in (("_id", "crm.id", "crm"), ("_id", "a.b.c", "a.b")):
        with pytest.raises(UnfitSource, match=f"the column '{columns[2]}' stands behind one that lies in it"):
            Shaper(columns)


@pytest.mark.parametrize(
    "row",
    [(1, "a", ""), ("", "a", ""), ("x" * 300, "a", ""), ("é" * 130, "a", ""), (1, "", ""), (1, None, ""), (1, 7, "")],
)
def test_a_key_is_what_its_profile_says(row: tuple[Any, ...]) -> None:
    """A member whose `_id` is none is not told, so it is not compared as one that is."""
    shaper = Shaper(COLUMNS)
    assert shaper.keys_of([row], ("CustomID",)) == [key_in(shaper.profile_of(row), ("CustomID",))]
