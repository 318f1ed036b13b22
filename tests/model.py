"""What the tables must hold, told by the events alone: the model that every end-to-end test compares with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable


class Model:
    """The members and the names that a sequence of events describes, for an integration that wants everything."""

    def __init__(self) -> None:
        self.members: set[tuple[str, str]] = set()
        self.names: dict[str, str] = {}

    def apply(self, events: Iterable[dict[str, Any]]) -> None:
        """Lets the events happen, in order."""
        for event in events:
            self._apply(event)

    def _apply(self, event: dict[str, Any]) -> None:
        segment = str(event["segment"]["id"])
        keys = {(segment, str(profile["CustomID"])) for profile in event.get("profiles", ())}
        match event["type"]:
            case "add":
                self.members |= keys
            case "remove":
                self.members -= keys
            case "clear":
                self.members = {member for member in self.members if member[0] != segment}
            case "segment_upsert":
                self.names[segment] = event["segment"].get("name", self.names.get(segment, ""))
            case "segment_delete":
                self.names.pop(segment, None)


def mixed(count: int, chance: random.Random, segments: int = 50) -> list[dict[str, Any]]:
    """So many events of one profile each, adds and removes mixed, over some segments and a quarter as many keys."""
    return [
        {
            "type": "add" if chance.random() < 0.7 else "remove",
            "segment": {"id": chance.randrange(segments)},
            "profiles": profiles(f"C-{chance.randrange(count // 4)}"),
        }
        for _ in range(count)
    ]


def profiles(*keys: object) -> list[dict[str, Any]]:
    """A profile for each key."""
    return [{"_id": f"p{key}"[-60:], "CustomID": key} for key in keys]
