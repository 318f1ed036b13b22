"""Two members can be one row where any unique key says so that is not made of the key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest

from workers.connectors.inspection import Column, Table, UniqueKey
from workers.connectors.sql.unique_keys import (
    named_by_key_alone,
    names_rows_by_key,
    place_of,
    why_keys_meet,
    why_not_by_key,
)
from workers.templates.row_naming import Insert, Meeting, Name

if TYPE_CHECKING:
    from workers.connectors.inspection import Examined, Family

INSERT = Insert(
    (Name("t"),),
    {"seg": frozenset(), "K": frozenset({"CustomID"}), "mail": frozenset({"email"}), "rough": frozenset({"CustomID"})}
    | {"copy": frozenset({"CustomID"})},
)
PRIMARY = UniqueKey("PRIMARY", ("seg", "k"))


def table(*unique: UniqueKey, computed: bool = False) -> Table:
    columns = {name: Column(name, "text", "text") for name in ("seg", "k", "mail", "norm", "copy")}
    columns["id"] = Column("id", "bigint", "number")
    columns["rough"] = Column("rough", "real", "number")
    columns["low"] = Column("low", "text", "text", computed="lower(mail)" if computed else "")
    return Table("t", columns, unique)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (table(PRIMARY), True),
        (table(PRIMARY, UniqueKey("number", ("id",))), True),
        (table(PRIMARY, UniqueKey("norm", ("norm",))), False),
        (table(PRIMARY, UniqueKey("mail", ("mail",))), False),
        (table(PRIMARY, UniqueKey("mail", ("seg", "mail"))), False),
        (table(PRIMARY, UniqueKey("low", ("low",)), computed=True), False),
        (table(UniqueKey("some", ("seg", "k"), partial=True)), False),
        (table(UniqueKey("prefix", ("seg", "k"), beginnings=("k",))), False),
        (table(UniqueKey("expression", ("seg", "k"), computed=True)), False),
        (table(UniqueKey("number", ("id",))), False),
        (table(UniqueKey("rough", ("seg", "rough"))), False),
        (table(PRIMARY, UniqueKey("segment", ("seg",))), False),
        (table(), False),
        (None, False),
    ],
    ids=[
        "key",
        "own number",
        "a trigger's text",
        "other",
        "with other",
        "computed",
        "partial",
        "prefix",
        "expression",
        "no key of ours",
        "rounded",
        "less than the key",
        "none",
        "untold",
    ],
)
def test_only_keys_of_the_key_alone(found: Table | None, expected: bool) -> None:
    assert named_by_key_alone(found, INSERT, ("CustomID",)) is expected


def found_by(field: str, column: str) -> Insert:
    return replace(INSERT, found_by=frozenset({Meeting(field, column)}))


def test_what_is_in_the_way_is_named() -> None:
    plain, rough = table(PRIMARY), UniqueKey("rough", ("seg", "rough"))
    for found, insert, expected in (
        (plain, INSERT, ""),
        (None, INSERT, "the target shows no table 't'"),
        (plain, replace(INSERT, columns={}, values=(frozenset(),)), "INSERT lists no columns of 't'"),
        (replace(plain, triggers=True), INSERT, "a trigger or rule of 't' may change a key"),
        (
            replace(plain, followers=("orders",)),
            INSERT,
            "rows of 'orders' are deleted or emptied with those of 't'",
        ),
        (plain, found_by("CustomID", "mail"), "remove looks for 'CustomID' in column 'mail'"),
        (plain, found_by("CustomID", "rough"), "column 'rough' (real) may take keys for one"),
        (plain, replace(found_by("CustomID", "copy"), changed=frozenset({"copy"})), "column 'copy' another value"),
        (plain, replace(INSERT, changed=frozenset({"k"})), "other values in the unique key PRIMARY (seg, k)"),
        (
            table(PRIMARY, UniqueKey("mail", ("mail",))),
            INSERT,
            "unique key mail (mail), which takes 'email'",
        ),
        (table(PRIMARY, UniqueKey("norm", ("norm",))), INSERT, "key norm (norm) is filled by the target"),
        (table(UniqueKey("some", ("k",), partial=True)), INSERT, "key some (k) holds for some rows only"),
        (table(UniqueKey("short", ("k",), beginnings=("k",))), INSERT, "key short (k) counts only the beginning"),
        (table(UniqueKey("low", ("k",), computed=True)), INSERT, "key low (k) is computed"),
        (table(PRIMARY, UniqueKey("one", ("seg",))), INSERT, "key one (seg) is not over the whole key"),
        (table(PRIMARY, rough), INSERT, "column 'rough' (real) may take keys for one"),
        (table(UniqueKey("number", ("id",))), INSERT, "no unique key of 't' is over what takes the key"),
    ):
        why = why_not_by_key(found, insert, ("CustomID",))
        assert expected in why, why
        assert bool(why) is bool(expected)


def test_what_triggers_make_of_a_key_is_nobodys_guess() -> None:
    assert not named_by_key_alone(replace(table(PRIMARY), triggers=True), INSERT, ("CustomID",))


@pytest.mark.parametrize(
    ("found_by", "expected"),
    [
        ({Meeting("CustomID", "k")}, True),
        ({Meeting("CustomID", "copy")}, True),
        ({Meeting("CustomID", "rough")}, False),
        ({Meeting("CustomID", "mail")}, False),
        ({Meeting("CustomID", "k"), Meeting("CustomID", "mail")}, False),
        ({Meeting("CustomID", "elsewhere")}, False),
    ],
    ids=["the key's", "another of its own", "one that rounds", "another field's", "both", "unknown"],
)
def test_a_key_is_looked_for_where_it_is_written(found_by: set[Meeting], expected: bool) -> None:
    insert = replace(INSERT, found_by=frozenset(found_by))
    assert named_by_key_alone(table(PRIMARY), insert, ("CustomID",)) is expected
    by_place = replace(insert, columns={}, values=(frozenset(), frozenset({"CustomID"}), frozenset({"email"})))
    kept = {each for each in found_by if each.column not in ("rough", "copy")}
    if kept == found_by:
        assert named_by_key_alone(placed(PRIMARY), by_place, ("CustomID",)) is expected


def test_rows_that_go_along_with_others_are_named_by_more_than_the_key() -> None:
    assert not named_by_key_alone(replace(table(PRIMARY), followers=("t",)), INSERT, ("CustomID",))


def test_a_row_that_remove_leaves_elsewhere_is_not_found_again() -> None:
    insert = replace(INSERT, found_by=frozenset({Meeting("CustomID", "copy")}))
    assert named_by_key_alone(table(PRIMARY), replace(insert, changed=frozenset({"mail"})), ("CustomID",))
    assert not named_by_key_alone(table(PRIMARY), replace(insert, changed=frozenset({"copy"})), ("CustomID",))


def test_a_row_that_an_upsert_gives_another_key_is_not_named_by_it() -> None:
    assert named_by_key_alone(table(PRIMARY), replace(INSERT, changed=frozenset({"mail"})), ("CustomID",))
    assert not named_by_key_alone(table(PRIMARY), replace(INSERT, changed=frozenset({"k"})), ("CustomID",))


@pytest.mark.parametrize(
    ("names", "dialect", "expected"),
    [
        ([Name("Member")], "mysql", ("", "Member")),
        ([Name("Member")], "postgresql", ("", "member")),
        ([Name("Member", quoted=True)], "postgresql", ("", "Member")),
        ([Name("crm"), Name("member")], "mysql", ("crm", "member")),
        ([Name("a"), Name("crm"), Name("member")], "postgresql", ("", "")),
    ],
)
def test_a_table_is_looked_up_as_its_database_keeps_its_name(
    names: list[Name], dialect: str, expected: tuple[str, str]
) -> None:
    assert place_of(Insert(tuple(names), {}), dialect) == expected


FOLDED = (
    *(
        "text",
        "character varying(255)",
        "varchar(9)",
        "bigint(20) unsigned",
        "numeric(9)",
        "decimal(20,0)",
        "",
        "uuid",
        "citext",
    ),
    *("char(36)", "varbinary(16)", "int"),
)
OTHERS = (
    *(
        "numeric(9,2)",
        "decimal(10,4)",
        "public.text",
        "text.email",
        "inet",
        "cidr",
        "interval",
        "name",
        "jsonb",
        "bytea",
        "boolean",
        "numeric(9,-2)",
        "year(4)",
        "enum('a','b')",
    ),
    *(
        "date",
        "timestamp with time zone",
        "time",
        "text collate public.numbers",
        "bit(8)",
        "double",
        "text[]",
        '"char"',
        "int4range",
    ),
)


@pytest.mark.parametrize("kind", FOLDED)
def test_types_whose_spellings_fold_let_others_pass(kind: str) -> None:
    assert _named_by(kind)


@pytest.mark.parametrize("kind", OTHERS)
def test_types_with_other_spellings_let_nothing_pass(kind: str) -> None:
    assert not _named_by(kind)


def _named_by(kind: str) -> bool:
    columns = {"seg": Column("seg", "bigint", "number"), "k": Column("k", kind, "other")}
    return named_by_key_alone(Table("t", columns, (PRIMARY,)), INSERT, ("CustomID",))


MAIL = UniqueKey("mail", ("mail",))
BY_PLACE: tuple[frozenset[str], ...] = (frozenset(), frozenset({"CustomID"}), frozenset({"email"}))


def placed(*unique: UniqueKey, computed: str = "") -> Table:
    columns = {name: Column(name, "text", "text") for name in ("seg", "k")}
    return Table("t", columns | {"mail": Column("mail", "text", "text", computed=computed)}, unique)


@pytest.mark.parametrize(
    ("found", "values", "expected"),
    [
        (placed(PRIMARY), BY_PLACE, True),
        (placed(PRIMARY, MAIL), BY_PLACE, False),
        (placed(UniqueKey("PRIMARY", ("k", "mail"))), BY_PLACE, False),
        (placed(PRIMARY), BY_PLACE[:2], False),
        (placed(PRIMARY, computed="lower(k)"), BY_PLACE, False),
    ],
    ids=["key", "another", "not where the key stands", "fewer values than columns", "a computed column"],
)
def test_without_a_list_of_columns_values_go_by_their_places(
    found: Table, values: tuple[frozenset[str], ...], expected: bool
) -> None:
    assert named_by_key_alone(found, Insert((Name("t"),), {}, values), ("CustomID",)) is expected


class Told:
    """A session that tells of one table, and nothing else."""

    def __init__(self, dialect: str, kind: str, family: Family) -> None:
        self.dialect = dialect
        columns = {"seg": Column("seg", "bigint", "number"), "k": Column("k", kind, family)}
        self._table = Table("t", columns, (PRIMARY,))

    def table(self, schema: str, name: str) -> Table:
        assert (schema, name) == ("", "t")
        return self._table


BIGINT: tuple[str, Family] = ("bigint(20)", "number")
VARCHAR: tuple[str, Family] = ("varchar(50)", "text")


@pytest.mark.parametrize(
    ("dialect", "column", "bends", "expected"),
    [
        ("mysql", BIGINT, {"number"}, False),
        ("mysql", BIGINT, {"text"}, True),
        ("mysql", VARCHAR, {"text"}, False),
        ("mysql", VARCHAR, {"number", "text"}, False),
        ("mysql", VARCHAR, {"number"}, True),
        ("postgresql", BIGINT, {"number"}, True),
    ],
    ids=["7 of '7 x'", "numbers", "7 for '7 x'", "as they come", "texts", "refuses"],
)
def test_where_a_number_is_read_of_what_a_text_begins_with_nothing_passes(
    dialect: str, column: tuple[str, Family], bends: set[str], expected: bool
) -> None:
    session = cast("Examined", Told(dialect, *column))
    insert = replace(INSERT, columns={"seg": frozenset(), "k": frozenset({"CustomID"})}, bends=frozenset(bends))
    assert names_rows_by_key(session, insert, ("CustomID",)) is expected
    why = why_keys_meet(session, insert, ("CustomID",))
    assert (f"column 'k' ({column[0]}) meets the key written as a" in why) is not expected
    by_place = replace(insert, columns={}, values=(frozenset(), frozenset({"CustomID"})))
    assert names_rows_by_key(session, by_place, ("CustomID",)) is expected
