"""How long a source is waited for: as long as its members come, and neither for ever nor in silence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from workers.connectors.sql import listing
from workers.errors import ErrorClass, TargetError
from workers.lanes.runs import ReadingLost
from workers.resync import patience, work
from workers.resync.feed import FeedSource
from workers.resync.places import Apart
from workers.resync.profiles import UnfitSource
from workers.resync.reader import ResyncReader
from workers.resync.source import MemberSource
from workers.resync.work import while_wanted
from workers.settings.feeds import FeedSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from workers.connectors.sql.listing import Page


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    for module in (patience, listing, work):
        monkeypatch.setattr(module, "time", found)
    return found


def feed(chunks: Callable[[], Iterator[bytes]], *, first: int | None = None, timeout: float = 60.0) -> FeedSource:
    settings = FeedSettings("main", "x", {}, (), first, 5_000, 0.0, timeout)
    return FeedSource(settings, lambda *_: cast("Any", chunks()))


@pytest.mark.parametrize("first", [0, None])
def test_a_reader_says_that_it_goes_on_whenever_something_comes(first: int | None) -> None:
    """A thousand members of a slow source take longer than a lease, and a page of them as well."""
    said: list[int] = []
    pages = iter([[b'{"_id": 1}\n', b'{"_id": 2}\n', b'{"end": true, "count": 2}'], [b"[]"]])
    found = feed(lambda: (chunk for chunk in next(pages)), first=first)
    assert [each for page in found.members(keep=lambda: said.append(1)) for each in page.ids] == [1, 2]
    assert len(said) == (4 if first == 0 else 3)


@pytest.mark.parametrize("timeout", [60.0, 1_000.0])
def test_a_source_that_says_something_and_gives_no_member_is_given_up(clock: Clock, timeout: float) -> None:
    longest = max(timeout, listing.SILENT_SECONDS)

    def blanks() -> Iterator[bytes]:
        yield b'{"_id": 1}\n'
        while clock.now < 100_000:
            clock.now += 50.0
            yield b"\n"

    with pytest.raises(
        UnfitSource, match=rf"source 'main' has given no new member for {longest:g} s, after 1; expected"
    ):
        list(feed(blanks, timeout=timeout).everything())
    assert clock.now <= 1_000 + longest + 50.0


def test_pages_without_members_that_name_another_one_are_given_up(clock: Clock) -> None:
    def empty(_: Any, links: Any) -> Any:
        clock.now += 50.0
        links.next = f"page {clock.now}"
        yield b"[]"

    source = FeedSource(FeedSettings("main", "x", {}, (), None, 5_000, 0.0, 60.0), empty)
    with pytest.raises(UnfitSource, match="has given no new member for 300 s"):
        list(source.everything())


def test_a_slow_source_whose_members_come_is_waited_for(clock: Clock) -> None:
    def slow() -> Iterator[bytes]:
        for number in range(40):
            clock.now += 200.0
            yield b'{"_id": %d}\n' % number
        yield b'{"end": true, "count": 40}'

    assert sum(len(page.ids) for page in feed(slow).everything()) == 40


def test_no_reading_takes_longer_than_a_day(clock: Clock) -> None:
    def endless() -> Iterator[bytes]:
        number = 0
        while clock.now < 10**6:
            clock.now += 100.0
            yield b'{"_id": %d}\n' % (number := number + 1)

    with pytest.raises(UnfitSource, match="source 'main' has not come to its end within a day"):
        list(feed(endless).everything())
    assert clock.now < 1_000 + patience.LONGEST_READING + 200.0


class Stalling:
    """A database that gives a row, and then nothing for so long that its server is given up."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def pages(self, _: str) -> Iterator[Page]:
        yield listing.Page(("_id",), [(1,)])
        self.clock.now += listing.SILENT_SECONDS
        raise TargetError(ErrorClass.RETRY, "postgresql 57014", "the statement took too long")

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("first", [0, ""])
def test_a_database_that_gives_nothing_more_is_no_source(clock: Clock, first: int | str) -> None:
    """It would be tried again five times, and its lane stand for as long."""
    members = SimpleNamespace(render=lambda *_: ["SELECT"])
    settings = SimpleNamespace(key="main", first=first, rows=10, members=members, fresh="")
    source = MemberSource(cast("Any", settings), "7", lambda: cast("Any", Stalling(clock)))
    with pytest.raises(UnfitSource, match="source 'main' has given no new member for 300 s, after 1"):
        list(source.everything())


def test_rows_that_come_slowly_are_handed_on_before_a_page_is_full(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page is a word that the reader goes on; and what was fast may become slow."""
    monkeypatch.setattr(listing, "PAGE", 1_000)
    left = 4_000
    asked: list[int] = []

    def more(size: int) -> list[tuple[int]]:
        nonlocal left
        some = min(size, left)
        asked.append(size)
        clock.now += some * (0.0001 if left > 2_000 else 0.5)
        left -= some
        return [(1,)] * some

    pages = [len(page.rows) for page in listing.paged(["_id"], more)]
    assert sum(pages) == 4_000
    assert pages[:2] == [1_000, 1_000]
    assert asked[:3] == [1, 999, 1_000], "to know how fast it is takes one row"
    assert max(pages[3:]) <= 3


def test_a_list_without_rows_has_one_page() -> None:
    assert list(listing.paged(["_id"], lambda _: [])) == [(("_id",), [])]


def lanes(*, cancelled: bool = False) -> Any:
    redis = SimpleNamespace(hexists=lambda *_: cancelled, hmget=lambda *_: (b"marked", b"resync.main.2 me"))
    keys = SimpleNamespace(run=str)
    return SimpleNamespace(redis=redis, keys=keys, keep_lease=lambda *_: True, _call=print)


@pytest.mark.parametrize(("timeout", "granted"), [(60.0, 0.0), (1_000.0, 700.0)])
def test_a_source_that_may_be_silent_for_long_keeps_its_reader(timeout: float, granted: float) -> None:
    """While nothing comes nobody says anything: the lease goes on by itself for as long as the file allows."""
    assert patience.granted(FeedSettings("main", "x", {}, (), None, 5_000, 0.0, timeout)) == granted
    held: Any = SimpleNamespace(name="resync.main.2", owner="me", began=0.0)
    settings = FeedSettings("main", "x", {}, (), None, 5_000, 0.0, timeout)
    at = SimpleNamespace(settings=settings, run=SimpleNamespace(id="1"))
    Apart(cast("Any", at), held).keeper(lanes())()
    apart = held.began

    reader = ResyncReader(lanes(), held, cast("Any", None), cast("Any", None), cast("Any", None), cast("Any", None))
    reader._keep(granted)
    assert held.began - apart < 60.0
    reader._keep()
    assert apart - held.began > granted - 60.0


def test_a_reading_ends_where_its_run_is_cancelled(clock: Clock) -> None:
    looks: list[object] = []
    for cancelled in (False, True):
        place = lanes(cancelled=cancelled)
        runs = SimpleNamespace(look=lambda *given: looks.append(given))
        of = SimpleNamespace(redis=place.redis, keys=place.keys, run=SimpleNamespace(id="1"), runs=runs, keep=int)
        keep = while_wanted(cast("Any", of))
        keep()
        clock.now += work.LOOK_SECONDS
        if cancelled:
            with pytest.raises(ReadingLost, match="over"):
                keep()
        else:
            keep()
    assert looks == [("1", 0)], "so that it is ended at once"
