"""What must have become of every operation: followed one by one, in the order in which the intake took them.

Delivered, merged into a later one of its key, moot by a clear that was delivered, in the quarantine with a cause of its
own, or dropped by a person; and the rows are what that comes to.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.simulation import readings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.simulation.people import Cast
    from tests.simulation.readings import Entry
    from tests.simulation.world import World

KINDS = {"add": "ADD", "remove": "REMOVE", "clear": "CLEAR", "segment_upsert": "NAME", "segment_delete": "END"}
OPENS_AFTER = 40.0
"""Seconds until the window of plans.py opens."""
CLOCKS = ("clock back", "clock ahead", "busy hour")
DEATHS = 3
"""Processes that end over one head before it is taken for their killer."""


@dataclass(slots=True)
class Operation:
    """One operation and what became of it.

    order    where it stands among all that was accepted
    key      "" for segment events; None without a usable key
    times    how often it was committed
    entries  its entries in the quarantine, the newest last
    """

    order: int
    segment: str
    kind: str
    key: str | None
    name: str
    times: list[int] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def __str__(self) -> str:
        entries = ", ".join(f"{entry.code} {entry.state} {entry.note}" for entry in self.entries)
        return f"{self.kind} {self.name} committed {self.times} [{entries}]"

    @property
    def was_pushed_again(self) -> bool:
        """Whether it came out of the quarantine as a part of its event, and has another place in the order since."""
        return any(entry.integration is None for entry in self.entries)

    @property
    def is_set_aside(self) -> bool:
        """Whether it is in the quarantine, and was not delivered from there."""
        return bool(self.entries) and self.entries[-1].state != "delivered"


def judge(world: World, cast: Cast) -> list[str]:
    """Everything that is wrong with how a history ended; [] for nothing."""
    wrong = [*world.wrong, *(f"an actor ended: {crash}" for crash in world.baton.crashes)]
    if wrong:
        return wrong
    if cast.unsettled is not None:
        return [*wrong, *_unsettled(world, cast)]
    entries = readings.quarantine(cast.place.folder)
    for integration in ("main", "other"):
        if integration == "other" and (cast.dropped or not world.plan.settings.other):
            continue
        wrong += [f"{integration}: {what}" for what in _Verdict(world, cast, integration, entries).wrong()]
    wrong += [*_full(world, cast), *_too_early(world)]
    return wrong


def _unsettled(world: World, cast: Cast) -> Iterator[str]:
    """Why not everything was done."""
    found = cast.unsettled
    assert found is not None
    if found.intake:
        yield f"stalled: the intake holds {found.intake} events"
    if found.outcomes and not found.lanes:
        yield f"stalled: {found.outcomes} outcomes are not written down"
    now = world.clock_us() // 1000
    for lane, fields in found.lanes.items():
        yield f"stalled: a lane of segment {lane} at {now}: {fields}"


def _full(world: World, cast: Cast) -> Iterator[str]:
    found = readings.waiting(world.real.peek())
    for key, reason in found.full.items():
        if not any(found.backlogs.values()):
            yield f"producers are refused for ever: {key}: {reason}"
    del cast


def _too_early(world: World) -> Iterator[str]:
    """What was told before its window had opened. Without one, or where a clock is set, nothing is too early."""
    if not world.plan.settings.window or any(world.plan.has(each) for each in CLOCKS) or world.plan.has("apply"):
        return
    for each in world.targets["a"].journal:
        if each.at < OPENS_AFTER:
            yield f"told before its window: {each.kind} {each.what} at {each.at:.3f}"


class _Verdict:
    def __init__(self, world: World, cast: Cast, integration: str, entries: Iterable[Entry]) -> None:
        self._world = world
        self._cast = cast
        self._target = world.targets["a"]
        self._journal = [each for each in self._target.journal if each.integration == integration]
        self._integration = integration
        self._operations = list(_operations(world))
        self._by_name = {each.name: each for each in self._operations}
        # Behind what no time-out lets through, and nothing else waits when a history is over.
        self._held = readings.waiting(world.real.peek()).lanes
        self._lost = {name for event in world.lost for name in _names(event)}
        for number, each in enumerate(self._journal):
            self._by_name[each.what].times.append(number)
        for entry in entries:
            if entry.integration in (None, integration):
                for name in _entry_names(entry):
                    if name in self._by_name:
                        self._by_name[name].entries.append(entry)

    def wrong(self) -> Iterator[str]:
        yield from self._fates()
        yield from self._causes()
        yield from self._repeats()
        yield from self._rows()

    def _fates(self) -> Iterator[str]:
        for each in self._operations:
            if each.times or each.entries or each.name in self._lost or self._waits(each):
                continue
            if each.kind == "CLEAR" and self._may_lack_clear:
                continue
            if each.kind in ("ADD", "REMOVE") and (self._is_merged(each) or self._is_moot(each)):
                continue
            yield f"lost: {each.kind} {each.name} of segment {each.segment}"

    def _waits(self, each: Operation) -> bool:
        """Whether it is still owed: its lane is held, and says so."""
        return not each.times and f"{self._integration}:{each.segment}" in self._held

    @property
    def _may_lack_clear(self) -> bool:
        return self._world.plan.has("apply")

    def _touched(self, each: Operation) -> set[tuple[str, str]]:
        """The rows that an operation may change, or may have changed."""
        if each.kind != "CLEAR":
            return {(each.segment, each.key or "")}
        return {(each.segment, other.key or "") for other in self._operations if other.segment == each.segment}

    def _outlived(self, clear: Operation) -> set[tuple[str, str]]:
        """The rows of what came before a clear, and was told after it: a clear that was tried, and has no query since.

        Nobody knows whether the try took place, and by the new configuration all of it goes without the clear.
        """
        if clear.kind != "CLEAR" or not clear.times or not self._may_lack_clear:
            return set()
        before = [each for each in self._earlier(clear) if each.times and max(each.times) > max(clear.times)]
        return {(each.segment, each.key or "") for each in before}

    def _earlier(self, of: Operation) -> Iterator[Operation]:
        return (each for each in self._operations if each.order < of.order and each.segment == of.segment)

    def _later(self, of: Operation) -> Iterator[Operation]:
        """What was pushed again, as a new operation, may have come after anything."""
        return (
            each
            for each in self._operations
            if each.segment == of.segment and (each.order > of.order or (each.was_pushed_again and each is not of))
        )

    def _of_its_key(self, of: Operation) -> Iterator[Operation]:
        """What came later for its row."""
        later = () if of.key is None else self._later(of)
        return (each for each in later if each.key == of.key and each.kind in ("ADD", "REMOVE"))

    def _is_merged(self, of: Operation) -> bool:
        """Whether a later word on its row was told in its place: one that was refused gives the place back."""
        return any(each.times or each.name in self._lost or self._waits(each) for each in self._of_its_key(of))

    def _is_moot(self, of: Operation) -> bool:
        return any(each.kind == "CLEAR" and each.times for each in self._later(of))

    def _causes(self) -> Iterator[str]:
        """Nothing is set aside without a fault of its own, or superseded by nothing."""
        for each in self._operations:
            for entry in each.entries:
                if why := self._no_cause(each, entry):
                    yield f"{why}: {each.kind} {each.name} (state {entry.state}, {entry.note})"

    def _no_cause(self, of: Operation, entry: Entry) -> str:
        plan = self._world.plan
        fine = {
            "sim refused": of.name in plan.refused,
            "sim timeout": of.name in plan.endless,
            # Five links lost in a row over one profile, while others pass: so looks a profile that breaks links.
            "sim cut": "links" in plan.groups,
            "missing key": of.key is None,
            "missing": of.key is None,
            "poison": of.name in plan.killers or self._world.deaths >= DEATHS,
        }
        if not fine.get(entry.code, False):
            return f"set aside as {entry.code!r} for no fault of its own"
        if entry.state == "retried" and entry.integration is not None and not self._waits(of):
            return "its retry led nowhere"
        if entry.state == "dropped" and not plan.has("drop entries"):
            return "dropped by nobody"
        if entry.state == "superseded" and not self._is_superseded(of):
            return "superseded by nothing that came later"
        return ""

    def _is_superseded(self, of: Operation) -> bool:
        if self._world.failovers:
            return True
        if of.kind in ("ADD", "REMOVE"):
            return any(True for _ in self._of_its_key(of)) or any(
                each.kind in ("CLEAR", "END") for each in self._later(of)
            )
        return any(True for _ in self._later(of)) or self._may_lack_clear

    def _repeats(self) -> Iterator[str]:
        if not self._world.plan.settings.exactly_once or self._world.failovers:
            return
        for each in self._operations:
            if len(each.times) > 1:
                yield f"exactly once, yet {len(each.times)} times: {each.kind} {each.name}"

    def _rows(self) -> Iterator[str]:
        """The rows are what the operations come to that were not set aside."""
        expected: dict[tuple[str, str], str] = {}
        unsure: set[tuple[str, str]] = set()
        for each in self._operations:
            key = each.key or ""
            if each.name in self._lost or each.was_pushed_again or self._waits(each):
                unsure |= self._touched(each)
            elif each.is_set_aside or each.key is None:
                if each.is_set_aside and (each.times or len(each.entries) > 1):
                    unsure.add((each.segment, key))
            else:
                unsure |= self._outlived(each)
                _apply(expected, each)
        found = {(row[1], row[2]): what for row, what in self._target.rows.items() if row[0] == self._integration}
        for place in sorted(expected.keys() | found.keys()):
            if expected.get(place) != found.get(place) and place not in unsure:
                yield (
                    f"row {place}: expected {expected.get(place)}, found {found.get(place)}: "
                    + "; ".join(str(each) for each in self._operations if (each.segment, each.key or "") == place)
                )


def _apply(rows: dict[tuple[str, str], str], each: Operation) -> None:
    place = (each.segment, each.key or "")
    if each.kind in ("ADD", "NAME"):
        rows[place] = each.name
    elif each.kind in ("REMOVE", "END"):
        rows.pop(place, None)
    elif each.times:
        for row in [row for row in rows if row[0] == each.segment and row[1]]:
            del rows[row]


def _operations(world: World) -> Iterator[Operation]:
    order = 0
    for _, events in world.accepted:
        for event in events:
            segment, kind = str(event["segment"]["id"]), KINDS[event["type"]]
            if "profiles" not in event:
                order += 1
                yield Operation(order, segment, kind, "", event["at"])
            for profile in event.get("profiles", ()):
                order += 1
                yield Operation(order, segment, kind, profile.get("CustomID"), profile["op"])


def _names(event: dict[str, Any]) -> list[str]:
    return [profile["op"] for profile in event["profiles"]] if "profiles" in event else [event["at"]]


def _entry_names(entry: Entry) -> list[str]:
    """The operations that an entry is about: several of an event that never reached an integration."""
    if entry.integration is not None and entry.event_type in ("clear", "segment_upsert", "segment_delete"):
        return [_at((entry.event_us or 0) // 1_000_000)]
    try:
        found = json.loads(entry.payload)
    except ValueError:
        return []
    return [str(found["op"])] if "op" in found else _names(found)


def _at(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def first_words(what: str) -> str:
    """What kind of violation it is: for counting, and for knowing it again while shrinking."""
    head = what.partition(" of segment")[0].partition(", found")[0]
    return " ".join(word for word in head.split() if not any(letter.isdigit() for letter in word))[:90]
