"""However many members there are, a reader needs no memory for each: what grows with them lies on disk.

What is counted is the most that is held at a time, with few and with several times as many.
"""

from __future__ import annotations

import sys
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pytest

from tests.unit.settings.files import CONNECTOR, integration, loaded
from workers.connectors.sql import listing
from workers.lanes.keys import Keys
from workers.resync import chosen, feed, feed_doors, keys_on_disk
from workers.resync.answering import PAGE as LINES_FOLLOW
from workers.resync.answering import answers_of
from workers.resync.chosen import Chosen
from workers.resync.feed import FeedSource
from workers.resync.feed_doors import ask
from workers.resync.planning import Planner
from workers.resync.source import ALL_ROWS, MemberSource
from workers.settings.database_url import DatabaseAddress
from workers.settings.feeds import FeedSettings
from workers.settings.sources import SourceSettings
from workers.templates import QueryKind, compile_query

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from workers.connectors.sql.listing import Page
    from workers.resync.source import Id, Membership

FEW, MORE = 800, 4_000
EACH: Final = 40
"""Bytes for each member that may be held: a key alone takes more, and a sixty-fourth of all keys is held at a time."""
ROWS: Final = 100
ADDRESS = DatabaseAddress("sources.main", Path(), "sqlite:///s.db", None, None, "sqlite")


@pytest.fixture(autouse=True)
def _small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys_on_disk, "BUFFERED", 500)
    monkeypatch.setattr(keys_on_disk, "fold_key_far", lambda key: key)  # which remembers some
    monkeypatch.setattr(chosen, "AT_ONCE", 500)
    monkeypatch.setattr(feed, "AT_ONCE", ROWS)
    monkeypatch.setattr(feed_doors, "CHUNK", 4_096)
    monkeypatch.setattr(listing, "PAGE", ROWS)
    monkeypatch.setattr(keys_on_disk, "AT_ONCE", ROWS)


class Series:
    """A database that makes up its rows as they are read: numbers behind a limit, in their order."""

    def __init__(self, many: int, columns: tuple[str, ...], key: Callable[[int], str]) -> None:
        self._many, self._columns, self._key = many, columns, key

    def pages(self, statement: str) -> Iterator[Page]:
        words = statement.split()
        after, limit = (int(word.strip("()")) for word in (words[-3], words[-1])) if "LIMIT" in words else (0, ALL_ROWS)
        numbers = iter(range(max(after, 0) + 1, min(self._many, max(after, 0) + limit) + 1))

        def more(size: int) -> list[tuple[Any, ...]]:
            rows = [(number, self._key(number)) for number in islice(numbers, size)]
            return rows if len(self._columns) > 1 else [(key,) for _, key in rows]

        return listing.paged(self._columns, more)

    def close(self) -> None:
        """Nothing is open."""


def key_of(number: int) -> str:
    return f"customer-{number}"


def of_database(many: int, *, paged: bool) -> Membership:
    text = "SELECT id AS _id FROM m WHERE s = {segment_id}" + (
        " AND id > {lead.after} LIMIT {lead.limit}" if paged else ""
    )
    members = compile_query(text, dialect="sqlite", kind=QueryKind.REMOVE, batch=False)
    settings = SourceSettings("main", ADDRESS, members, 0 if paged else None, ROWS, "", 0.0)
    return MemberSource(settings, "7", lambda: Series(many, ("_id", "CustomID"), key_of))


def line(number: int) -> bytes:
    return b'{"_id": %d, "CustomID": "customer-%d"}\n' % (number, number)


def end(many: int) -> bytes:
    return b'{"end": true, "count": %d}' % many


def over_http(many: int, *, paged: bool) -> Membership:
    def answer(after: Id | None, _: object) -> Generator[bytes]:
        first = max(0, int(after or 0)) + 1
        last = min(many, first + ROWS - 1) if paged else many
        yield from map(line, range(first, last + 1))
        yield end(max(0, last + 1 - first))

    return FeedSource(FeedSettings("main", "x", {}, (), 0 if paged else None, ROWS, 0.0, 1.0), answer)


def of_a_program(many: int) -> Membership:
    code = (
        "import sys\n"
        f'for n in range(1, {many} + 1): sys.stdout.write(\'{{"_id": %d, "CustomID": "customer-%d"}}\\n\' % (n, n))\n'
        f'print(\'{{"end": true, "count": {many}}}\')'
    )
    settings = FeedSettings("main", "", {}, (sys.executable, "-c", code), None, ROWS, 0.0, 60.0)
    return FeedSource(settings, lambda after, links: ask(settings, "7", after, links))


class Answering:
    """A Redis with somebody at its other end, who puts in a part as soon as one is taken."""

    def __init__(self, many: int) -> None:
        self._lines = iter(range(1, many + 1))
        self._end: Iterator[bytes] = iter((LINES_FOLLOW + end(many), b"."))

    def lpop(self, _: str) -> bytes | None:
        part = b"".join(map(line, islice(self._lines, ROWS)))
        return LINES_FOLLOW + part if part else next(self._end)

    def __getattr__(self, _: str) -> Any:
        return lambda *_args, **_named: None


def of_a_snapshot(many: int) -> Membership:
    return answers_of(cast("Any", Answering(many)), Keys("ns"), "1", "7", lambda: None)


SOURCES: dict[str, Callable[[int], Membership]] = {
    "pages of a database": lambda many: of_database(many, paged=True),
    "one statement of a database": lambda many: of_database(many, paged=False),
    "one answer": lambda many: over_http(many, paged=False),
    "pages of answers": lambda many: over_http(many, paged=True),
    "a program": of_a_program,
    "a snapshot": of_a_snapshot,
}


def needs_none(work: Callable[[int], None]) -> bool:
    """Whether many hold no more at the most than few, but for little; what else is at work may add to one look."""

    def peak(many: int) -> int:
        tracemalloc.start()
        try:
            work(many)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    work(FEW)  # what is made once is none of theirs
    return any(peak(MORE) - peak(FEW) < (MORE - FEW) * EACH for _ in range(2))


@pytest.fixture
def planned(tmp_path: Path) -> Callable[[Membership, Series], tuple[int, int]]:
    """What a plan finds of a source and a target: members, and rows of the target that are none's."""
    members = "members = 'SELECT client_id FROM member WHERE segment_id = {segment_id}'"
    settings = loaded(tmp_path, CONNECTOR, integration() + members)
    made = settings.integrations["vip"]

    def plan(source: Membership, target: Series) -> tuple[int, int]:
        planner = Planner(made, "7", lambda: target, lambda: None, spool=10**9)
        found = planner.plan(source, tmp_path / "run")
        return found.members, found.strays

    return plan


@pytest.mark.parametrize("kind", SOURCES)
def test_members_and_rows_are_compared_without_memory_for_each(
    planned: Callable[[Membership, Series], tuple[int, int]], kind: str
) -> None:
    """Wherever members come from; each is a row of the target, too."""

    def work(many: int) -> None:
        assert planned(SOURCES[kind](many), Series(many, ("client_id",), key_of)) == (many, 0)

    assert needs_none(work)


def test_a_target_that_gives_one_key_for_all_rows_needs_no_memory(
    planned: Callable[[Membership, Series], tuple[int, int]],
) -> None:
    """As where the query `members` names another column: all of them meet in one file."""

    def work(many: int) -> None:
        target = Series(many, ("client_id",), lambda _: "one and the same")
        assert planned(of_database(10, paged=True), target) == (10, 1)

    assert needs_none(work)


def test_rows_that_nobody_can_tell_apart_need_no_memory(
    planned: Callable[[Membership, Series], tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As dates, or texts in Chinese: all of them have one fold, and meet in one file."""
    monkeypatch.setattr(keys_on_disk, "fold_key_far", lambda _: ("a time",))

    def work(many: int) -> None:
        assert planned(of_database(10, paged=True), Series(many, ("client_id",), lambda n: f"day {n}")) == (10, 0)

    assert needs_none(work)


def test_members_of_a_table_that_repeats_a_key_are_chosen_without_memory_for_each(tmp_path: Path) -> None:
    """Only what is missing is told there; which these are was a set, of a hundred bytes for each."""

    def work(many: int) -> None:
        missing = tmp_path / f"{many}"
        missing.write_bytes(b"".join(map(line, range(many))))
        tracemalloc.reset_peak()
        missing.with_name(f"{many}-digests").unlink(missing_ok=True)
        with Chosen(missing, lambda: None) as found:
            assert line(many - 1).rstrip() in found
            assert line(many).rstrip() not in found

    assert needs_none(work)
