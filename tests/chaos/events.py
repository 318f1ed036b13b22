"""Random events of all kinds, good and bad, and the model of what must come of them.

The generator knows which profiles are bad, and why; the model needs nothing else. A row holds the sequence of the add
that wrote it, so a table that equals the model has seen its last operations in the right order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Container

COLUMN = 60
"""Characters that fit the key's column."""
LONG = [f"L{n}-" + "x" * COLUMN for n in range(8)]
"""Keys that do not. So few that they are never most of the profiles, which would be the query's fault (rule 23)."""
OFTEN = "k"
"""What most keys begin with, in upper or lower case."""
DEADLY = "ends whoever delivers it"
"""Stands in a profile that tests.chaos.killing knows."""
KILLER = "killer"
"""What the key of such a profile begins with, if it has one."""
NUL = "N\0L"
"""Text that PostgreSQL has no literal for."""
MALFORMED = [
    b"not json",
    b"{",
    b"",
    b"[]",
    b"null",
    b'{"segment":{"id":7}}',
    b'{"type":"add","segment":7,"profiles":[]}',
    b'{"type":"add","segment":{"id":7},"profiles":5}',
    b'{"type":"nonsense","segment":{"id":7}}',
    b'{"type":"clear","segment":{"id":7},"profiles":[{"_id":"1"}]}',
    b"\xff\xfe\x00{",
]
BAD_PROFILES: list[Any] = [5, "text", None, {"name": "no id"}, {"_id": ""}, {"_id": 1.5}]


@dataclass(frozen=True, slots=True)
class Made:
    """One event as it is pushed, and what the model needs to know of it.

    kind      its type; "malformed" for bytes that are none
    keys      of each good profile: its index in the event, and its key (None where it has none)
    bad       profiles that the intake itself sets aside
    elsewhere whether it happens in a database that no integration follows
    """

    data: bytes
    kind: str
    segment: str = ""
    name: str | None = None
    keys: tuple[tuple[int, str | None], ...] = ()
    bad: int = 0
    elsewhere: bool = False

    @property
    def operations(self) -> int:
        """What it is counted as, once it was routed."""
        if self.kind in {"add", "remove"}:
            return len(self.keys)
        return 0 if self.kind in {"malformed", "resync"} else 1


class Maker:
    """Makes one round's events, in segments that no other round has; the largest has `widest` profiles.

    hostile  how many times as many bad events and profiles as usual
    clears   how many in a hundred events are clears, about
    """

    def __init__(
        self, chance: random.Random, number: int, widest: int, *, hostile: float = 1.0, clears: int = 2
    ) -> None:
        self._chance = chance
        self._clears = clears
        self._widest = widest
        self._first = number * 100 + 1
        self._segments = chance.randint(1, 30)
        self._keys = chance.choice((5, 30, 300))
        self._hostile = hostile

    def events(self, operations: int) -> list[Made]:
        """Events of about so many operations."""
        made, total = [], 0
        while total < operations:
            made.append(self.event())
            total += max(1, made[-1].operations)
        return made

    def event(self) -> Made:
        """One event."""
        chance = self._chance
        if chance.random() < 0.01 * self._hostile:
            return Made(chance.choice(MALFORMED), "malformed")
        weights = (60, 25, self._clears, 4, 1)
        kind = chance.choices(("add", "remove", "clear", "segment_upsert", "segment_delete"), weights)[0]
        elsewhere = chance.random() < 0.02
        number = self._first + (90 + chance.randrange(3) if elsewhere else chance.randrange(self._segments))
        segment: dict[str, Any] = {"id": number if chance.random() < 0.5 else str(number)}
        if elsewhere:
            segment["database"] = "elsewhere"
        name = f"S{chance.randrange(1000)} 'x' {{y}} %s :z \\" if kind == "segment_upsert" else None
        if name is not None:
            segment["name"] = name
        if kind not in {"add", "remove"}:
            data = json.dumps({"type": kind, "segment": segment}).encode()
            return Made(data, kind, str(number), name, elsewhere=elsewhere)
        return self._of_profiles(kind, segment, elsewhere=elsewhere)

    def last_clears(self) -> list[Made]:
        """One for some of the segments: nothing comes after it for a while."""
        some = [self._first + each for each in range(self._segments) if self._chance.random() < 0.5]
        events = [(each, json.dumps({"type": "clear", "segment": {"id": each}}).encode()) for each in some]
        return [Made(data, "clear", str(each)) for each, data in events]

    def request(self, integration: str | None, chance: random.Random) -> Made:
        """An event that asks for the resync of a segment; without `integration` by all that follow it."""
        number = self._first + chance.randrange(self._segments)
        event = {"type": "resync", "segment": {"id": number}} | ({"integration": integration} if integration else {})
        return Made(json.dumps(event).encode(), "resync", str(number))

    def welcome(self) -> Made:
        """An event with one profile whom every target takes, in a segment that no other event of the round is of."""
        number = self._first + 99
        data = json.dumps({"type": "add", "segment": {"id": number}, "profiles": [{"_id": "w", "CustomID": "Welcome"}]})
        return Made(data.encode(), "add", str(number), keys=((0, "Welcome"),))

    def killer(self, index: int) -> Made:
        """An event whose second profile ends whoever delivers it; some have no key."""
        key = self._chance.choice((None, f"{KILLER}{index}"))
        profiles = [{"_id": f"p{index}", "CustomID": f"Beside{index}"}, {"_id": f"d{index}", "email": DEADLY}]
        profiles[1] |= {"CustomID": key} if key is not None else {}
        segment = {"id": self._first + self._chance.randrange(self._segments)}
        data = json.dumps({"type": "add", "segment": segment, "profiles": profiles}).encode()
        return Made(data, "add", str(segment["id"]), keys=((0, f"Beside{index}"), (1, key)))

    def _of_profiles(self, kind: str, segment: dict[str, Any], *, elsewhere: bool) -> Made:
        chance = self._chance
        sizes = (1, chance.randint(2, 30), chance.randint(100, 300), 1500)
        count = min(self._widest, chance.choices(sizes, (80, 18, 1.8, 0.3))[0])
        bad = chance.randint(1, 2) if chance.random() < 0.01 * self._hostile else 0
        at_fault = set(chance.sample(range(count + bad), bad))
        keys = {index: self._key() for index in range(count + bad) if index not in at_fault}
        profiles = [
            self._profile(keys[index]) if index in keys else chance.choice(BAD_PROFILES) for index in range(count + bad)
        ]
        data = json.dumps({"type": kind, "segment": segment, "profiles": profiles}).encode()
        return Made(data, kind, str(segment["id"]), keys=tuple(keys.items()), bad=bad, elsewhere=elsewhere)

    def _key(self) -> str | None:
        chance = self._chance
        if chance.random() < 0.008 * self._hostile:
            return chance.choice((None, NUL, chance.choice(LONG)))
        key = f"{chance.choice(('K', 'k', 'Schlüssel-'))}{chance.randrange(self._keys)}"
        return key + chance.choice(("", "", "", "", " ", "'"))

    def _profile(self, key: str | None) -> dict[str, Any]:
        if key is None:
            return {"_id": f"p{self._chance.randrange(10)}", "email": "no key"}
        if key in LONG:  # always the same bytes: as one profile it counts once towards the query's fault
            return {"_id": f"p{key[:4]}", "CustomID": key}
        return {"_id": f"p{self._chance.randrange(1000)}", "CustomID": key}


Row = tuple[str, str]


def named(ms: int, n: int, index: int = 0) -> str:
    """What the quarantine calls an operation."""
    return f"{ms:013d}{n:07d}{index:07d}"


def _may_be_refused(key: str | None) -> bool:
    return (key or "").lower().startswith(OFTEN)


@dataclass(slots=True)
class Model:
    """What one target's tables must hold, and what must stand in quarantine at the most.

    dialect      the target's
    has_clear    whether its integration has a query for it
    operations   routed to the integration
    suspects     (segment, kind, key) of operations that may be quarantined, with how many there were of each
    repeated    (segment, key, sequence) of adds that stand more than once in their event
    refuses     whether keys that begin with OFTEN are refused for a while; `touched`: what came for each such row
                meanwhile, in its order: what names the operation, with what it leaves (None: no row)
    refuses_clears  whether clears are refused for a while; `never_ran`: what names those that were never run
    """

    dialect: str
    has_clear: bool = True
    members: dict[Row, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    operations: int = 0
    suspects: dict[str, str] = field(default_factory=dict)
    certain: dict[str, str] = field(default_factory=dict)
    repeated: set[tuple[str, str, int]] = field(default_factory=set)
    refuses: bool = False
    touched: dict[Row, list[tuple[str, int | None]]] = field(default_factory=dict)
    refuses_clears: bool = False
    never_ran: set[str] = field(default_factory=set)

    def apply(self, made: Made, ms: int, n: int) -> None:
        """Lets one accepted event happen; `ms` and `n` are its stream id."""
        if made.elsewhere or made.kind in {"malformed", "resync"}:
            return
        self.operations += made.operations
        match made.kind:
            case "clear" if self.has_clear and self._runs(ms, n):
                self.members = {row: seq for row, seq in self.members.items() if row[0] != made.segment}
                for came in (came for row, came in self.touched.items() if row[0] == made.segment):
                    came.append(("", None))
                self.certain = {seq: segment for seq, segment in self.certain.items() if segment != made.segment}
            case "segment_upsert":
                self.names[made.segment] = made.name or ""
            case "segment_delete":
                self.names.pop(made.segment, None)
            case "add" | "remove":
                self._profiles(made, ms, n)

    def _runs(self, ms: int, n: int) -> bool:
        sequence = named(ms, n)
        if self.refuses_clears or sequence in self.never_ran:
            self.suspects[sequence] = "a clear that was refused"
        return sequence not in self.never_ran

    def _profiles(self, made: Made, ms: int, n: int) -> None:
        for index, key in made.keys:
            sequence = named(ms, n, index)
            if made.kind == "add" and self.refuses and _may_be_refused(key):
                self.suspects[sequence] = "refused for a while"
            if cause := self.cause(made.kind, key):
                self.suspects[sequence] = cause
                if key is None or key.startswith(KILLER):
                    self.certain[sequence] = made.segment
            if cause or key is None:
                continue
            row, leaves = (made.segment, key), (ms << 20) + n if made.kind == "add" else None
            if self.refuses and _may_be_refused(key):
                self.touched.setdefault(row, [("", self.members.get(row))]).append((sequence, leaves))
            if leaves is not None:
                self._add(*row, leaves)
            else:
                self.members.pop(row, None)

    def take_back(self, refused: Container[str]) -> None:
        """These were refused: each such row is as the last operation before them left it."""
        for row, came in self.touched.items():
            left = [leaves for name, leaves in came if name not in refused][-1]
            self.members.pop(row, None)
            self.members |= {row: left} if left is not None else {}
        self.refuses, self.touched = False, {}

    def _add(self, segment: str, key: str, seq: int) -> None:
        if self.members.get((segment, key)) == seq:
            self.repeated.add((segment, key, seq))
        self.members[segment, key] = seq

    def cause(self, kind: str, key: str | None) -> str:
        """Why a profile may end in quarantine; '' for a good one."""
        if key is None:
            return "missing key"
        if key.startswith(KILLER):
            return "killer"
        if key == NUL and self.dialect == "postgresql":
            return "nul"
        return "long" if key in LONG and kind == "add" else ""
