"""Reading a segment's members from a profile database (rule 46)."""

from __future__ import annotations

from contextlib import closing
from operator import lt
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from workers.connectors.sql.page_plan import UNKNOWN, AskedPage
from workers.connectors.sql.vendors import VENDORS
from workers.errors import TargetError
from workers.resync.age import age_by, believe
from workers.resync.patience import Patience, alone
from workers.resync.profiles import ID, Shaper, UnfitSource
from workers.templates import Row, SegmentView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from workers.connectors.sql.listing import Lister
    from workers.connectors.sql.page_plan import PagePlan
    from workers.delivery.key_folding import Key
    from workers.resync.age import Judge
    from workers.resync.patience import Keep
    from workers.settings.sources import SourceSettings

Id = int | str
NO_ORDER = "its pages are not in the order of `_id`; expected `> {after}`, and ORDER BY that column"
TWICE = (
    "it gives one `_id` twice; expected each member once (a JOIN may repeat them: join what has one row for each, or "
    "take DISTINCT)"
)
ALL_ROWS = 2**31 - 1
"""What `{limit}` is where all members are asked for at once: the greatest number that every database takes there."""
LEAST = -(2**63) + 1
"""`{after}` before every number: one less would be too great to databases that read the sign by itself."""


class Members(NamedTuple):
    """Some members.

    ids  their `_id`s; the last one is where the next page begins
    """

    ids: list[Id]
    rows: list[tuple[Any, ...]]
    shaper: Shaper

    def profiles(self) -> list[bytes]:
        """Their JSON."""
        return [self.shaper.profile_of(row) for row in self.rows]

    def keys(self, fields: tuple[str, ...]) -> list[Key | None]:
        """Their keys, None for each that is not usable."""
        return self.shaper.keys_of(self.rows, fields)

    def lacks(self, fields: Iterable[str]) -> list[str]:
        """Fields for which there is no column."""
        return self.shaper.lacks(fields)


class FirstPage(NamedTuple):
    """What a source gives first: columns, some `_id`s, and what the database's plan says of a page's cost."""

    columns: tuple[str, ...]
    ids: list[Id]
    plan: PagePlan


class SomeMembers(Protocol):
    """Some members, wherever they come from."""

    @property
    def ids(self) -> list[Id]:
        """Their `_id`s; the last one is where the next page begins."""

    def profiles(self) -> list[bytes]:
        """Their JSON."""

    def keys(self, fields: tuple[str, ...]) -> list[Key | None]:
        """Their keys, None for each that is not usable."""

    def lacks(self, fields: Iterable[str]) -> list[str]:
        """Those of these top-level fields that no member can have, whoever it is."""


class Membership(Protocol):
    """One segment's members, as they are now.

    keep  called while something comes: says that the reader goes on, or raises where it must not
    """

    @property
    def paged(self) -> bool:
        """Whether it comes in the order of numbers: none stands there twice, and a reading can go on after any."""

    @property
    def may_skip(self) -> bool:
        """Whether it comes in pages of texts, whose order nothing proves: some members may have been passed over."""

    def everything(self, keep: Keep = alone) -> Iterator[SomeMembers]:
        """All members to their proven end, to be compared. TargetError and UnfitSource, also after some."""

    def members(self, after: Id | None = None, keep: Keep = alone) -> Iterator[SomeMembers]:
        """Those behind `after`, or all, in pages where there are any; else as `everything`."""

    def age(self) -> float:
        """Seconds that the source is behind; TargetError and UnfitSource."""


class MemberSource:
    """One segment's members, as the source has them now.

    open_lister  a new session with the source; raises only TargetError
    judge        handed what tells how old that is which a session gives: raises where it is not to be read
    """

    def __init__(
        self, settings: SourceSettings, segment: str, open_lister: Callable[[], Lister], judge: Judge = believe
    ) -> None:
        self._settings = settings
        self._segment = SegmentView(segment, None, 0, 0)
        self._open = open_lister
        self._judge = judge

    @property
    def paged(self) -> bool:
        """As `Membership.paged`. Texts have as many orders as there are collations: pages of them may skip members."""
        return isinstance(self._settings.first, int)

    @property
    def may_skip(self) -> bool:
        """Never: what is not in the order of numbers comes in one statement."""
        return False

    def everything(self, keep: Keep = alone) -> Iterator[Members]:
        """All members to their end, to be compared. TargetError and UnfitSource, also after some."""
        first, patience = self._settings.first, Patience(self._settings.key, keep)
        if isinstance(first, int):
            for page in self._in_pages(_Pages(LEAST, None), patience):
                check_first(first, page.ids[0])
                yield page
            return
        with closing(self._session()) as lister:
            yield from _shaped(lister, self._statement(first, ALL_ROWS), patience)

    def members(self, after: Id | None = None, keep: Keep = alone) -> Iterator[Members]:
        """The members behind `after`, or all of them, to the end. TargetError and UnfitSource, also after some."""
        if isinstance(self._settings.first, int):
            yield from self._in_pages(_Pages(self._settings.first, after), Patience(self._settings.key, keep))
        else:
            yield from self.everything(keep)

    def _in_pages(self, pages: _Pages, patience: Patience) -> Iterator[Members]:
        """To the end. No page is empty.

        A page begins with the last member of the one before: an `_id` that stands there twice would else be split
        between the two, and lost. A page that is not full proves no end, since the query may limit rows that it drops
        afterwards, as a JOIN does: behind it is asked without a limit, and only where that gives no more is the end.
        """
        lister, short = self._session(), False
        try:
            while True:
                limit = ALL_ROWS if short else self._settings.rows + pages.repeats
                page, whole = _some(lister, self._statement(pages.place, limit), self._settings.rows, patience)
                if not whole:
                    lister.close()
                    lister = self._session()
                known = pages.take(page.ids)
                if len(page.ids) > known:
                    yield Members(page.ids[known:], page.rows[known:], page.shaper)
                if short and whole:
                    return
                short = whole and len(page.ids) < limit
        finally:
            lister.close()

    def look(self) -> FirstPage:
        """The first page, and how the database finds it; TargetError and UnfitSource."""
        lister = self._open()
        try:
            statement = self._statement(self._settings.first, self._settings.rows)
            plan = self._plan(lister, statement)
            page = next(iter(lister.pages(statement)))
            shaper = Shaper(page.columns)
            return FirstPage(page.columns, shaper.ids_of(page.rows), plan)
        finally:
            lister.close()

    def _plan(self, lister: Lister, statement: str) -> PagePlan:
        settings = self._settings
        asks = VENDORS[settings.address.dialect].explain
        if asks is None:
            return UNKNOWN
        rows = [row for page in lister.pages(asks.words + statement) for row in page.rows]
        asked = AskedPage(self._segment.id, str(settings.first), settings.rows)
        return asks.read([" ".join(map(str, row)) for row in rows], asked)

    def age(self) -> float:
        """Seconds that the source is behind, as its query `fresh` says; TargetError and UnfitSource."""
        with closing(self._open()) as lister:
            return age_by(lister, self._settings.fresh)

    def _session(self) -> Lister:
        """A new one to read in, which is as new itself as it has to be: one address may lead to several servers."""
        lister = self._open()
        try:
            if self._settings.fresh:
                self._judge(lambda: age_by(lister, self._settings.fresh))
        except BaseException:
            lister.close()
            raise
        return lister

    def _statement(self, after: Id | None, limit: int) -> str:
        row = Row({} if after is None else {"after": after, "limit": limit}, 0, 0)
        statements = self._settings.members.render([row], self._segment)
        if len(statements) != 1:
            raise UnfitSource(f"its members come in {len(statements)} statements; expected one")
        return statements[0]


class _Pages:
    """Where the next page begins, and whether what came is one.

    repeats  whether that is to begin with the last member once more
    """

    def __init__(self, first: int, after: Id | None) -> None:
        self.repeats = isinstance(after, int)
        self._last: Id = after if isinstance(after, int) else first

    @property
    def place(self) -> Id:
        """`{after}` of the next page."""
        return self._last - 1 if self.repeats and isinstance(self._last, int) else self._last

    def take(self, ids: list[Id]) -> int:
        """How many of a page's first ids were in the page before: one or none. UnfitSource where it is no page."""
        known = 1 if self.repeats and ids and ids[0] == self._last else 0
        if ids[known:]:
            self._last = next_place(self._last, ids[known:])
            self.repeats = True
        return known


def check_first(first: int, smallest: Id) -> None:
    """UnfitSource where a member is at or below `first`: it is on no page. Its `_id` is not told: it is a person's."""
    if isinstance(smallest, int) and smallest <= first:
        raise UnfitSource(
            f"a member's `_id` is at or below `first`, which is {first}: no page gives it when members are told; "
            "expected `first` to be below every `_id`"
        )


def next_place(place: Id, ids: list[Id]) -> Id:
    """Where the next page begins; UnfitSource where the query does not page by `_id`."""
    if isinstance(place, int):
        numbers = [each for each in ids if type(each) is int]
        if len(numbers) == len(ids) and all(map(lt, [place, *numbers], numbers)):
            return numbers[-1]  # as nearly all are, at a tenth of the time
    for each in ids:
        if type(each) is not type(place):
            kind = "a number" if isinstance(each, int) else "a text"
            raise UnfitSource(f"a member's `_id` is {kind}, and `first` is not; expected both to be of one kind")
        if each == place:
            raise UnfitSource(TWICE)
        if isinstance(each, int) and isinstance(place, int) and each < place:
            raise UnfitSource(NO_ORDER)
        place = each
    return place


def _shaped(lister: Lister, statement: str, patience: Patience) -> Iterator[Members]:
    shaper = None
    try:
        for page in lister.pages(statement):
            patience.members += len(page.rows)
            patience.heard()
            shaper = shaper or Shaper(page.columns)
            yield Members(shaper.ids_of(page.rows), list(page.rows), shaper)
    except TargetError:
        patience.check()  # of a server that has been given up for its silence the source's own sentence says more
        raise


def _some(lister: Lister, statement: str, most: int, patience: Patience) -> tuple[Members, bool]:
    """What a statement gives first, little more than `most`, and whether that is all; else the session is to end."""
    ids: list[Id] = []
    rows: list[tuple[Any, ...]] = []
    shaper = None
    for page in _shaped(lister, statement, patience):
        ids += page.ids
        rows += page.rows
        shaper = page.shaper
        if len(ids) > most + 1:
            return Members(ids, rows, shaper), False
    return Members(ids, rows, shaper or Shaper([ID])), True
