"""How much longer it takes where a value, or a query, is four times as long: about 4 where it is linear, 16 where not.

Lines of Python are counted in the tests; this is for what is done in C, patterns above all. Of each place the value
that grows most is shown. What takes less than a millisecond is too short to tell.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench.measuring import Ratio, compare, timed
from tests.unit.templates.rendering import compiled
from tests.unit.templates.test_bounds import MEGABYTE, PLACES, TEXTS, work
from tests.unit.templates.test_compile_growth import OTHERS, UNITS, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Pair = tuple[Callable[[], None], Callable[[], None]]

ROUNDS = 5
SHORT = 0.001


def ratios() -> Iterator[Ratio]:
    """Of values, of queries, and of a text in many levels of JSON."""
    for place in PLACES:
        queries = [compiled(place, dialect, batch=False) for dialect in ("mysql", "oracle", "mssql")]
        pairs = [(work(query, text(16_000)), work(query, text(4_000))) for query in queries for text in TEXTS]
        yield from _worst(f"four times the value: {place[:44]}", pairs)
    units = [*(("mysql", unit) for unit in UNITS), *OTHERS]
    queries_of = [[reading("SELECT " + unit * (n // len(unit)), to) for n in (8_000, 2_000)] for to, unit in units]
    yield from _worst("four times the query", [(long, short) for long, short in queries_of])
    json = compiled("SELECT {json lead.v}", "postgresql", batch=False)
    deep, flat = (work(json, _nested(levels)) for levels in (90, 1))
    yield compare("JSON: a text of 4 MiB in 90 levels, beside one", lambda: timed(deep), lambda: timed(flat), ROUNDS)


def _worst(what: str, pairs: Iterable[Pair]) -> Iterator[Ratio]:
    """Of those that take long enough to tell."""
    told = [(timed(long), timed(short), long, short) for long, short in pairs]
    found = [(more / max(less, SHORT), long, short) for more, less, long, short in told if more > SHORT]
    if found:
        _, long, short = max(found, key=lambda each: each[0])
        yield compare(what, lambda: timed(long), lambda: timed(short), ROUNDS)


def _nested(levels: int) -> object:
    value: object = "x" * 4 * MEGABYTE
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value
