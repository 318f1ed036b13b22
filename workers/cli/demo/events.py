"""What the demo pushes, and what must come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from segsync import Producer

HOSTILE: Final = ("O'Brien", 'x", NOW()),(666,"evil')
"""Names that would break out of a statement that is glued together."""
MALFORMED: Final = '{"type": "add", "segment": {"id": 7'
"""Cut short on its way."""

VIP, NEWSLETTER, SALE, TYPO = 7, 8, 9, 10
NAMES: Final = {VIP: "VIP", NEWSLETTER: "Newsletter", SALE: "Spring sale", TYPO: "Newsleter"}
PEOPLE: Final[list[dict[str, Any]]] = [
    {"_id": "61f0", "CustomID": "A-17", "name": "Ann"},
    {"_id": "61f1", "CustomID": "B-18", "name": HOSTILE[0]},
    {"_id": "61f2", "CustomID": "C-19", "name": HOSTILE[1]},
]
NAMELESS: Final[dict[str, Any]] = {"_id": "61f3", "name": "Nobody"}
"""A profile without the field that identifies its row."""
SUBSCRIBERS: Final[list[dict[str, Any]]] = [
    {"_id": f"n{number}", "CustomID": f"N-{number:04d}", "name": f"Reader {number}"} for number in range(1, 2501)
]
# Half of them long delivered when they leave, half of them still in the batch that they came with.
LEAVERS: Final = SUBSCRIBERS[:250] + SUBSCRIBERS[-250:]
SHOPPERS: Final[list[dict[str, Any]]] = [
    {"_id": f"s{number}", "CustomID": f"S-{number:02d}", "name": f"Shopper {number}"} for number in range(1, 41)
]
LATECOMER: Final[dict[str, Any]] = {"_id": "s41", "CustomID": "S-41", "name": "Shopper 41"}

OPERATIONS: Final = len(NAMES) + len(PEOPLE) + 1 + len(SUBSCRIBERS) + len(LEAVERS) + len(SHOPPERS) + 1 + 1 + 1
"""What the integration is owed in all: one for each profile and segment event."""
QUARANTINED: Final = {None, NAMELESS["_id"]}
"""The profiles in quarantine; None stands for the entry that is no event."""

Rows = set[tuple[int, str, str]]


def push(producer: Producer) -> int:
    """Pushes all that the client would push, in order; returns how many events the intake took."""
    taken = 0
    for segment, name in NAMES.items():
        taken += len(producer.segment_upsert(segment, name=name, database="main"))
    taken += len(producer.add(VIP, [*PEOPLE, NAMELESS]))
    taken += len(producer.add(NEWSLETTER, SUBSCRIBERS))
    taken += len(producer.remove(NEWSLETTER, LEAVERS))
    taken += len(producer.add(SALE, SHOPPERS))
    taken += len(producer.clear(SALE))
    taken += len(producer.add(SALE, [LATECOMER]))
    taken += len(producer.segment_delete(TYPO))
    return taken


def expected_members() -> Rows:
    """The rows of `mysegment`: segment, client, name."""
    gone = {profile["CustomID"] for profile in LEAVERS}
    stayed = [profile for profile in SUBSCRIBERS if profile["CustomID"] not in gone]
    members = {VIP: PEOPLE, NEWSLETTER: stayed, SALE: [LATECOMER]}
    return {(segment, p["CustomID"], p["name"]) for segment, profiles in members.items() for p in profiles}


def expected_segments() -> dict[int, str]:
    """The rows of `segments`: segment, name."""
    return {segment: name for segment, name in NAMES.items() if segment != TYPO}
