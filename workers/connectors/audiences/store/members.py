"""Who holds which identifier: rows, and no counters, so that nothing is counted twice or lost."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.store.inserting import insert_into
from workers.connectors.audiences.store.tables import (
    AS_BEFORE,
    GONE,
    REFUSED,
    STALE,
    STUCK,
    THERE,
    UNSURE,
    holdings,
    identifiers,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sqlalchemy import Connection

CHUNK = 400
"""Values in one IN: SQLite's older limit is 999 parameters in all."""


class Kept(NamedTuple):
    """An identifier as the store has it: the hash's bytes; of what goes plain a mark, and the value sealed."""

    kind: str
    value: bytes
    sealed: bytes | None


class Along(NamedTuple):
    """What is only sent along: sealed, with a mark by which a change is seen."""

    mark: bytes
    sealed: bytes

    @property
    def packed(self) -> bytes:
        """As it stands in the store."""
        return self.mark + self.sealed


MARK_BYTES = 16
"""Of what stands in `companions` before what is sealed."""


class Holds(NamedTuple):
    """All that a profile holds from now on; nothing for one that has left."""

    identifiers: tuple[Kept, ...]
    along: Along | None


class Written(NamedTuple):
    """What came of it.

    changed  identifiers that profiles got or lost
    left     those of them that went with their profile
    touched  whether anything may be owed now
    unknown  identifiers of profiles that nobody had heard of: taken out, as somebody may have put them in
    """

    changed: int
    left: int
    touched: bool
    unknown: int


class _Has(NamedTuple):
    identifier: int
    along: bytes | None


_Name = tuple[str, bytes]


def write(
    connection: Connection,
    audience: int,
    wanted: Mapping[str, Holds],
    unknown: Mapping[str, tuple[Kept, ...]],
    *,
    whole_rows: bool,
) -> Written:
    """Makes each profile hold what is wanted and no more.

    unknown     of a profile that leaves and of whom nothing is known: what it would have had
    whole_rows  what is sent along is a part of the row: a change of it is owed
    """
    held = _held(connection, audience, wanted)
    strangers = [one for key in wanted if key not in held for one in unknown.get(key, ())]
    named = {(one.kind, one.value): one for each in wanted.values() for one in each.identifiers}
    ids = _ids(connection, audience, named, GONE)
    foreign = {(one.kind, one.value): one for one in strangers}
    known = _find(connection, audience, foreign)
    ids |= _ids(connection, audience, {name: one for name, one in foreign.items() if name not in known}, UNSURE)
    gained, lost, renewed = _differences(audience, wanted, held, ids)
    if lost:
        gone = holdings.delete().where(*(holdings.c[name] == sa.bindparam(f"b_{name}") for name in _KEY))
        connection.execute(gone, [{f"b_{name}": row[name] for name in _KEY} for row in lost])
    if gained:
        if whole_rows:
            _take_old_rows_first(connection, gained)
        connection.execute(insert_into(connection, holdings).on_conflict_do_nothing(), gained)
    _renew(connection, renewed)
    owed = [row["identifier"] for row in (*gained, *lost)] + [ids[name] for name in foreign if name not in known]
    _owe(connection, owed, unsure=False)
    again = _try_again(connection, [ids[name] for name in named])
    if whole_rows:
        _owe_rows(connection, audience, held, lost, renewed)
    else:
        _take_rows_apart(connection, [*lost, *gained])
    left = sum(not wanted[row["profile"]].identifiers for row in lost)
    return Written(len(gained) + len(lost), left, bool(owed or again or (whole_rows and renewed)), len(foreign))


_KEY = ("audience", "profile", "identifier")


def _renew(connection: Connection, renewed: list[dict[str, Any]]) -> None:
    if not renewed:
        return
    along: sa.BindParameter[bytes] = sa.bindparam("b_companions")
    mine = (holdings.c[name] == sa.bindparam(f"b_{name}") for name in _KEY)
    change = holdings.update().where(*mine).values(companions=along)
    connection.execute(change, [{f"b_{name}": value for name, value in row.items()} for row in renewed])


def _differences(
    audience: int, wanted: Mapping[str, Holds], held: Mapping[str, list[_Has]], ids: Mapping[_Name, int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Holdings that come, that go, and whose companions change."""
    gained, lost, renewed = [], [], []
    for key, want in wanted.items():
        has = {one.identifier: one.along for one in held.get(key, ())}
        wants = {ids[one.kind, one.value] for one in want.identifiers}
        along = want.along.packed if want.along else None
        for each in wants:
            row = {"audience": audience, "profile": key, "identifier": each, "companions": along}
            if each not in has:
                gained.append(row)
            elif (has[each] or b"")[:MARK_BYTES] != (along or b"")[:MARK_BYTES]:
                renewed.append(row)
        lost += [{"audience": audience, "profile": key, "identifier": each} for each in has if each not in wants]
    return gained, lost, renewed


def _held(connection: Connection, audience: int, keys: Iterable[str]) -> dict[str, list[_Has]]:
    found: dict[str, list[_Has]] = {}
    for some in _chunks(keys):
        asked = sa.select(holdings.c.profile, holdings.c.identifier, holdings.c.companions).where(
            holdings.c.audience == audience, holdings.c.profile.in_(some)
        )
        for profile, identifier, along in connection.execute(asked):
            found.setdefault(profile, []).append(_Has(identifier, along))
    return found


def _owe_rows(
    connection: Connection,
    audience: int,
    held: Mapping[str, list[_Has]],
    lost: list[dict[str, Any]],
    renewed: list[dict[str, Any]],
) -> None:
    """What rows need that stand for a person, beside what came and left.

    Who is taken out by one value is gone by all, and so may be whoever shares one with them, and so on: they are told
    again. A lost value that others hold stays in the loser's row, and would link them for ever: it goes first.
    """
    seeds = {one.identifier for key in {row["profile"] for row in lost} for one in held[key]}
    seeds |= {row["identifier"] for row in renewed}
    _owe(connection, _linked(connection, audience, seeds) if lost else seeds, unsure=True)
    still = sa.exists().where(holdings.c.identifier == identifiers.c.id).correlate(identifiers)
    told = sa.or_(identifiers.c.there.in_((THERE, UNSURE, STUCK)), identifiers.c.call.is_not(None))
    for some in _chunks(row["identifier"] for row in lost):
        stale = identifiers.update().where(identifiers.c.id.in_(some), told, still, identifiers.c.there != REFUSED)
        connection.execute(stale.values(there=STALE))


def _take_old_rows_first(connection: Connection, gained: list[dict[str, Any]]) -> None:
    """A value that nobody holds is still in the row of whoever lost it, and would link that one with who gains it."""
    held = sa.exists().where(holdings.c.identifier == identifiers.c.id).correlate(identifiers)
    told = sa.or_(identifiers.c.there.in_((THERE, UNSURE, STUCK)), identifiers.c.call.is_not(None))
    for some in _chunks({row["identifier"] for row in gained}):
        left = identifiers.update().where(identifiers.c.id.in_(some), told, ~held, identifiers.c.there != REFUSED)
        connection.execute(left.values(there=STALE))


def _take_rows_apart(connection: Connection, changed: list[dict[str, Any]]) -> None:
    """What somebody else has beside may stand in the row of a value that is held: that row goes first.

    Of one who lost it, or of one who held it before whoever has it now. Then it is told again, with what one of its
    holders has.
    """
    beside = sa.func.substr(identifiers.c.companions, 1, MARK_BYTES)
    held = sa.exists().where(holdings.c.identifier == identifiers.c.id).correlate(identifiers)
    same = held.where(sa.func.substr(holdings.c.companions, 1, MARK_BYTES) == beside)
    told = sa.or_(identifiers.c.there.in_((THERE, UNSURE)), identifiers.c.call.is_not(None))
    for some in _chunks({row["identifier"] for row in changed}):
        row = (identifiers.c.id.in_(some), identifiers.c.companions.is_not(None))
        connection.execute(identifiers.update().where(*row, told, held, ~same).values(there=STALE))


def _linked(connection: Connection, audience: int, seeds: set[int]) -> set[int]:
    """These identifiers, and all that their holders hold, and so on."""
    found, people, edge = set(seeds), set[str](), set(seeds)
    mine = holdings.c.audience == audience
    while edge:
        holders: set[str] = set()
        for some in _chunks(edge):
            asked = sa.select(holdings.c.profile).where(mine, holdings.c.identifier.in_(some))
            holders |= set(connection.execute(asked).scalars())
        edge = set()
        for new in _chunks(holders - people):
            asked_of = sa.select(holdings.c.identifier).where(mine, holdings.c.profile.in_(new))
            edge |= set(connection.execute(asked_of).scalars())
        people |= holders
        edge -= found
        found |= edge
    return found


def _find(connection: Connection, audience: int, names: Iterable[_Name]) -> dict[_Name, int]:
    """The ids of those that the store knows."""
    found: dict[_Name, int] = {}
    by_kind: dict[str, list[bytes]] = {}
    for kind, value in names:
        by_kind.setdefault(kind, []).append(value)
    for kind, values in by_kind.items():
        for some in _chunks(values):
            asked = sa.select(identifiers.c.value, identifiers.c.id).where(
                identifiers.c.audience == audience, identifiers.c.kind == kind, identifiers.c.value.in_(some)
            )
            found |= {(kind, bytes(value)): id_ for value, id_ in connection.execute(asked)}
    return found


def _ids(connection: Connection, audience: int, named: Mapping[_Name, Kept], there: int) -> dict[_Name, int]:
    """Their ids; those that are new are written down, as the platform has them so far."""
    found = _find(connection, audience, named)
    new = [
        {"audience": audience, "there": there, "owed": False, "sent_ms": 0, **one._asdict()}
        for name, one in named.items()
        if name not in found
    ]
    if new:
        connection.execute(insert_into(connection, identifiers).on_conflict_do_nothing(), new)
        found |= _find(connection, audience, [name for name in named if name not in found])
    return found


def _owe(connection: Connection, ids: Iterable[int], *, unsure: bool) -> None:
    on_its_way = sa.and_(identifiers.c.there == GONE, identifiers.c.call.is_not(None))
    there = sa.case((sa.or_(identifiers.c.there == THERE, on_its_way), UNSURE), else_=identifiers.c.there)
    for some in _chunks(ids):
        change = identifiers.update().where(identifiers.c.id.in_(some)).values(owed=True)
        connection.execute(change.values(there=there) if unsure else change)


def _try_again(connection: Connection, ids: Iterable[int]) -> int:
    """What the platform refused is told once more when its holder comes again; returns how many."""
    refused = (identifiers.c.there == REFUSED, identifiers.c.call.is_(None))
    change = identifiers.update().where(*refused).values(there=AS_BEFORE, owed=True)
    return sum(connection.execute(change.where(identifiers.c.id.in_(some))).rowcount for some in _chunks(ids))


def _chunks(items: Iterable[Any]) -> Iterator[list[Any]]:
    rest = iter(items)
    while some := list(islice(rest, CHUNK)):
        yield some
