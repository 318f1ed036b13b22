"""Judgement of shapes against a catalogue, without a server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workers.connectors.inspection import Column, Table, UniqueKey
from workers.integrations import Integration, Scope
from workers.preflight.findings import Finding, judge
from workers.preflight.samples import A_NUMBER, Samples
from workers.preflight.seen import Seen
from workers.preflight.shapes import read
from workers.templates import QueryKind, compile_query

TABLE = Table(
    "member",
    {
        "segment_id": Column("segment_id", "bigint", "number"),
        "client_id": Column("client_id", "varchar(9)", "text", "exact"),
        "updated": Column("updated", "datetime", "other"),
    },
    (UniqueKey("PRIMARY", ("segment_id", "client_id")),),
)
ADD = (
    "INSERT INTO member (segment_id, client_id, updated) VALUES "
    "{for $i, $x = $batch}({segment_id}, '{$x.CustomID}', NOW()){autocomma}{end}"
    " ON DUPLICATE KEY UPDATE updated = NOW()"
)

PLAIN = (
    "INSERT INTO member (segment_id, client_id) VALUES {for $x = $batch}({segment_id}, '{$x.CustomID}'){autocomma}{end}"
)


def findings(
    text: str,
    table: Table | None = TABLE,
    kind: QueryKind = QueryKind.ADD,
    *,
    once: bool = False,
    dialect: str = "mysql",
    merges: bool = False,
) -> list[Finding]:
    queries = {
        each: compile_query(source, dialect=dialect, kind=each, batch=True, key=("CustomID",))
        for each, source in ({QueryKind.ADD: PLAIN} | {kind: text}).items()
    }
    query = queries[kind]
    integration = Integration(
        key="crm", connector="crm", scope=Scope("main"), key_fields=("CustomID",), queries=queries,
        batched=True, exactly_once=once,
    )  # fmt: skip
    samples = Samples(query, ("CustomID",) if kind.has_profiles else ())
    shapes = [shape for statement in samples.render() for shape in read(statement, dialect)]
    changes = [(shape, table) for shape in shapes]
    sparse = [shape for statement in samples.sparse() for shape in read(statement, dialect)]
    numbers = {
        name: [shape for each in statements for shape in read(each, dialect)]
        for name, what, statements in samples.bare()
        if what == A_NUMBER
    }
    values = samples.values
    return judge(Seen(integration, kind, dialect, changes, values, merges=merges, sparse=sparse, numbers=numbers))


def test_the_usual_upsert_is_fine() -> None:
    assert findings(ADD) == []


STAMP = Column("updated", "timestamp", "other", null_becomes="the present time")
STAMPED = replace(TABLE, columns={**TABLE.columns, "updated": STAMP})


@pytest.mark.parametrize(
    ("value", "set_to", "told"),
    [
        ("'{$x.seen}'", "segment_id = segment_id", True),
        ("'{default $x.seen \"2000-01-01\"}'", "segment_id = segment_id", False),
        ("{if $x.seen}'{$x.seen}'{else}NOW(){end}", "segment_id = segment_id", False),
        ("NULL", "updated = NULL", False),
    ],
)
def test_what_is_missing_and_becomes_something_is_told(value: str, set_to: str, told: bool) -> None:
    rows = f"{{for $x = $batch}}({{segment_id}}, '{{$x.CustomID}}', {value}){{autocomma}}{{end}}"
    add = f"INSERT INTO member (segment_id, client_id, updated) VALUES {rows} ON DUPLICATE KEY UPDATE {set_to}"
    found = [each.what for each in findings(add, STAMPED) if "becomes" in each.what]
    assert ["goes to 'updated' of 'member' (timestamp)" in what for what in found] == [True] * told


NOTES = {"note": Column("note", "TEXT", "text"), "price": Column("price", "NUMERIC", "number")}
NOTED = replace(TABLE, columns={**TABLE.columns, **NOTES})


@pytest.mark.parametrize(
    ("dialect", "value", "told"),
    [
        ("sqlite", "{$x.price}", True),
        ("sqlite", "{number $x.price}", True),
        ("clickhouse", "{$x.price}", True),
        ("sqlite", "'{$x.price}'", False),
        ("sqlite", "8 + {$x.price}", False),
        ("sqlite", "8, {$x.price}", False),
        ("postgresql", "{$x.price}", False),
        ("mysql", "{$x.price}", False),
    ],
)
def test_a_number_that_loses_digits_in_a_text_is_told(dialect: str, value: str, told: bool) -> None:
    rows = f"{{for $x = $batch}}({{segment_id}}, '{{$x.CustomID}}', {value}){{autocomma}}{{end}}"
    found = findings(f"INSERT INTO member (segment_id, client_id, note, price) VALUES {rows}", NOTED, dialect=dialect)
    whats = [each.what for each in found if "without quotes" in each.what]
    assert ["'price' stands without quotes beside 'note' of 'member', which is TEXT" in what for what in whats] == (
        [True] * told
    )


def test_a_table_that_the_target_does_not_show_is_not_judged() -> None:
    assert findings(ADD, None) == []


def test_a_partial_key_does_not_count() -> None:
    table = replace(TABLE, unique=(UniqueKey("some", ("segment_id", "client_id"), partial=True),))
    (finding,) = findings(ADD, table)
    assert "(it has some (segment_id, client_id))" in finding.what


def test_a_wider_key_is_not_met() -> None:
    table = replace(TABLE, unique=(UniqueKey("wide", ("segment_id", "client_id", "updated")),))
    (finding,) = findings(ADD, table)
    assert "is not met when another column of the key differs" in finding.what


def test_a_key_that_an_insert_does_not_fill_does_not_count() -> None:
    table = replace(TABLE, unique=(UniqueKey("PRIMARY", ("id",)),))
    assert "never meets a row" in findings(ADD, table)[0].what


def test_an_insert_that_lists_no_columns_fills_all_of_them() -> None:
    add = ADD.replace(" (segment_id, client_id, updated)", "")
    assert findings(add) == []
    (finding,) = findings(add, replace(TABLE, unique=()))
    assert "no unique key within 'segment_id', 'client_id', 'updated' (it has none)" in finding.what


def test_a_key_that_goes_through_a_function_is_not_guessed() -> None:
    """md5 of a client: which column names the row cannot be told, so any key within the insert will do."""
    assert findings(ADD.replace("'{$x.CustomID}'", "'{md5 $x.CustomID}'")) == []


def test_what_was_deleted_before_may_be_inserted_plainly() -> None:
    insert = ADD.partition(" ON DUP")[0]
    assert len(findings(insert)) == 1
    delete = 'DELETE FROM member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"}); '
    assert findings(delete + insert) == []
    assert len(findings(delete.replace("member", "other") + insert)) == 1


def test_exactly_once_forgives_what_cannot_be_repeated() -> None:
    assert findings(ADD.partition(" ON DUP")[0], once=True) == []
    assert findings(ADD + ", updated = updated + 1", once=True) == []


def test_text_and_numbers_matter_in_mysql_alone() -> None:
    columns = {**TABLE.columns, "client_id": Column("client_id", "int", "number")}
    remove = 'DELETE FROM member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})'
    table = replace(TABLE, columns=columns)
    assert len(findings(remove, table, QueryKind.REMOVE)) == 1
    assert findings(remove, table, QueryKind.REMOVE, dialect="postgresql") == []


def test_a_merging_collation_is_told_at_the_key_and_once() -> None:
    column = Column("client_id", "varchar(9)", "text", "loose_ci", ("case", "accents"))
    remove = ADD + '; DELETE FROM member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})'
    found = findings(remove, replace(TABLE, columns={**TABLE.columns, "client_id": column}))
    assert [each.where for each in found] == ["integrations.crm.key"]
    assert "ignores case and accents (collation loose_ci)" in found[0].what


def test_a_merging_column_that_holds_no_key_is_fine() -> None:
    column = Column("updated", "varchar(9)", "text", "loose_ci", ("case",))
    text = ADD.replace("NOW())", "'{$x.name}')")
    assert findings(text, replace(TABLE, columns={**TABLE.columns, "updated": column})) == []


def test_a_finding_reads_as_place_and_sentence() -> None:
    assert str(Finding("mistake", "a.b", "is wrong", 2, 3)) == "a.b:2:3: is wrong"
    assert str(Finding("mistake", "a.b", "is wrong")) == "a.b: is wrong"


INSERTED = (
    "INSERT INTO member (segment_id, client_id, email) VALUES "
    "{{for $i, $x = $batch}}({{segment_id}}, '{{$x.CustomID}}', '{{$x.email}}'){{autocomma}}{{end}} {}"
)


DEPENDING = (
    (
        "postgresql",
        INSERTED.format("ON CONFLICT (segment_id, client_id) DO UPDATE SET email = excluded.email"),
        QueryKind.ADD,
        "",
    ),
    ("mysql", INSERTED.format("ON DUPLICATE KEY UPDATE email = VALUES(email)"), QueryKind.ADD, ""),
    (
        "mysql",
        INSERTED.format("ON DUPLICATE KEY UPDATE email = VALUES(email), n = n + 1"),
        QueryKind.ADD,
        "sets 'n' of 'member'",
    ),
    (
        "mysql",
        INSERTED.format("ON DUPLICATE KEY UPDATE email = IFNULL(email, VALUES(email))"),
        QueryKind.ADD,
        "sets 'email' of",
    ),
    (
        "postgresql",
        INSERTED.format("ON CONFLICT (client_id) DO UPDATE SET email = COALESCE(member.email, excluded.email)"),
        QueryKind.ADD,
        "sets 'email' of 'member' from what is there",
    ),
    (
        "sqlite",
        INSERTED.format("ON CONFLICT (client_id) DO UPDATE SET n = excluded.n + n, email = ''"),
        QueryKind.ADD,
        "sets 'n' of 'member' from what is there",
    ),
    ("postgresql", INSERTED.format("ON CONFLICT DO NOTHING"), QueryKind.ADD, "leaves 'email' of a row of 'member'"),
    (
        "mysql",
        INSERTED.replace("INSERT", "INSERT IGNORE").format(""),
        QueryKind.ADD,
        "leaves 'email' of a row of 'member'",
    ),
    (
        "postgresql",
        INSERTED.format("ON CONFLICT (client_id) DO UPDATE SET updated = now()"),
        QueryKind.ADD,
        "leaves 'email' of a row of 'member'",
    ),
    ("postgresql", PLAIN + " ON CONFLICT DO NOTHING", QueryKind.ADD, ""),
    ("postgresql", 'DELETE FROM member WHERE client_id IN ({batch_in "CustomID"})', QueryKind.REMOVE, ""),
    (
        "postgresql",
        'UPDATE member SET gone = true WHERE client_id IN ({batch_in "CustomID"})',
        QueryKind.REMOVE,
        "changes rows of",
    ),
    (
        "postgresql",
        'UPDATE member SET n = n - 1 WHERE client_id IN ({batch_in "CustomID"})',
        QueryKind.REMOVE,
        "sets 'n' of 'member'",
    ),
)


def test_a_query_that_depends_on_earlier_ones_is_told_that_they_are_left_out() -> None:
    only = "of several operations for one key in a batch only the last is told"
    for dialect, text, kind, expected in DEPENDING:
        told = [
            [each.what for each in findings(text, None, kind, dialect=dialect, merges=merges) if only in each.what]
            for merges in (True, False)
        ]
        assert told[1] == [], text
        assert (len(told[0]), expected in "".join(told[0])) == (bool(expected), True), (text, told)
        assert all('ordering = "strict"' in what for what in told[0])
