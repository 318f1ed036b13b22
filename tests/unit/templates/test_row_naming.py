"""What is said of a query's rows: "plain" only where no two keys that fold apart could meet in it."""

from __future__ import annotations

import pytest

from workers.templates import QueryKind
from workers.templates.parser import parse
from workers.templates.row_naming import Meeting, Name, RowNaming, row_naming
from workers.templates.scanner import Source

KEY = ("K",)


def naming(text: str, *, batch: bool = True, key: tuple[str, ...] = KEY) -> RowNaming:
    source = Source(text, "query")
    parsed = parse(source, QueryKind.ADD, batch=batch)
    assert not source.mistakes
    return row_naming(parsed.nodes, key)


def rows(row: str, table: str = "t (s, k)") -> str:
    return f"INSERT INTO {table} VALUES {{for $l = $batch}}{row}{{autocomma}}{{end}}"


@pytest.mark.parametrize(
    "text",
    [
        'DELETE FROM t WHERE s = {segment_id} AND k IN ({batch_in "K"})',
        'DELETE FROM t WHERE s = {segment_id} AND t.k IN ({batch_in number "K"})',
        "DELETE FROM t WHERE k IN ({for $l = $batch}'{$l.K}'{autocomma}{end})",
        rows("({segment_id}, '{$l.K}')"),
        rows('({segment_id}, "{$l.K}", NOW())', "t (s, k, at)") + " ON DUPLICATE KEY UPDATE at = NOW()",
        rows("('{$l.K}', {segment_id})") + " ON CONFLICT (s, k) DO UPDATE SET at = excluded.at",
        rows("({segment_id}, {number $l.K})"),
        rows("({segment_id}, '{sha256 (lower (trim $l.K))}')"),
        rows("({segment_id}, -- the key\n '{$l.K}')"),
    ],
)
def test_a_key_beside_a_column_or_in_a_row_is_plain(text: str) -> None:
    found = naming(text)
    assert found.plain
    assert not found.others


def test_one_profile_at_a_time() -> None:
    assert naming("DELETE FROM t WHERE s = {segment_id} AND k = '{lead.K}'", batch=False).plain


@pytest.mark.parametrize(
    "text",
    [
        "DELETE FROM t WHERE k IN ({for $l = $batch}'{default $l.K \"x\"}'{autocomma}{end})",
        "DELETE FROM t WHERE k IN ({for $l = $batch}left('{$l.K}', 3){autocomma}{end})",
        'DELETE FROM t WHERE left(k, 3) IN ({batch_in "K"})',
        'DELETE FROM t WHERE k NOT IN ({batch_in "K"})',
        "DELETE FROM t WHERE k IN ({for $l = $batch}'{$l.K}'::int{autocomma}{end})",
        "DELETE FROM t WHERE k IN ({for $l = $batch}'{$l.K}' || 'x'{autocomma}{end})",
        "DELETE FROM t WHERE k IN ({for $l = $batch}'a{$l.K}'{autocomma}{end})",
        'DELETE FROM t WHERE a + k IN ({batch_in "K"})',
        'DELETE FROM t WHERE k = ANY(ARRAY[{batch_in "K"}])',
        rows("({segment_id}, CAST('{$l.K}' AS date))"),
        rows("({segment_id}, {if $l.K = 1}'x'{else}'{$l.K}'{end})"),
    ],
)
def test_a_key_that_is_computed_with_is_not(text: str) -> None:
    assert not naming(text).plain


@pytest.mark.parametrize("compared", ["left(k, 3) = '{lead.K}'", "k LIKE '{lead.K}'", "k < '{lead.K}'"])
def test_a_comparison_that_computes_is_not(compared: str) -> None:
    assert not naming(f"DELETE FROM t WHERE {compared}", batch=False).plain


def test_a_part_of_the_key_names_many_rows() -> None:
    assert not naming('DELETE FROM t WHERE x IN ({batch_in "a"})', key=("a", "b")).plain


def test_other_fields_are_told() -> None:
    text = rows("({segment_id}, '{$l.K}', '{$l.email}', {if $l.vip}1{else}0{end})", "t (s, k, mail, vip)")
    assert naming(text).plain
    assert naming(text).others == {"email", "vip"}


def test_a_key_of_two_fields() -> None:
    text = rows("('{$l.a}', '{$l.b}')", "t (x, y)")
    found = naming(text, key=("a", "b"))
    assert found == RowNaming(plain=True, others=frozenset(), insert=naming(text).insert, bends=frozenset({"number"}))


def test_an_inserts_columns_and_whose_values_they_take() -> None:
    found = naming(rows("({segment_id}, '{$l.K}', lower('{$l.email}'), 1)", 'Crm."Member" (s, `k`, mail, n)')).insert
    assert found is not None
    assert found.table == (Name("Crm"), Name("Member", quoted=True))
    assert found.columns == {"s": frozenset(), "k": {"K"}, "mail": {"email"}, "n": frozenset()}


def test_an_insert_without_columns_tells_whose_values_stand_where() -> None:
    text = (
        "INSERT INTO Crm.Member VALUES {for $l = $batch}({segment_id}, '{$l.K}', f('{$l.a}', {$l.b})){autocomma}{end}"
    )
    found = naming(text).insert
    assert found is not None
    assert not found.columns
    assert list(map(sorted, found.values)) == [[], ["K"], ["a", "b"]]


@pytest.mark.parametrize(
    ("listed", "plain"),
    [
        ('{batch_in "K"}', True),
        ("'', {batch_in \"K\"}", True),
        ("{for $l = $batch}'{$l.K}'{autocomma}{end}", True),
        ('NULL, {batch_in "K"}', True),
        ("{for $l = $batch}'{$l.K}',{end} null", True),
        ("'admin', {batch_in \"K\"}", False),
        ('{batch_in "K"}, 7', False),
        ("{for $l = $batch}'{$l.K}', other{autocomma}{end}", False),
    ],
)
def test_a_list_that_holds_a_constant_names_another_row_too(listed: str, *, plain: bool) -> None:
    assert naming(f"DELETE FROM t WHERE k IN ({listed})").plain is plain


TWO_ROWS = "({segment_id}, '{$l.K}'), ({segment_id}, '{$l.Partner}')"


def test_a_column_takes_what_any_row_gives_it() -> None:
    """Of a household's members one may be added by the other, and removed by itself: no remove may pass that add."""
    listed, placed = naming(rows(TWO_ROWS, "t (s, k)")).insert, naming(rows(TWO_ROWS, "t")).insert
    assert listed is not None
    assert listed.columns == {"s": frozenset(), "k": {"K", "Partner"}}
    assert placed is not None
    assert list(map(sorted, placed.values)) == [[], ["K", "Partner"]]


@pytest.mark.parametrize(
    "more",
    [
        "{if $l.Partner}, ({segment_id}, '{$l.Partner}'){end}",
        "{for $x = $l.family}, ({segment_id}, '{$x}'){end}",
        ", {for $x = $l.family}({segment_id}, '{$x}'){autocomma}{end}",
        ", ({segment_id}, '{$l.Partner}', 1)",
        ", ({segment_id}, 'admin')",
    ],
)
def test_rows_of_other_keys_are_nobodys_guess(more: str) -> None:
    assert naming(rows("({segment_id}, '{$l.K}')" + more, "t (s, k)")).insert is None


@pytest.mark.parametrize(
    "text",
    [
        "INSERT INTO t VALUES ()",
        "INSERT INTO t AS x VALUES ('{lead.K}')",
        "INSERT INTO t (k) SELECT '{lead.K}' WHERE NOT EXISTS (SELECT 1 FROM t WHERE k = '{lead.K}')",
        "UPDATE t SET a = 1 WHERE k = '{lead.K}'",
        "INSERT INTO t (k, a) VALUES ('{lead.K}')",
    ],
)
def test_what_is_no_plain_insert_is_none(text: str) -> None:
    assert naming(text, batch="$batch" in text).insert is None


@pytest.mark.parametrize(
    "text",
    [
        'INSERT INTO t (s, u) SELECT {segment_id}, id FROM people WHERE k IN ({batch_in "K"})',
        'DELETE FROM t WHERE s = {segment_id} AND u IN (SELECT id FROM people WHERE k IN ({batch_in "K"}))',
        "INSERT INTO t (s, u) SELECT 1, lower(k) FROM (VALUES {for $l = $batch}('{$l.K}'){autocomma}{end}) v (k)",
        'DELETE FROM t USING people p WHERE t.u = p.id AND p.k IN ({batch_in "K"})',
        'DELETE t FROM t JOIN people p ON t.u = p.id WHERE p.k IN ({batch_in "K"})',
        'DELETE t FROM t, people p WHERE t.u = p.id AND p.k IN ({batch_in "K"})',
        'DELETE m FROM member m STRAIGHT_JOIN people p WHERE m.u = p.id AND p.k IN ({batch_in "K"})',
        'UPDATE member STRAIGHT_JOIN people SET m = 1 WHERE u = id AND people.k IN ({batch_in "K"})',
        'DELETE FROM member FROM people WHERE u = id AND people.k IN ({batch_in "K"})',
        'DELETE member FROM people WHERE member.u = people.id AND people.k IN ({batch_in "K"})',
        'UPDATE t, people p SET t.m = 1 WHERE t.u = p.id AND p.k IN ({batch_in "K"})',
        'UPDATE t SET m = 1 FROM people p WHERE t.u = p.id AND p.k IN ({batch_in "K"})',
        "WITH v (k) AS (VALUES {for $l = $batch}('{$l.K}'){autocomma}{end}) DELETE FROM t WHERE k = 1",
    ],
)
def test_a_key_that_another_table_turns_into_rows_is_not_plain(text: str) -> None:
    assert not naming(text).plain


@pytest.mark.parametrize(
    "text",
    [
        "INSERT IGNORE INTO t (k) VALUES {for $l = $batch}('{$l.K}'){autocomma}{end}",
        "INSERT LOW_PRIORITY IGNORE INTO t VALUES {for $l = $batch}('{$l.K}'){autocomma}{end}",
        'DELETE IGNORE FROM t WHERE k IN ({batch_in "K"})',
        'DELETE LOW_PRIORITY QUICK IGNORE FROM t WHERE k IN ({batch_in "K"})',
        'UPDATE IGNORE t SET gone = 1 WHERE k IN ({batch_in "K"})',
    ],
)
def test_what_bends_a_key_silently_is_not_plain(text: str) -> None:
    assert not naming(text).plain


@pytest.mark.parametrize(
    "text",
    [
        "INSERT OR IGNORE INTO t (k) VALUES {for $l = $batch}('{$l.K}'){autocomma}{end}",
        "INSERT INTO t (k, `ignore`) VALUES {for $l = $batch}('{$l.K}', 1){autocomma}{end}",
        'UPDATE t SET gone = 1 WHERE k IN ({batch_in "K"}) AND s = {segment_id} AND ended IS NOT NULL AND x != 3',
        "DELETE FROM t WHERE (s = {segment_id}) AND ((k IN ({batch_in \"K\"}))) AND lower(kind) NOT IN ('a')",
    ],
)
def test_what_bends_none_and_what_narrows_is_plain(text: str) -> None:
    assert naming(text).plain


@pytest.mark.parametrize(
    "condition",
    [
        'k IN ({batch_in "K"}) OR ended < NOW()',
        'k IN ({batch_in "K"}) || ended < NOW()',
        's = {segment_id} AND NOT (k IN ({batch_in "K"}))',
        's = {segment_id} AND !(k IN ({batch_in "K"}))',
        'coalesce(k IN ({batch_in "K"}), TRUE)',
        'CASE WHEN k IN ({batch_in "K"}) THEN TRUE ELSE TRUE END',
    ],
)
def test_a_condition_that_lets_through_other_rows_is_not_plain(condition: str) -> None:
    assert not naming(f"DELETE FROM t WHERE {condition}").plain


@pytest.mark.parametrize(
    "text",
    [
        'DELETE FROM t WHERE k IN ({batch_in "K"}); DELETE FROM t WHERE ended < NOW()',
        "UPDATE t SET k = '{lead.K}' WHERE ended < NOW()",
    ],
)
def test_each_statement_names_its_rows_by_the_key(text: str) -> None:
    assert not naming(text, batch="batch" in text).plain


def test_each_statement_names_its_rows_by_all_of_the_key() -> None:
    both = "DELETE FROM t WHERE a = '{lead.a}' AND b = '{lead.b}'"
    assert naming(both, batch=False, key=("a", "b")).plain
    assert not naming(f"{both}; DELETE FROM u WHERE a = '{{lead.a}}'", batch=False, key=("a", "b")).plain


def test_the_columns_that_the_key_is_compared_with_are_told() -> None:
    found = naming('DELETE FROM t WHERE s = {segment_id} AND t.Boss IN ({batch_in "K"})')
    assert found.meets == {Meeting("K", "boss")}
    assert naming("DELETE FROM t WHERE `k` = '{lead.K}'", batch=False).meets == {Meeting("K", "k")}


@pytest.mark.parametrize(
    ("upsert", "changed"),
    [
        ("ON DUPLICATE KEY UPDATE a = VALUES(a), k = VALUES(k)", set()),
        ("ON DUPLICATE KEY UPDATE k = VALUES(a), a = 5", {"k", "a"}),
        ("AS new ON DUPLICATE KEY UPDATE t.k = new.k, K = new.a", {"k"}),
        ("ON CONFLICT (k) DO UPDATE SET k = excluded.a", {"k"}),
        ("ON CONFLICT (k) DO UPDATE SET a = excluded.a, k = excluded.k RETURNING k", set()),
        ("ON CONFLICT (k) DO UPDATE SET k = excluded.k || 'x'", {"k"}),
        ("ON CONFLICT (k) DO NOTHING", set()),
        ("ON CONFLICT (k) DO UPDATE SET (a, k) = (excluded.a, excluded.a)", {"a", "k"}),
        ('ON CONFLICT (k) DO UPDATE SET a = excluded.a, ("k") = ROW (excluded.a)', {"k"}),
    ],
)
def test_what_an_upsert_makes_of_a_row_that_is_there(upsert: str, changed: set[str]) -> None:
    found = naming(rows("('{$l.K}', '{$l.a}')", "t (k, a)") + f" {upsert}").insert
    assert found is not None
    assert found.changed == changed


@pytest.mark.parametrize(
    "more",
    [
        r" AND mail <> '\'' OR mail = 'old'",
        "# don't\nOR mail = 'old'",
        " AND n < 5 --1 OR mail = 'old'",
        r" AND mail <> E'\'' OR mail = 'old'",
        " AND mail <> $$it's$$ OR mail = 'old'",
        " AND mail <> $a$it's$a$ OR mail = 'old'",
        " AND mail <> q'[it's]' OR mail = 'old'",
        " AND [a]]'b] = 1 OR mail = 'old'",
        " AND tags <> ARRAY['a]'] OR mail = 'old'",
        " // don't\nOR mail = 'old'",
        " AND n < 1.5OR mail = 'old'",
        " {if segment_id = 7}OR mail = 'old'{end}",
        " AND n IN (1 {for $x = segment_name}) OR (n = 2{end})",
    ],
    ids=[
        *("backslash", "number sign", "minus", "prefix", "dollars", "tagged", "q", "bracket in bracket"),
        *("array", "slashes", "number and letters", "condition", "loop over a list"),
    ],
)
def test_what_some_database_reads_otherwise_is_not_plain(more: str) -> None:
    text = 'DELETE FROM t WHERE s = {segment_id} AND k IN ({batch_in "K"})' + more
    nodes = parse(Source(text, "query"), QueryKind.REMOVE, batch=True).nodes
    assert not row_naming(nodes, KEY).plain


@pytest.mark.parametrize(
    "text",
    [
        'DELETE FROM t -- all of them\nWHERE k IN ({batch_in "K"}) AND at < 2.5 /* isn\'t it */',
        'DELETE FROM [t] WHERE [k] IN ({batch_in "K"}) --',
        rows("('{$l.K}', {if $l.n}'{$l.n}'{else}NULL{end}, 1.5)", "t (k, `1st`, n)"),
    ],
)
def test_what_all_read_alike_stays_plain(text: str) -> None:
    assert naming(text).plain


KEPT_OUT = 'k IN ({batch_in "K"})'


@pytest.mark.parametrize(
    "condition",
    [
        *(f"s = {{segment_id}} AND ({KEPT_OUT}) {turned}" for turned in ("IS NOT TRUE", "= false", "= 0", "<> true")),
        *(f"s = {{segment_id}} AND ({KEPT_OUT}) {turned}" for turned in ("< true", "<=> 0", "COLLATE x", "::int = 0")),
        f"((s = {{segment_id}} AND {KEPT_OUT})) IS NOT TRUE",
        f"(({KEPT_OUT}) AND s = {{segment_id}}) = 0 AND n = 1",
        f"{KEPT_OUT} IS NOT TRUE",
        f"{KEPT_OUT} IS NULL AND s = {{segment_id}}",
        f"{KEPT_OUT} = false",
        f"{KEPT_OUT} ISNULL",
        f"CASE WHEN s = {{segment_id}} AND {KEPT_OUT} THEN false ELSE true END",
        f"CASE WHEN s = {{segment_id}} AND {KEPT_OUT} AND n = 1 THEN false ELSE true END",
        f"n NOT BETWEEN 0 AND ({KEPT_OUT})",
        f"s = {{segment_id}} AND {KEPT_OUT} AND n ? 0 : 1",
        f"ARRAY[s = {{segment_id}} AND {KEPT_OUT} AND n = 1] = ARRAY[false]",
    ],
)
def test_a_condition_that_is_turned_round_behind_it_is_not_plain(condition: str) -> None:
    nodes = parse(Source(f"DELETE FROM t WHERE {condition}", "query"), QueryKind.REMOVE, batch=True).nodes
    assert not row_naming(nodes, KEY).plain


def test_so_is_one_of_one_profile() -> None:
    for condition in ("(k = '{lead.K}') = 0", "n NOT BETWEEN 0 AND k = '{lead.K}'"):
        assert not naming(f"DELETE FROM t WHERE {condition}", batch=False).plain
    assert naming("DELETE FROM t WHERE ((k = '{lead.K}') AND n = 0) AND m < 2", batch=False).plain


@pytest.mark.parametrize(
    "text",
    [
        'DELETE LOW_PRIORITY FROM crm.member AS m WHERE m.k IN ({batch_in "K"})',
        'DELETE m FROM `crm`.`member` m WHERE m.k IN ({batch_in "K"})',
        'UPDATE ONLY member SET gone = 1 WHERE k IN ({batch_in "K"})',
        'UPDATE OR IGNORE crm.member AS m SET gone = 1 WHERE m.k IN ({batch_in "K"})',
    ],
)
def test_one_table_under_any_name_is_plain(text: str) -> None:
    assert naming(text).plain


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ('DELETE FROM t WHERE t.k IN ({batch_in "K"})', set()),
        ('UPDATE t SET gone = 1 WHERE t.s = {segment_id} AND t.k IN ({batch_in "K"})', {"gone"}),
        ("UPDATE t SET k = concat(k, '-'), gone = 1 WHERE k IN ({batch_in \"K\"})", {"k", "gone"}),
        ('UPDATE t SET k := mail WHERE k IN ({batch_in "K"})', {"k"}),
    ],
)
def test_what_a_remove_makes_of_the_rows_it_leaves(text: str, changed: set[str]) -> None:
    assert naming(text).changed == changed


@pytest.mark.parametrize(
    ("text", "bends"),
    [
        (rows("({segment_id}, '{$l.K}')"), {"number"}),
        (rows("({segment_id}, {$l.K})"), {"number", "text"}),
        (rows("({segment_id}, {number $l.K})"), {"text"}),
        (rows("({segment_id}, '{number $l.K}')"), set()),
        (rows("({segment_id}, {md5 $l.K})"), {"number"}),
        ('DELETE FROM t WHERE k IN ({batch_in "K"})', {"number"}),
        ('DELETE FROM t WHERE k IN ({batch_in number "K"})', {"text"}),
    ],
)
def test_beside_which_columns_a_key_so_written_is_read_otherwise(text: str, bends: set[str]) -> None:
    assert naming(text).bends == bends
