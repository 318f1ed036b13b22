"""ClickHouse's own engine gives back, byte by byte, whatever stood in a profile."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.integration.templates.places import (
    ANY_TEXT,
    ATTACKS,
    COLUMNS,
    COUNT,
    Profile,
    Spot,
    any_batch,
    any_places,
    attackers,
    columns,
    compiled,
    expected,
    insert,
    places,
    rendered,
)
from tests.integration.templates.spellings import spelled, spellings
from tests.servers.clickhouse import ClickhouseEngine
from workers.templates import BadRows, QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def engine() -> Iterator[ClickhouseEngine]:
    engine = ClickhouseEngine()
    texts = ", ".join(f"{name} Nullable(String)" for name in columns(COLUMNS))
    engine.run(
        f"CREATE TABLE t (n Int64, {texts}) ENGINE = Memory",
        "CREATE TABLE numbers (n Int64, a Decimal(76, 30), s String) ENGINE = Memory",
        "CREATE TABLE wholes (n Int64, e Int128) ENGINE = Memory",
        "CREATE TABLE moments (n Int64, w DateTime64(6, 'UTC'), s String) ENGINE = Memory",
        "CREATE TABLE changed (k String, a String, b String) ENGINE = MergeTree ORDER BY k",
    )
    yield engine
    engine.close()


@given(found=any_places("'", backslash=True), batch=any_batch(ANY_TEXT), name=ANY_TEXT)
@example(found=places("'"), batch=attackers([*ATTACKS, "\0", "\\\0'"]), name="' OR 1=1 -- \\")
def test_values_come_back(engine: ClickhouseEngine, found: list[Spot], batch: list[Profile], name: str) -> None:
    engine.run("TRUNCATE TABLE t", *rendered(compiled(insert(found), "clickhouse"), batch, name))
    assert engine.texts("t", columns(len(found))) == expected(found, batch, name)

    half = batch[::2]
    (count,) = rendered(compiled(COUNT, "clickhouse", QueryKind.REMOVE), half, name)
    assert engine.rows(count) == [[str(len(half))]]


@given(found=any_places("'", backslash=True), batch=any_batch(ANY_TEXT), name=ANY_TEXT)
@example(found=places("'"), batch=attackers([*ATTACKS, "\0", "\\\0'"]), name="' OR 1=1 -- \\")
def test_values_come_back_where_the_statements_parser_reads_them(
    engine: ClickhouseEngine, found: list[Spot], batch: list[Profile], name: str
) -> None:
    """What follows VALUES is read by another parser than the rest of the language."""
    cells = ", ".join(["toInt64({$i})", *(f"CAST({place.sql} AS Nullable(String))" for place in found)])
    query = f"INSERT INTO t (n, {', '.join(columns(len(found)))}) {{for $i, $x = $batch}}"
    query += f"{{if $i > 0}}UNION ALL {{end}}SELECT {cells} {{end}}"
    engine.run("TRUNCATE TABLE t", *rendered(compiled(query, "clickhouse"), batch, name))
    assert engine.texts("t", columns(len(found))) == expected(found, batch, name)


def test_a_backslash_escapes_no_quote(engine: ClickhouseEngine) -> None:
    """With quotes doubled and nothing else escaped, the second value would be SQL."""
    batch: list[Profile] = [{"K": "abc\\"}, {"K": ",'x'),(666,'evil') -- "}, {"K": "\\'),(666,'evil') -- "}]
    for sql in ("{$x.K}", "'{$x.K}'"):
        query = compiled(
            f"INSERT INTO t (n, c0) VALUES {{for $i, $x = $batch}}({{$i}}, {sql}){{autocomma}}{{end}}", "clickhouse"
        )
        engine.run("TRUNCATE TABLE t", *rendered(query, batch))
        assert engine.texts("t", ["c0"]) == [(each["K"],) for each in batch]


def test_rows_are_changed_and_deleted_by_their_keys(engine: ClickhouseEngine) -> None:
    """Each of the attacks in turn: no other row is touched."""
    batch = attackers([*ATTACKS, "\0"])
    engine.run(
        *rendered(
            compiled("INSERT INTO changed VALUES {for $x = $batch}({$x.K}, 'a', 'b'){autocomma}{end}", "clickhouse"),
            batch,
        )
    )
    change = compiled(
        "ALTER TABLE changed UPDATE a = '{segment_name}', b = concat({segment_name}, '\\'')"
        ' WHERE k IN ({batch_in "K"}) SETTINGS mutations_sync = 1',
        "clickhouse",
        QueryKind.REMOVE,
    )
    remove = compiled('DELETE FROM changed WHERE k IN ({batch_in "K"})', "clickhouse", QueryKind.REMOVE)
    engine.run(*rendered(change, batch[::2], name="' OR 1=1 -- \\"), *rendered(remove, batch[1::2]))
    read = "SELECT hex(k), hex(a), hex(b) FROM changed"
    rows = {tuple(bytes.fromhex(text).decode() for text in row) for row in engine.rows(read)}
    assert rows == {(each["K"], "' OR 1=1 -- \\", "' OR 1=1 -- \\'") for each in batch[::2]}


def stored(engine: ClickhouseEngine, table: str, query: str, profiles: list[Profile]) -> list[list[str]]:
    """The table's rows, which the query wrote into nothing."""
    engine.run(f"TRUNCATE TABLE {table}", *rendered(compiled(query, "clickhouse"), profiles))
    return engine.rows(f"SELECT * EXCEPT n FROM {table} ORDER BY n")


DECIMALS = "INSERT INTO numbers VALUES {for $i, $x = $batch}({$i}, '{$x.N}', 'no. {$x.N}'){autocomma}{end}"
BARE = "INSERT INTO numbers VALUES {for $i, $x = $batch}({$i}, {number $x.T}, ''){autocomma}{end}"


@given(texts=st.lists(spellings(40, 30), min_size=1, max_size=10))
@example(texts=["0.1", "1.15", "1e3", "1.5E-10", "-1.15"])
def test_every_digit_of_a_decimal_in_quotes_comes_back(engine: ClickhouseEngine, texts: list[str]) -> None:
    profiles = [spelled(text) for text in texts]
    rows = stored(engine, "numbers", DECIMALS, profiles)
    assert [(Decimal(a), s) for a, s in rows] == [(Decimal(p["T"]), f"no. {p['N']}") for p in profiles]


@given(texts=st.lists(spellings(40, 30), min_size=1, max_size=10))
@example(texts=["0.1", "1.15", "1e3", "1.5E-10", "-1.15"])
def test_every_digit_of_a_bare_decimal_comes_back(engine: ClickhouseEngine, texts: list[str]) -> None:
    """Of a negative one, too, since it stands in no brackets: those would make it an expression, read as a double."""
    profiles = [each for each in map(spelled, texts) if not isinstance(each["N"], int) or -(2**63) <= each["N"] < 2**64]
    assert [Decimal(a) for a, _ in stored(engine, "numbers", BARE, profiles)] == [Decimal(p["T"]) for p in profiles]


WHOLE = "INSERT INTO wholes VALUES {for $i, $x = $batch}({$i}, {$x.N}){autocomma}{end}"


@given(numbers=st.lists(st.integers(-(2**63), 2**64 - 1), min_size=1, max_size=10))
@example(numbers=[-(2**63), 2**64 - 1, 0, -1])
def test_whole_numbers_of_64_bits_come_back(engine: ClickhouseEngine, numbers: list[int]) -> None:
    profiles: list[Profile] = [{"K": "k", "N": number} for number in numbers]
    assert stored(engine, "wholes", WHOLE, profiles) == [[str(number)] for number in numbers]


@given(beyond=st.one_of(st.integers(max_value=-(2**63) - 1), st.integers(min_value=2**64)))
def test_a_whole_number_beyond_64_bits_is_a_data_error(beyond: int) -> None:
    """ClickHouse would keep what is left of it in 64 bits, or make a double of it, without a word."""
    with pytest.raises(BadRows) as caught:
        rendered(compiled(WHOLE, "clickhouse"), [{"K": "k", "N": 1}, {"K": "k", "N": beyond}])
    assert [(error.index, error.field) for error in caught.value.errors] == [(1, "N")]


MOMENTS = (
    "INSERT INTO moments VALUES {for $i, $x = $batch}({$i}, {$x._event_time}, 'at {$x._event_time}'){autocomma}{end}"
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@given(us=st.integers(0, 7_000_000_000_000_000), zone=st.sampled_from(["UTC", "Asia/Kathmandu", "America/Phoenix"]))
def test_a_time_comes_back_to_the_microsecond(engine: ClickhouseEngine, us: int, zone: str) -> None:
    """In zones without summer time; where there is one, the hour that comes twice a year is told only once."""
    query = compiled(MOMENTS, "clickhouse", timezone=zone)
    engine.run("TRUNCATE TABLE moments", *rendered(query, [{"K": "k"}], at=us))
    ((when, text),) = engine.rows("SELECT w, s FROM moments")
    moment = EPOCH + timedelta(microseconds=us)
    assert when == moment.isoformat(" ", "microseconds")[:26]
    assert text == f"at {moment.astimezone(ZoneInfo(zone)).isoformat(' ', 'microseconds')[:26]}"
