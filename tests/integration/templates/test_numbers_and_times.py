"""Numbers and times arrive exactly as they were sent, or are a data error of their profile."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.integration.templates.places import compiled, rendered
from tests.integration.templates.spellings import spelled, spellings
from tests.integration.templates.writing import Server, serving
from workers.errors import ErrorClass, TargetError
from workers.events.numerals import Numeral
from workers.templates import BadRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target

TABLES = {
    "postgresql": "CREATE TABLE t (n int, a numeric, b numeric, c numeric, d text, e bigint, w timestamptz, p date)",
    "mysql": (
        "CREATE TABLE t (n int, a decimal(65,30), b decimal(65,30), c decimal(65,30), d text, e bigint,"
        " w datetime(6), p date)"
    ),
    "sqlite": "CREATE TABLE t (n int, a, b, c, d text, e integer, w text, p text)",
}
DECIMALS = (
    "INSERT INTO t (n, a, b, c, d) VALUES {for $i, $x = $batch}"
    "({$i}, {$x.N}, {number $x.T}, 0-{$x.N}, 'no. {$x.N}'){autocomma}{end}"
)
WHOLE = "INSERT INTO t (n, e) VALUES {for $i, $x = $batch}({$i}, {$x.N}){autocomma}{end}"
TIMES = (
    "INSERT INTO t (n, w, d, p) VALUES {for $i, $x = $batch}"
    "({$i}, {$x._event_time}, 'at {$x._event_time}', '{date $x.born \"%Y-%m-%d\"}'){autocomma}{end}"
)
ZONES = ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def postgresql(postgresql_target: Target) -> Iterator[Server]:
    yield from serving(postgresql_target, TABLES["postgresql"])


@pytest.fixture
def mariadb(mariadb_target: Target) -> Iterator[Server]:
    yield from serving(mariadb_target, TABLES["mysql"])


@pytest.fixture
def sqlite(sqlite_target: Target) -> Iterator[Server]:
    yield from serving(sqlite_target, TABLES["sqlite"])


def decimals(server: Server, texts: list[str]) -> None:
    """Bare, from a text by `number`, behind a minus sign, and as a part of a text."""
    server.transact("DELETE FROM t", *rendered(compiled(DECIMALS, server.dialect), [spelled(text) for text in texts]))
    for text, row in zip(texts, server.rows("a", "b", "c", "d"), strict=True):
        number = Decimal(text)
        assert row == (number, number, number.copy_negate(), f"no. {spelled(text)['N']}")


@given(texts=st.lists(spellings(35, 30), min_size=1, max_size=10))
@example(
    texts=["1.23456789012345678901234E5", "1.3107200000000001e5", "-0.0", "1e3", "1.5E-10", "9" * 35 + "." + "9" * 30]
)
def test_mariadb_holds_every_digit(mariadb: Server, texts: list[str]) -> None:
    """A literal with an exponent would be a double to it: one with more digits than those hold is written without."""
    decimals(mariadb, texts)


@given(texts=st.lists(spellings(300, 300), min_size=1, max_size=10))
def test_postgresql_holds_every_digit(postgresql: Server, texts: list[str]) -> None:
    decimals(postgresql, texts)


def whole_numbers(server: Server, numbers: list[int]) -> None:
    """64 bits are held exactly; whatever has more is a data error, of ours before or of the server's."""
    refused = refusal(server, numbers)
    if isinstance(refused, BadRows):
        assert [each.index for each in refused.errors] == [n for n, number in enumerate(numbers) if not fits(number)]
    elif refused is not None:
        assert refused.error_class is ErrorClass.ISOLATE
        assert not all(map(fits, numbers))
    else:
        assert server.rows("e") == [(number,) for number in numbers]


def refusal(server: Server, numbers: list[int]) -> BadRows | TargetError | None:
    server.transact("DELETE FROM t")
    try:
        server.transact(*rendered(compiled(WHOLE, server.dialect), [{"K": "k", "N": number} for number in numbers]))
    except (BadRows, TargetError) as error:
        return error
    return None


def fits(number: int) -> bool:
    return -(2**63) <= number < 2**63


NUMBERS = st.lists(
    st.one_of(st.integers(), st.integers(-(2**66), 2**66), st.integers(-(10**90), 10**90)), min_size=1, max_size=3
)
EDGES = [2**63 - 1, -(2**63), 0, -1]


@given(numbers=NUMBERS)
@example(numbers=EDGES)
@example(numbers=[1, 2**63])
@example(numbers=[1, -(2**63) - 1])
def test_sqlite_bends_no_whole_number(sqlite: Server, numbers: list[int]) -> None:
    """It would make a double of one with more than 64 bits."""
    whole_numbers(sqlite, numbers)


@given(numbers=NUMBERS)
@example(numbers=EDGES)
def test_mariadb_bends_no_whole_number(mariadb: Server, numbers: list[int]) -> None:
    whole_numbers(mariadb, numbers)


@given(numbers=NUMBERS)
@example(numbers=EDGES)
def test_postgresql_bends_no_whole_number(postgresql: Server, numbers: list[int]) -> None:
    whole_numbers(postgresql, numbers)


MOMENTS = st.integers(0, 7_000_000_000_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))
FOLD = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
"""02:30 in Berlin, for the second time that night."""


def times(server: Server, moment: datetime, zone: str, born: date) -> None:
    query = compiled(TIMES, server.dialect, timezone=zone)
    microseconds = (moment - EPOCH) // timedelta(microseconds=1)
    server.transact("DELETE FROM t", *rendered(query, [{"K": "k", "born": born.isoformat()}], at=microseconds))
    local = moment.astimezone(ZoneInfo(zone))
    shown = local.isoformat(" ", "microseconds")
    naive = shown[:26]
    ((when, text, day),) = server.rows("w", "d", "p")
    assert when == {"postgresql": moment, "mysql": local.replace(tzinfo=None, fold=0), "sqlite": naive}[server.dialect]
    assert text == f"at {shown if server.dialect == 'postgresql' else naive}"
    assert day == (born.isoformat() if server.dialect == "sqlite" else born)


@pytest.mark.parametrize("name", ["postgresql", "mariadb", "sqlite"])
@given(moment=MOMENTS, zone=st.sampled_from(ZONES), born=st.dates(date(1000, 1, 1), date(9999, 12, 31)))
@example(moment=FOLD, zone="Europe/Berlin", born=date(2000, 2, 29))
def test_a_time_arrives_to_the_microsecond_in_the_queries_zone(
    request: pytest.FixtureRequest, name: str, moment: datetime, zone: str, born: date
) -> None:
    times(request.getfixturevalue(name), moment, zone, born)


BERLIN = ZoneInfo("Europe/Berlin")
AT_EDGES: dict[object, datetime] = {
    "2026-03-29T00:59:59.999Z": datetime(2026, 3, 29, 0, 59, 59, 999_000, UTC),
    "2026-03-29T01:00:00.001Z": datetime(2026, 3, 29, 1, 0, 0, 1_000, UTC),
    "2026-10-25T00:30:00.5Z": datetime(2026, 10, 25, 0, 30, 0, 500_000, UTC),
    "2026-10-25T01:30:00.5Z": datetime(2026, 10, 25, 1, 30, 0, 500_000, UTC),
    "2026-10-25T02:30:00.123456+02:00": datetime(2026, 10, 25, 0, 30, 0, 123_456, UTC),
    "2025-12-31T23:59:59.999-00:30": datetime(2026, 1, 1, 0, 29, 59, 999_000, UTC),
    "1893-03-31T23:06:32.25Z": datetime(1893, 3, 31, 23, 6, 32, 250_000, UTC),
    "9999-12-31T22:59:59.999Z": datetime(9999, 12, 31, 22, 59, 59, 999_000, UTC),
    "1774745999.999": datetime(2026, 3, 29, 0, 59, 59, 999_000, UTC),
    "1774746000.001": datetime(2026, 3, 29, 1, 0, 0, 1_000, UTC),
    "-0.001": datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC),
}
"""Written in Berlin's time: around both changes of the clock, the year, the first hour that is no place's own mean time
(whose offset has seconds, which PostgreSQL does not read without colons), 1970, and the last year. Those without a T
are numbers, of seconds."""


@pytest.mark.parametrize("name", ["postgresql", "mariadb", "sqlite"])
def test_a_date_beside_an_edge_of_its_zone_arrives_to_the_millisecond(
    request: pytest.FixtureRequest, name: str
) -> None:
    server: Server = request.getfixturevalue(name)
    offset = "%z" if server.dialect == "postgresql" else ""  # else nobody could tell the two half past twos apart
    query = compiled(
        "INSERT INTO t (n, w) VALUES {for $i, $x = $batch}({$i}, '{date $x.at \"%F %T.%f"
        + offset
        + "\"}'){autocomma}{end}",
        server.dialect,
        timezone="Europe/Berlin",
    )
    given = [{"K": "k", "at": text if "T" in str(text) else Numeral(str(text))} for text in AT_EDGES]
    server.transact("DELETE FROM t", *rendered(query, given))
    for (found,), moment in zip(server.rows("w"), AT_EDGES.values(), strict=True):
        local = moment.astimezone(BERLIN).replace(tzinfo=None)
        expected = {"postgresql": moment, "mysql": local, "sqlite": local.isoformat(" ", "microseconds")}
        assert found == expected[server.dialect]


@pytest.mark.parametrize("beyond", ["9999-12-31T23:00:00Z", 1_774_745_999_999, "0001-01-01T00:00:00+01:00"])
def test_a_date_beyond_the_last_edge_is_its_profiles_fault(beyond: object) -> None:
    """Milliseconds for seconds among them."""
    query = compiled(
        "INSERT INTO t (w) VALUES {for $x = $batch}('{date $x.at \"%F\"}'){autocomma}{end}",
        "mysql",
        timezone="Europe/Berlin",
    )
    with pytest.raises(BadRows, match="1 and 9999"):
        rendered(query, [{"K": "k", "at": beyond}])
