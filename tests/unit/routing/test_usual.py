"""What the fast way puts on the load is what the general way puts there: every step, to the byte."""

from __future__ import annotations

from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.lines import lines
from tests.unit.routing.test_routes import ALL, PICKED, SALES, routes
from workers.events.sequence import Sequence
from workers.lanes.answers import Moved
from workers.lanes.moves import InEntry, Move, Reading
from workers.routing import router as module
from workers.routing import transfer
from workers.routing.position import FAR_MS, Position
from workers.routing.router import Router

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.routing.entry import Read
    from workers.routing.transfer import Transfer

NOW = 1_700_000_000_000
BARE = [b'{"id":7}', b'{"id":"7"}', b'{"id":8}', b'{"id":"\xc3\xa9"}']
TOLD = [
    b'{"id":8,"groups":["sales"]}',
    b'{"id":7,"name":"VIP"}',
    b'{"id":9,"database":"other"}',
    b'{"id":7,"database":"main","groups":[]}',
]
GOOD = [b'{"_id":"a"}', b'{"_id":7}', b'{"_id":"b","K":"%s"}' % (b"x" * 150), b'{"_id":"\xc3\xa9","K":null}']
BAD = [b"7", b'{"_id":""}', b"{}"]


def event(kind: bytes, segment: bytes, profiles: list[bytes]) -> bytes:
    return b'{"type":"%s","segment":%s,"profiles":[%s]}' % (kind, segment, b",".join(profiles))


OF_SEGMENTS = [b"clear", b"segment_upsert", b"segment_delete"]


def usual_one(dice: Random) -> bytes:
    return event(dice.choice([b"add", b"remove"]), dice.choice(BARE), dice.choices(GOOD, k=dice.randint(1, 3)))


def alike(dice: Random) -> bytes:
    profiles = dice.choices([*GOOD * 2, *BAD], k=dice.randint(0, 3))
    return event(dice.choice([b"add", b"remove"]), dice.choice(BARE + TOLD), profiles)


def odd(dice: Random) -> InEntry:
    """Whatever may stand in an entry besides."""
    found: list[InEntry] = [
        alike(dice),
        event(dice.choice(OF_SEGMENTS), dice.choice(BARE + TOLD), []),
        alike(dice)[:-1] + b',"at":"2026-01-01T00:00:00Z","id":1}',
        *([b'{"type":"resync","segment":{"id":7}}', b"{", b'{"type":"add"}', b""]),
        [b"event", usual_one(dice), b"x", b"y"],
        [b"event", usual_one(dice), b"event", alike(dice)],
        *([b"mark", b"none"], [b"x", b"y"]),
    ]
    return dice.choice(found)


def intake(dice: Random) -> list[tuple[bytes, InEntry]]:
    """With ids that grow, as a stream's do; some are no time, or more than a sequence holds."""
    ms, n = NOW - 10, 0
    found: list[tuple[bytes, InEntry]] = []
    for _ in range(dice.randint(1, 40)):
        later = dice.choice([0, 0, 1, 20]) if dice.random() < 0.97 else dice.choice([FAR_MS - 30, 2**43, 2**62])
        ms, n = (ms + later, 0) if later else (ms, n + (1 if dice.random() < 0.97 else 2**20))
        found.append((b"%d-%d" % (ms, n), usual_one(dice) if dice.random() < 0.8 else odd(dice)))
    return found


class Lanes:
    """What a router asks of Redis, in memory: the intake, what is known of segments, and each step as it came."""

    installation = "here"
    most = 12

    def __init__(self, entries: list[tuple[bytes, InEntry]], limit: int, fails: set[int], position: str) -> None:
        self.entries = list(entries)
        self.moves: list[Move] = []
        self.asked: list[Any] = []
        self._known: dict[str, bytes] = {"7": b"{}", "8": b'{"database":"other"}'}
        self._limit, self._fails, self._position, self._tries = limit, fails, position, 0

    def _call(self, _script: str, do: str, *arguments: Any) -> tuple[bytes, bytes]:
        self.asked.append((do, *arguments))
        return b"id", b"1"

    def read(self, most: int, _budget: int) -> Reading:
        return Reading(self._position, 0, NOW, self.entries[: min(most, self.most)])

    def segments(self, ids: list[str]) -> list[bytes | None]:
        return [self._known.get(each) for each in ids]

    def memory(self) -> tuple[int, int]:
        return 0, self._limit

    def append(self, move: Move) -> Moved:
        self._tries += 1
        if self._tries in self._fails:
            raise ConnectionError
        self.moves.append(move)
        self._known.update({key: facts for key, facts in move.segments if facts})
        for key in [key for key, facts in move.segments if not facts]:
            self._known.pop(key, None)
        self._position = move.position
        last = Position.from_text(move.position).last_id.encode()
        ids = [each for each, _ in self.entries]
        if last in ids:
            del self.entries[: ids.index(last) + 1]
        return Moved({})


class Always:
    """A lease that is always to be had, from one who died over it so many times."""

    def __init__(self, deaths: int) -> None:
        self._deaths = deaths

    @contextmanager
    def hold(self, _name: str, _token: str) -> Iterator[Any]:
        yield SimpleNamespace(owner="me", deaths=self._deaths)


def routed(
    entries: list[tuple[bytes, InEntry]],
    limit: int = 0,
    deaths: int = 0,
    fails: frozenset[int] = frozenset(),
    position: str = "",
) -> Lanes:
    lanes: Any = Lanes(entries, limit, set(fails), position)
    leases: Any = Always(deaths)
    router = Router(lanes, routes(main=ALL, sales=SALES, picked=PICKED), leases)
    while lanes.entries:
        try:
            router.turn("token", 60)
        except ConnectionError:
            continue
    found: Lanes = lanes
    return found


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_each_step_is_the_one_of_the_general_way(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "uid")
    monkeypatch.setattr("time.time_ns", lambda: NOW)
    for seed in range(first, first + 100):
        dice = Random(seed)
        entries = intake(dice)
        limit = dice.choice([0, 0, 0, 60_000, 200_000, 500_000])
        deaths = dice.choice([0, 0, 0, 0, 1, 3])
        fails = frozenset(dice.choices(range(1, 9), k=dice.randint(0, 3)))
        monkeypatch.setattr(transfer, "LANES_AT_MOST", dice.choice([2, 3, 2_000]))
        position = Position(
            "1-0",
            Sequence(dice.choice([0, NOW - 10, NOW + 5]), 3),
            within=entries[0][0].decode() if dice.random() < 0.5 else "",
            index=dice.randint(0, 2),
        )
        fast = routed(entries, limit, deaths, fails, str(position))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "put_usual", lambda _load, _entries, _events, at, *_: at)
            patch.setattr(module, "usual", lambda _: None)
            general = routed(entries, limit, deaths, fails, str(position))
        assert fast.moves == general.moves, seed
        assert fast.asked == general.asked, seed


def many(count: int) -> list[tuple[bytes, InEntry]]:
    return [(b"%d-0" % (NOW + n), event(b"add", b'{"id":7}', GOOD[:1])) for n in range(count)]


def test_what_is_usual_goes_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but one that tells something of its segment."""
    put, general = Router._put_entry, []

    def noted(self: Router, load: Transfer, whole: Read, *where: int) -> Transfer:
        general.append(whole.entry.id)
        return put(self, load, whole, *where)

    monkeypatch.setattr(Router, "_put_entry", noted)
    monkeypatch.setattr(Lanes, "most", 1_000)
    entries = many(500)
    entries[7] = entries[7][0], event(b"add", TOLD[1], GOOD[:1])
    assert sum(move.operations for move in routed(entries).moves) == 500
    assert general == [f"{NOW + 7}-0"]


def test_an_event_that_was_moved_in_part_goes_on_where_it_stopped() -> None:
    first, second = (event(b"add", b'{"id":7}', GOOD) for _ in range(2))
    entries: list[tuple[bytes, InEntry]] = [(b"%d-0" % NOW, first), (b"%d-1" % NOW, second)]
    position = Position("1-0", Sequence(NOW - 10, 0), within=f"{NOW}-0", index=len(GOOD) - 1)
    assert sum(move.operations for move in routed(entries, position=str(position)).moves) == 1 + len(GOOD)


def lines_for(count: int) -> int:
    entries = many(count)

    def run() -> None:
        routed(entries)

    return lines(run)


def test_lines_of_python_by_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is a share of the one router's time."""
    monkeypatch.setattr(Lanes, "most", 1_000)
    assert (lines_for(600) - lines_for(100)) / 500 < 75
