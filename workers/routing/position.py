"""How far the intake has been moved, and the sequences that its events get. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from workers.events.sequence import MAX_MS, MAX_N, Sequence

BEGINNING: Final = "0-0"
NO_SEQUENCE: Final = Sequence(0, 0)
FAR_MS: Final = 24 * 60 * 60 * 1000
"""So far ahead of Redis's clock an id is no time any more: somebody set it by hand, or a clock was wrong."""


@dataclass(frozen=True, slots=True)
class Position:
    """How far the intake has been moved: all of `last_id`, and a part of the entry after it.

    sequence  the last one that an event was given; all later ones are greater
    within    id of the entry that has been moved in part, or ""
    part      of that, how many events have been moved
    index     of the next event, how many profiles have been moved; those have its `sequence`
    """

    last_id: str = BEGINNING
    sequence: Sequence = NO_SEQUENCE
    within: str = ""
    part: int = 0
    index: int = 0

    @classmethod
    def from_text(cls, text: str) -> Position:
        """From what the script keeps: empty at the very beginning; "id|index" was written by older versions."""
        if not text:
            return cls()
        last_id, index, *more = text.split("|")
        if not more:
            ms, _, n = last_id.partition("-")
            # What it had no sequence for, it moved into no lane.
            at = Sequence(int(ms), int(n))
            return cls(last_id, at if at.fits else NO_SEQUENCE, index=int(index))
        part, within, sequence = more
        return cls(last_id, Sequence.from_text(sequence), within, int(part), int(index))

    def __str__(self) -> str:
        return f"{self.last_id}|{self.index}|{self.part}|{self.within}|{self.sequence}"

    def start_of(self, entry_id: str) -> tuple[int, int]:
        """Where to begin in an entry: how many of its events, and of the next one's profiles, have been moved.

        If the stream was made anew meanwhile, another entry may stand where one was moved in part.
        """
        return (self.part, self.index) if self.within in {"", entry_id} else (0, 0)


def place(last: Sequence, ms: int, n: int, now_ms: int) -> Sequence:
    """The sequence of an event: its stream id, if that is a time, and comes after all others; else one of our own.

    last   the one that was given last
    ms, n  the event's stream id, whatever numbers somebody gave it
    """
    far = ms > min(now_ms + FAR_MS, MAX_MS)
    own = Sequence(now_ms if far else ms, 0 if far or n > MAX_N else n)
    return own if own > last else last.next_event()
