"""Reading members: what is a list, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from workers.connectors.sql.listing import Page
from workers.errors import ErrorClass, TargetError
from workers.resync.profiles import Shaper, UnfitSource, key_in, profile_of_key
from workers.resync.source import MemberSource
from workers.settings.database_url import DatabaseAddress
from workers.settings.sources import SourceSettings
from workers.templates import QueryKind, compile_query

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = DatabaseAddress("sources.main", Path(), "sqlite:///s.db", None, None, "sqlite")


class Listing:
    """Gives pages, one statement after the other, and then perhaps an error."""

    def __init__(self, *statements: list[Any], error: TargetError | None = None) -> None:
        self.statements = list(statements)
        self.asked: list[str] = []
        self.error = error
        self.closed = 0

    def pages(self, statement: str) -> Iterator[Page]:
        self.asked.append(statement)
        yield Page(("_id",), [(each,) for each in self.statements.pop(0)])
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.closed += 1


def source(listing: Listing, *, first: int | str | None = 0) -> MemberSource:
    text = "SELECT id AS _id FROM m WHERE s = {segment_id}" + (
        " AND id > {lead.after} LIMIT {lead.limit}" if first is not None else ""
    )
    members = compile_query(text, dialect="sqlite", kind=QueryKind.REMOVE, batch=False)
    settings = SourceSettings("main", ADDRESS, members, first, 2, "SELECT age", 0.0)
    return MemberSource(settings, "7", lambda: listing)


def ids(found: MemberSource, after: int | str | None = None) -> list[int | str]:
    return [each for page in found.members(after) for each in page.ids]


def test_pages_are_read_until_one_is_not_full_and_nothing_is_behind_it() -> None:
    listing = Listing([1, 2], [2, 3, 4], [4], [4])
    assert ids(source(listing)) == [1, 2, 3, 4]
    asked = [each.rpartition("> ")[2] for each in listing.asked]
    assert asked == ["0 LIMIT 2", "1 LIMIT 3", "3 LIMIT 3", "3 LIMIT 2147483647"]
    assert listing.closed == 1


def test_a_reading_goes_on_behind_a_member() -> None:
    listing = Listing([2, 3], [3])
    assert ids(source(listing), 2) == [3]
    assert listing.asked[0].endswith("id > 1 LIMIT 3")


def test_a_page_whose_first_member_has_left_meanwhile_is_one() -> None:
    assert ids(source(Listing([1, 2], [3, 4, 5], [], []))) == [1, 2, 3, 4, 5]


def test_a_member_that_stands_on_both_sides_of_a_page_is_seen() -> None:
    """Behind `> 2` the second one would be skipped, and lose its row."""
    with pytest.raises(UnfitSource, match="one `_id` twice"):
        ids(source(Listing([1, 2], [2, 2, 3])))


@pytest.mark.parametrize("short", [[], [1], [1, 4]])
def test_a_page_that_is_not_full_is_no_end_by_itself(short: list[Any]) -> None:
    """A JOIN behind the LIMIT drops rows: even a page of none may have members behind it."""
    rest = [5, 6, 7, 8, 9]
    listing = Listing(short, [*short[-1:], *rest], [9], [9])
    assert ids(source(listing)) == [*short, *rest]
    assert listing.closed == 2, "who stops in the middle of a list ends its session"


@pytest.mark.parametrize("smallest", [-1, 0])
def test_a_member_that_no_page_gives_is_told(smallest: int) -> None:
    """With `> 0` it would be no member, and its row removed."""
    listing = Listing([smallest, 1])
    with pytest.raises(UnfitSource, match="`_id` is at or below `first`, which is 0"):
        list(source(listing).everything())
    assert listing.asked[0].endswith("> (-9223372036854775807) LIMIT 2")
    assert [page.ids for page in source(Listing([1], [1], [1])).everything()] == [[1]]


def test_texts_come_in_one_statement() -> None:
    """Pages may skip some, where `>` has another collation than ORDER BY."""
    for read in ("everything", "members"):
        listing = Listing(["a", "c", "D"])
        found = source(listing, first="")
        assert [one for page in getattr(found, read)() for one in page.ids] == ["a", "c", "D"]
        assert (listing.asked[0].endswith("> '' LIMIT 2147483647"), found.paged) == (True, False)


@pytest.mark.parametrize("page", [[2, 1], [1, 1], [0, 1], ["a", "b"]])
def test_pages_that_do_not_rise_are_no_list(page: list[Any]) -> None:
    with pytest.raises(UnfitSource):
        ids(source(Listing(page, [])))


def test_what_breaks_off_is_no_end() -> None:
    listing = Listing([1, 2], error=TargetError(ErrorClass.RETRY, "sqlite gone", "the link is gone"))
    for first in (0, None):
        listing.statements = [[1]]
        with pytest.raises(TargetError):
            ids(source(listing, first=first))
    assert listing.closed == 2


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3, 3.0),
        (Decimal("1.5"), 1.5),
        (timedelta(minutes=1), 60.0),
        ("00:01:30.5", 90.5),
        (-0.5, 0.0),
        ("-00:00:01", 0.0),
    ],
)
def test_an_age_is_seconds_or_an_interval(value: object, seconds: float) -> None:
    assert source(Listing([value])).age() == seconds


def test_null_is_no_age() -> None:
    """A standby that has replayed nothing yet gives it: what it has may be as old as its base backup."""
    with pytest.raises(UnfitSource, match=r'`fresh` gives null.*delay = "0s"'):
        source(Listing([None])).age()


@pytest.mark.parametrize(
    "value", [-3600, timedelta(seconds=-2), "-00:00:02", Decimal("NaN"), float("nan"), float("inf"), float("-inf")]
)
def test_less_than_nothing_is_no_age(value: object) -> None:
    """The source's clock is behind, and how old its data is nobody can say: it would be taken for new."""
    with pytest.raises(UnfitSource, match=r"which is no age: expected 0 or more"):
        source(Listing([value])).age()


def test_rows_become_profiles() -> None:
    shaper = Shaper(["_id", "a.b", "a.c", "n", "t", "raw", "no"])
    when = datetime(2026, 11, 27, 12, tzinfo=UTC)
    body = shaper.profile_of((UUID(int=1), {"x": [1]}, None, Decimal("1.50"), when, b"\xff", "é"))
    assert body.decode() == (
        '{"_id":"00000000-0000-0000-0000-000000000001","a":{"b":{"x":[1]},"c":null},"n":1.50,'
        '"t":"2026-11-27T12:00:00Z","raw":"/w==","no":"é"}'
    )


def test_a_list_without_ids_is_none() -> None:
    with pytest.raises(UnfitSource, match="expected one that is named '_id'"):
        Shaper(["id"])
    with pytest.raises(UnfitSource, match="two columns"):
        Shaper(["_id", "a", "a"])
    with pytest.raises(UnfitSource, match="NoneType"):
        Shaper(["_id"]).id_of((None,))


def test_a_removal_has_its_key_and_nothing_else() -> None:
    body = profile_of_key(("A-17", "7"), ("CustomID", "ids.crm"), [("CustomID",), ("ids", "crm")])
    assert body == b'{"_id": "A-17", "CustomID": "A-17", "ids": {"crm": "7"}}'
    assert key_in(body, ("CustomID", "ids.crm")) == ("A-17", "7")


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("-Infinity"), float("nan")])
def test_a_number_that_json_has_not_leaves_its_member_one(value: object) -> None:
    """PostgreSQL's numeric has it: a profile that is no JSON would be told to nobody, and the run would say done."""
    body = Shaper(["_id", "k", "score"]).profile_of((1, "a", value))
    assert (body, key_in(body, ("k",))) == (b'{"_id":1,"k":"a","score":null}', ("a",))
