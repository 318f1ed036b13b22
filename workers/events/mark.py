"""The mark of a resync's run on its way through the intake: the field `mark` of an entry without an event (rule 45)."""

from __future__ import annotations

import msgspec


class Mark(msgspec.Struct, frozen=True):
    """Where a barrier is to stand: what came in before it is delivered first, and the source is read then.

    run    the run's id
    nonce  which of its marks
    """

    integration: str
    segment: str
    run: str
    nonce: str


_decoder = msgspec.json.Decoder(Mark)


def encode(mark: Mark) -> bytes:
    """As it stands in the field `mark`."""
    return msgspec.json.encode(mark)


def decode(data: bytes) -> Mark | None:
    """The mark in these bytes; None where they are none, since anyone can push a field of this name."""
    try:
        return _decoder.decode(data)
    except ValueError:  # msgspec's, and UnicodeDecodeError
        return None
