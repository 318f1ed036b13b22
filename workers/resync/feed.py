"""Members that a source tells by itself: answers, page by page, to their end (rule 46). Pure."""

from __future__ import annotations

from contextlib import closing, contextmanager
from itertools import count, islice
from typing import TYPE_CHECKING, NamedTuple

from workers.connectors.sql.listing import SILENT_SECONDS
from workers.errors import TargetError
from workers.events.profiles import profile, sorted_out
from workers.resync.feed_answer import check_text, entries
from workers.resync.feed_links import Links
from workers.resync.patience import Patience, alone
from workers.resync.profiles import ID, UnfitSource, key_in
from workers.resync.source import NO_ORDER, Id, check_first, next_place

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from workers.delivery.key_folding import Key
    from workers.resync.patience import Keep
    from workers.settings.feeds import FeedSettings

    Ask = Callable[[Id | None, Links], Generator[bytes]]

AT_ONCE = 1_000
"""Members that are handed on together."""
LEAST_ASKED = -(2**31)
"""`{after}` that is before every number that a platform is likely to have, and fits into what it may read it into."""


class FeedMembers(NamedTuple):
    """Some members, as `source.Members`."""

    ids: list[Id]
    bodies: list[bytes]

    def profiles(self) -> list[bytes]:
        """Their JSON."""
        return self.bodies

    def keys(self, fields: tuple[str, ...]) -> list[Key | None]:
        """Their keys, None for each that is not usable."""
        return [key_in(body, fields) for body in self.bodies]

    def lacks(self, _fields: Iterable[str]) -> list[str]:
        """None: each says by itself what it has, and may leave out what it has not."""
        return []


class FeedSource:
    """One segment's members, as a source tells them now.

    ask  gives the bytes of the answer behind an `_id` (None: all), or at a link, as they come, and notes the next
         link; TargetError and UnfitSource
    """

    def __init__(self, settings: FeedSettings, ask: Ask) -> None:
        self._settings = settings
        self._ask = ask

    @property
    def paged(self) -> bool:
        """As `Membership.paged`."""
        return isinstance(self._settings.first, int)

    @property
    def may_skip(self) -> bool:
        """As `Membership.may_skip`: where `>` and the pages have two orders, nothing tells who stands between."""
        return isinstance(self._settings.first, str)

    def everything(self, keep: Keep = alone) -> Iterator[FeedMembers]:
        """As `MemberSource.everything`: what gives pages is asked for them, and once for what no page may give."""
        if isinstance(self._settings.first, int):
            self._look_below(self._settings.first, self._patience(keep))
        yield from self.members(keep=keep)

    def members(self, after: Id | None = None, keep: Keep = alone) -> Iterator[FeedMembers]:
        """As `MemberSource.members`. The last page is an empty one: a source may give fewer than were asked for."""
        first, patience = self._settings.first, self._patience(keep)
        if first is None:
            links = Links()
            yield from _members(self._ask(None, links), patience)
            while links.go_on():
                with _placed(f"on page {links.page:,} by its links"):
                    yield from _members(self._ask(None, links), patience)
            return
        place: Id = after if after is not None else first
        ends: set[Id] = set()
        for number in count(1):
            # Not by the `_id` that it begins behind: that is a person's, and what a run says is kept, and seen by many.
            with _placed(f"on page {number:,} of this reading"):
                page = self._page(place, patience)
                if not page.ids:
                    return
                place = next_place(place, page.ids)
                if place in ends:
                    raise UnfitSource(NO_ORDER)
            ends.add(place)
            yield page

    def _patience(self, keep: Keep) -> Patience:
        return Patience(self._settings.key, keep, max(SILENT_SECONDS, self._settings.timeout))

    def _page(self, place: Id, patience: Patience) -> FeedMembers:
        page = FeedMembers([], [])
        with closing(_members(self._ask(place, Links()), patience)) as read:
            for some in read:
                page.ids.extend(some.ids)
                page.bodies.extend(some.bodies)
                # Now, and not at its end: who is not asked for a page gives all members, which fit into no memory.
                if len(page.ids) > self._settings.rows:
                    raise UnfitSource(
                        f"a page has {len(page.ids):,} members, or more; expected {{limit}}, {self._settings.rows:,}, "
                        "at most"
                    )
        return page

    def _look_below(self, first: int, patience: Patience) -> None:
        """UnfitSource where a member stands before the first page; what refuses to look there tells nothing."""
        if first < LEAST_ASKED:
            return
        try:
            with closing(_members(self._ask(LEAST_ASKED, Links()), patience)) as read:
                some = next(read, None)
        except (TargetError, UnfitSource):
            return
        numbers = [each for each in (some.ids if some else ()) if isinstance(each, int)]
        if numbers:
            check_first(first, min(numbers))

    def age(self) -> float:
        """Nothing tells; `delay` is waited."""
        return self._settings.delay


def _members(chunks: Generator[bytes], patience: Patience) -> Generator[FeedMembers]:
    """The members of one answer, to its proven end; TargetError and UnfitSource, also after some."""
    with closing(chunks):
        found, before = patience.counted(entries(patience.each(chunks))), 0
        while batch := list(islice(found, AT_ONCE)):
            yield _judged(batch, before)
            before += len(batch)


def _judged(bodies: list[bytes], before: int) -> FeedMembers:
    """As members, if all are; `before` is how many of the same answer came before."""
    try:
        good, bad = sorted_out(bodies)
    except UnicodeDecodeError:
        for number, body in enumerate(bodies, before + 1):
            check_text(body, f"member {number:,} of its answer")
        raise
    if bad:
        reason = bad[0].reason.partition("]")[2].lstrip(". ")
        raise UnfitSource(f"member {before + bad[0].index + 1:,} of its answer is no profile: {reason}")
    found = [body for _, _, body in good]
    return FeedMembers([_id_of(body) for body in found], found)


@contextmanager
def _placed(where: str) -> Iterator[None]:
    """What is wrong is told with its place."""
    try:
        yield
    except UnfitSource as error:
        raise UnfitSource(f"{error} ({where})") from None


def _id_of(body: bytes) -> Id:
    value = profile(body)[ID]
    return value if type(value) is int else str(value)
