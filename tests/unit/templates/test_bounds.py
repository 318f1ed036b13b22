"""No value takes more work than its length, however it is written, and none makes more of itself than that.

Lines of Python run are counted. Four times the length may take four times as many; what is quadratic takes sixteen
times. What is done in C has no steps to count: `make bench-parts BENCH=growth` compares times.
"""

from __future__ import annotations

import contextlib
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from tests.lines import lines
from tests.unit.templates.rendering import SEGMENT, bad_rows, compiled, rows
from workers.events.numerals import Numeral
from workers.templates import BadRows, Query, QueryKind

if TYPE_CHECKING:
    from collections.abc import Callable

ALL = ("mysql", "postgresql", "sqlite", "mssql", "oracle", "clickhouse")
MEGABYTE = 2**20

ALLOWED = 9
"""Times as much for four times the length: twice what is linear, and far below sixteen."""

EVERYTHING = (
    "SELECT {lead.v}, '{lead.v}', '-{lead.v}-', {lower lead.v}, {upper lead.v}, {trim lead.v}, {md5 lead.v},"
    " {sha256 lead.v}, {json lead.v}, {default lead.v 1}, {jsonpath lead.v '$.a' 'item'}, {lead.v = 5},"
    " {lead.v contains 'b'}, {segment_name}"
)
PLACES = [
    EVERYTHING,
    "SELECT {number lead.v}",
    "SELECT {date lead.v '%Y'}",
    "SELECT {lead.v < 'x'}",
    "SELECT {lead.v < 5}",
    "SELECT '{for $x = lead.v}{$x}{autocomma}{end}'",
    "SELECT {lead.v in lead.v}",
    "SELECT {jsonpath lead.v '$..a' 'array'}",
]
TEXTS: list[Callable[[int], object]] = [
    lambda n: "0" * n + "x",
    lambda n: "1" * n + "x",
    lambda n: "0" * n + "." + "0" * n + "x",
    lambda n: "1e" + "0" * n + "x",
    lambda n: " " * n + "x",
    lambda n: "'" * n,
    lambda n: "\\" * n,
    lambda n: "\\\n" * n,
    lambda n: "\u2019" * n,
    lambda n: "-" * n,
    lambda n: "\0" * n,
    lambda n: "2026-01-01T" * n,
    lambda n: ["a"] * (n // 20),
    lambda n: {str(i): "a" for i in range(n // 20)},
    lambda n: [["x" * n]],
]


def work(query: Query, value: object) -> Callable[[], None]:
    batch = rows({"v": value})

    def run() -> None:
        with contextlib.suppress(BadRows):
            query.render(batch, SEGMENT)

    return run


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place[:28])
@pytest.mark.parametrize("dialect", ["mysql", "oracle", "mssql"])
def test_four_times_the_length_takes_at_most_about_four_times_the_work(dialect: str, place: str) -> None:
    query = compiled(place, dialect, batch=False)
    for number, text in enumerate(TEXTS):
        short, long = (work(query, text(length)) for length in (2_000, 8_000))

        assert lines(long) <= ALLOWED * lines(short) + 1000, f"TEXTS[{number}]"


@pytest.mark.parametrize("listed", ['{batch_in "v"}', '{batch_in number "v"}'])
@pytest.mark.parametrize("dialect", ALL)
def test_a_list_s_values_four_times_as_long_take_at_most_about_four_times_the_work(dialect: str, listed: str) -> None:
    query = compiled(f"DELETE FROM t WHERE a IN ({listed})", dialect, QueryKind.REMOVE)
    for number, text in enumerate(TEXTS):
        short, long = (work(query, text(length)) for length in (500, 2_000))

        assert lines(long) <= ALLOWED * lines(short) + 1000, f"TEXTS[{number}]"


NUMBERS = [
    "1.2e-1000000000",
    "1.2e1000000000",
    "1e-9999999999999999999999",
    "0e1000000000",
    "1." + "1" * 900 + "e-300",
    "1.2345678901234567890e-1000000000",
]


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("place", [*PLACES, "SELECT {lead.v = 5}", "SELECT {lead.v < 5}", "SELECT {lead.v = lead.v}"])
def test_no_number_is_written_out_at_length(dialect: str, place: str) -> None:
    """Of `1.2e-1000000000`, written without its exponent, come two gigabytes."""
    query = compiled(place, dialect, batch=False)
    for number in NUMBERS:
        tracemalloc.start()
        try:
            work(query, Numeral(number))()
            work(query, number)()
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert peak < 4 * MEGABYTE, number


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("number", ["1e-400", "-1.5e-309", "1e400", "1e-99999999999999999999999"])
def test_what_no_double_holds_is_a_data_error(dialect: str, number: str) -> None:
    query = compiled("INSERT INTO t VALUES ({lead.a}, '{lead.a}')", dialect, batch=False)

    (error,) = bad_rows(query, {"a": Numeral(number)})

    assert (error.field, error.code) == ("a", "bad value")
    assert error.reason.startswith("expected a number ")


@pytest.mark.parametrize(
    ("spelled", "number"),
    [
        ("0", "0"),
        ("000", "0"),
        ("-000", "(-0)"),
        ("+007", "7"),
        ("00.50", "0.50"),
        ("-0010e5", "(-10e5)"),
        ("0" * 900 + "7", "7"),
    ],
)
def test_number_reads_what_spells_one(spelled: str, number: str) -> None:
    query = compiled("SELECT {number lead.a}", "postgresql", batch=False)

    assert query.render(rows({"a": spelled}), SEGMENT) == [f"SELECT {number}"]


@pytest.mark.parametrize("spelled", ["", " ", "-", "+", ".", ".5", "5.", "e5", "-e5", "5e", "--5", "0x7", "1_000", "٣"])
def test_number_reads_nothing_else(spelled: str) -> None:
    query = compiled("SELECT {number lead.a}", "postgresql", batch=False)

    assert bad_rows(query, {"a": spelled})[0].reason == "expected a number, got a text that spells none"


@pytest.mark.parametrize(
    ("dialect", "fine", "bent"),
    [
        ("mysql", "9" * 81, "9" * 82),
        ("mysql", "-" + "9" * 81, "-" + "9" * 82),
        ("mysql", "9" * 72 + ".5", "9" * 73 + ".5"),
        ("mysql", "1" * 15 + "e67", "1" * 82 + "e0"),
        ("mysql", "0." + "1" * 30, "0." + "1" * 31),
        ("mysql", "1.7976931348623157e308", "1.79769313486231571e308"),
        ("mssql", "1.7976931348623157e308", "1.79769313486231571e308"),
        ("mssql", "0.1234567890123456e0", "0.12345678901234567891e0"),
        ("oracle", "1e-130", "1e-131"),
        ("oracle", "9.9e125", "1e126"),
        ("oracle", "9" * 38, "9" * 39),
        ("oracle", "0." + "0" * 20 + "9" * 30, "1." + "9" * 38),
        ("oracle", "1." + "9" * 37 + "e20", "1." + "9" * 38 + "e20"),
        ("sqlite", "0.10", "0.1234567890123456789"),
        ("sqlite", "1e300", "123456789012345678.5"),
    ],
)
def test_a_number_that_the_server_would_bend_is_a_data_error(dialect: str, fine: str, bent: str) -> None:
    query = compiled("INSERT INTO t VALUES ({lead.a})", dialect, batch=False)
    values = [int(text) if text.lstrip("-").isdigit() else Numeral(text) for text in (fine, bent)]

    assert query.render(rows({"a": values[0]}), SEGMENT)
    assert "in quotes" in bad_rows(query, {"a": values[1]})[0].reason
    quoted = compiled("INSERT INTO t VALUES ('{lead.a}')", dialect, batch=False)
    assert bent in quoted.render(rows({"a": values[1]}), SEGMENT)[0]
