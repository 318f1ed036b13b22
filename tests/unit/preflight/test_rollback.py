"""What a rollback would leave behind, told from what the database says of its objects."""

from __future__ import annotations

import pytest

from workers.connectors.contract import Target
from workers.connectors.sql.mysql import rollback as lasting
from workers.connectors.sql.mysql.rollback import _Object
from workers.connectors.sql.vendors import VENDORS

TARGET = Target("crm", "mysql", "mysql://u@h/d")
KEPT = "table d.Kept`Rows keeps what is written to it (MyISAM has no transactions)"
OBJECTS = [
    _Object("table", "d", "Kept`Rows", "MyISAM"),
    _Object("view", "d", "shown", "select `d`.`kept``rows`.`a` AS `a` from `d`.`kept``rows`"),
    _Object("trigger", "d", "written", "INSERT INTO shown VALUES (NEW.a)"),
    _Object("routine", "d", "hidden", None),
    _Object("routine", "d", "again", "CALL again(); CALL fine()"),
    _Object("routine", "d", "fine", "SELECT 1"),
]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM `KEPT``ROWS`", KEPT),
        ("DELETE FROM other WHERE a = 'kept``rows'", KEPT),
        ("UPDATE SHOWN SET a = 1", KEPT),
        ("REPLACE INTO d.written VALUES (1)", KEPT),
        ("CALL hidden()", "routine d.hidden hides its text from this user"),
        ("CALL again()", ""),
        ("DELETE FROM written_rows WHERE shown$ = 1 AND mykept = rows", ""),
    ],
)
def test_names_are_followed_to_what_keeps_its_rows(
    monkeypatch: pytest.MonkeyPatch, statement: str, reason: str
) -> None:
    monkeypatch.setattr(lasting, "_look", lambda _: OBJECTS)
    found = lasting.what_would_stay(TARGET, ["DELETE FROM m", statement])
    assert found.startswith(reason)
    assert bool(found) is bool(reason)


def test_what_cannot_be_listed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lasting, "_look", lambda _: None)
    assert "too many objects" in lasting.what_would_stay(TARGET, ["DELETE FROM m"])


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_other_databases_are_not_asked(dialect: str) -> None:
    assert VENDORS[dialect].what_stays(Target("crm", dialect, f"{dialect}://nowhere"), ["DELETE FROM m"]) == ""
