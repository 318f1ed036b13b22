"""Members that a source tells by itself, as JSON: what is a whole answer, and what is none (rule 46). Pure.

An answer is a JSON array of profiles, or a line for each and then one that proves the end: {"end": true, "count": n}.
"""

from __future__ import annotations

from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import msgspec

from workers.connectors.sql.listing import SILENT_SECONDS
from workers.errors import ErrorClass, Phase, TargetError
from workers.events.profiles import profile, sorted_out
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
LONGEST_LINE = 8 * 2**20
"""Bytes of a profile: no event could have a longer one."""
LONGEST_ARRAY = 64 * 2**20
"""Bytes of an array, which is read as a whole; lines have no such limit."""

_profiles = msgspec.json.Decoder(list[msgspec.Raw]).decode
_line = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_whole = msgspec.json.Decoder(object).decode
END = {"end", "count"}


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
                yield from _members(self._ask(None, links), patience)
            return
        place: Id = after if after is not None else first
        ends: set[Id] = set()
        while True:
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
        found = patience.counted(entries(patience.each(chunks)))
        while batch := list(islice(found, AT_ONCE)):
            yield _judged(batch)


def _judged(bodies: list[bytes]) -> FeedMembers:
    good, bad = sorted_out(bodies)
    if bad:
        raise UnfitSource(f"a member is no profile: {bad[0].reason}")
    found = [body for _, _, body in good]
    return FeedMembers([_id_of(body) for body in found], found)


def _id_of(body: bytes) -> Id:
    value = profile(body)[ID]
    return value if type(value) is int else str(value)


def entries(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The JSON of each profile of one answer. What is cut off, at whatever byte, raises TargetError (RETRY)."""
    coming = iter(chunks)
    start = b""
    for chunk in coming:
        start = (start + chunk).lstrip()
        if start:
            break
    if start.startswith(b"["):
        yield from _array(start, coming)
    elif start.startswith(b"{"):
        yield from _lines(start, coming)
    elif start:
        raise UnfitSource("its answer is neither a JSON array nor lines of JSON objects")
    else:
        _cut_off("its answer is empty")


def _array(start: bytes, coming: Iterator[bytes]) -> Iterator[bytes]:
    held = bytearray(start)
    for chunk in coming:
        held += chunk
        if len(held) > LONGEST_ARRAY:
            raise UnfitSource(
                f"its array is longer than {LONGEST_ARRAY // 2**20} MiB; expected pages, or a line for each member"
            )
    try:
        found = _profiles(held)  # which stay where they are: a copy would take as much again
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        _cut_off("its array does not end with ], or is no JSON")
    yield from map(bytes, found)


def _lines(start: bytes, coming: Iterator[bytes]) -> Iterator[bytes]:
    count, ended = 0, False
    for line in _split(start, coming):
        if ended:
            raise UnfitSource("something follows the line that ends its answer; expected nothing")
        try:
            found = _line(line)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            _cut_off(f"line {count + 1:,} of its answer is no JSON object")
        if found.keys() == END and bytes(found["end"]) == b"true":
            ended = True
            if bytes(found["count"]) != str(count).encode():
                _cut_off(f"its answer had {count:,} members, and its end says another number")
        else:
            count += 1
            yield line
    if not ended:
        _cut_off('its answer ended without a last line {"end": true, "count": n}')


def _split(start: bytes, coming: Iterator[bytes]) -> Iterator[bytes]:
    """Lines, without their ends, but blank ones."""
    rest = start
    while True:
        *lines, rest = rest.split(b"\n")
        yield from (line for line in lines if line.strip())
        if len(rest) > LONGEST_LINE:
            raise UnfitSource(f"a line is longer than {LONGEST_LINE // 2**20} MiB; expected a line for each member")
        chunk = next(coming, None)
        if chunk is None:
            break
        rest += chunk
    if rest.strip():
        yield rest


def _cut_off(what: str) -> NoReturn:
    raise TargetError(ErrorClass.RETRY, "source answer", what, phase=Phase.EXECUTE) from None
