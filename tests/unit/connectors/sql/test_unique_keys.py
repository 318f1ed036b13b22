"""Two members can be one row where any unique key says so that is not made of the key."""

from __future__ import annotations

import pytest

from workers.connectors.inspection import Column, Table, UniqueKey
from workers.connectors.sql.unique_keys import named_by_key_alone
from workers.templates.row_naming import Insert

INSERT = Insert(("t",), {"seg": frozenset(), "K": frozenset({"CustomID"}), "mail": frozenset({"email"})})
PRIMARY = UniqueKey("PRIMARY", ("seg", "k"))


def table(*unique: UniqueKey, computed: bool = False) -> Table:
    columns = {name: Column(name, "text", "text") for name in ("seg", "k", "mail", "id")}
    columns["low"] = Column("low", "text", "text", computed=computed)
    return Table("t", columns, unique)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (table(PRIMARY), True),
        (table(PRIMARY, UniqueKey("number", ("id",))), True),
        (table(PRIMARY, UniqueKey("mail", ("mail",))), False),
        (table(PRIMARY, UniqueKey("mail", ("seg", "mail"))), False),
        (table(PRIMARY, UniqueKey("low", ("low",)), computed=True), False),
        (table(UniqueKey("prefix", ("seg", "k"), partial=True)), False),
        (table(UniqueKey("number", ("id",))), False),
        (table(), False),
        (None, False),
    ],
    ids=["key", "own number", "other", "with other", "computed", "prefix", "no key of ours", "none", "untold"],
)
def test_only_keys_of_the_key_alone(found: Table | None, expected: bool) -> None:
    assert named_by_key_alone(found, INSERT, ("CustomID",)) is expected
