"""What real databases say of their tables, and what follows for the order within a batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from workers.connectors.contract import Target
from workers.connectors.sql.inspecting import open_examined
from workers.connectors.sql.unique_keys import named_by_key_alone
from workers.templates.row_naming import Insert, Meeting, Name

if TYPE_CHECKING:
    from tests.targets import TargetDatabase

INSERT = Insert((Name("member"),), {"seg": frozenset(), "k": frozenset({"CustomID"}), "mail": frozenset({"email"})})
COLUMNS = "seg bigint NOT NULL, k varchar(50) NOT NULL, mail varchar(50)"
OWN_NUMBER = {
    "mysql": ", id bigint AUTO_INCREMENT UNIQUE",
    "postgresql": ", id bigint GENERATED ALWAYS AS IDENTITY UNIQUE",
    "sqlite": "",
}
COMPUTED = {
    "mysql": ", low varchar(50) AS (lower(mail)) STORED UNIQUE",
    "postgresql": ", low text GENERATED ALWAYS AS (lower(mail)) STORED UNIQUE",
    "sqlite": ", low text AS (lower(mail)) UNIQUE",
}
COMPUTED_NUMBER = {
    "mysql": ", size decimal(9, 0) AS (char_length(mail)) STORED UNIQUE",
    "postgresql": ", size numeric(9, 0) GENERATED ALWAYS AS (length(mail)) STORED UNIQUE",
    "sqlite": ", size decimal(9, 0) CHECK (size > 0) AS (length(mail)) UNIQUE",
}
EXPRESSION = dict.fromkeys(("postgresql", "sqlite"), "CREATE UNIQUE INDEX low ON member (lower(mail))")


BY_PLACE = Insert(INSERT.table, {}, tuple(INSERT.columns.values()))


def key_alone(
    target: TargetDatabase,
    *more: str,
    columns: str = "",
    key: str = ", PRIMARY KEY (seg, k)",
    insert: Insert = INSERT,
) -> bool:
    target.run("DROP TABLE member", f"CREATE TABLE member ({COLUMNS}{columns}{key})", *more)
    opened = open_examined(Target("crm", target.dialect, target.url, target.password))
    assert opened.session is not None
    try:
        return named_by_key_alone(opened.session.table("", "member"), insert, ("CustomID",))
    finally:
        opened.session.close()


def test_a_key_of_the_key_names_the_row(target: TargetDatabase) -> None:
    assert key_alone(target)


def test_a_number_of_the_tables_own_changes_nothing(target: TargetDatabase) -> None:
    assert key_alone(target, columns=OWN_NUMBER[target.dialect])


def test_without_a_list_of_columns_their_places_tell(target: TargetDatabase) -> None:
    assert key_alone(target, insert=BY_PLACE)
    assert not key_alone(target, insert=BY_PLACE, key=", PRIMARY KEY (seg, mail)")
    assert not key_alone(target, insert=BY_PLACE, columns=COMPUTED[target.dialect].removesuffix("UNIQUE"))


@pytest.mark.parametrize("columns", ["mail", "seg, mail"])
def test_a_second_unique_key_may_name_another_row(target: TargetDatabase, columns: str) -> None:
    assert not key_alone(target, f"CREATE UNIQUE INDEX second ON member ({columns})")


def test_a_unique_key_that_is_computed_may_name_another_row(target: TargetDatabase) -> None:
    assert not key_alone(target, columns=COMPUTED[target.dialect])
    assert not key_alone(target, columns=COMPUTED_NUMBER[target.dialect])
    if target.dialect in EXPRESSION:
        assert not key_alone(target, EXPRESSION[target.dialect])


def test_without_a_unique_key_nothing_is_known(target: TargetDatabase) -> None:
    assert not key_alone(target, key="")


TRIGGERS = {
    "mysql": ("CREATE TRIGGER g BEFORE INSERT ON member FOR EACH ROW SET NEW.k = lower(NEW.k)",),
    "postgresql": (
        "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.k := lower(NEW.k); RETURN NEW; END $$",
        "CREATE TRIGGER g BEFORE INSERT ON member FOR EACH ROW EXECUTE FUNCTION g()",
    ),
    "sqlite": ("CREATE TRIGGER g AFTER INSERT ON member BEGIN UPDATE member SET mail = 'x'; END",),
}


def test_a_trigger_may_turn_one_key_into_another(target: TargetDatabase) -> None:
    assert not key_alone(target, *TRIGGERS[target.dialect])


BOSS = ", boss varchar(50), ref varchar(50) UNIQUE, FOREIGN KEY (boss) REFERENCES member (ref) ON DELETE"


@pytest.mark.parametrize("action", ["CASCADE", "SET NULL"])
def test_a_foreign_key_may_take_other_rows_along(target: TargetDatabase, action: str) -> None:
    own = replace(INSERT, columns={**INSERT.columns} | {"ref": frozenset({"CustomID"})})
    assert not key_alone(target, columns=f"{BOSS} {action}", insert=own)
    assert key_alone(target, columns=f"{BOSS} NO ACTION", insert=own)


PARTITIONS = (
    "CREATE TABLE part PARTITION OF member DEFAULT",
    TRIGGERS["postgresql"][0],
    TRIGGERS["postgresql"][1].replace("member", "part"),
)
RULE = "CREATE RULE r AS ON INSERT TO member DO ALSO DELETE FROM member WHERE member.mail = NEW.mail AND k <> NEW.k"


@pytest.mark.parametrize("target", ["postgresql"], indirect=True)
def test_so_may_a_rule_or_a_partitions_trigger_and_none_that_is_off(target: TargetDatabase) -> None:
    assert not key_alone(target, RULE)
    assert key_alone(target, *TRIGGERS["postgresql"], "ALTER TABLE member DISABLE TRIGGER g")
    target.run("DROP FUNCTION g CASCADE")
    assert not key_alone(target, *PARTITIONS, key=", PRIMARY KEY (seg, k)) PARTITION BY LIST (seg")


OWN_TYPES = {
    "number": "CREATE DOMAIN number AS real",
    "varbinary": "CREATE DOMAIN varbinary AS bytea",
    "string": "CREATE TYPE string AS ENUM ('a', 'b')",
}


@pytest.mark.parametrize("target", ["postgresql"], indirect=True)
@pytest.mark.parametrize("name", OWN_TYPES)
def test_a_type_of_ones_own_is_not_the_one_that_it_is_called_as(target: TargetDatabase, name: str) -> None:
    target.run(OWN_TYPES[name])
    assert not key_alone(target, f"ALTER TABLE member ALTER k TYPE {name} USING NULL::{name}")


@pytest.mark.parametrize("target", ["postgresql"], indirect=True)
def test_columns_whose_names_have_capitals_are_found(target: TargetDatabase) -> None:
    """A query's tokens are in small letters: unseen, such a column would make adds and removes take turns."""
    found_by = frozenset({Meeting("CustomID", "key")})
    insert = Insert((Name("member"),), {"seg": frozenset(), "Key": frozenset({"CustomID"})}, found_by=found_by)
    assert key_alone(target, columns=', "Key" text, UNIQUE (seg, "Key")', key="", insert=insert)
    assert not key_alone(target, columns=', "Key" jsonb, UNIQUE (seg, "Key")', key="", insert=insert)
