"""What an event carries that comes out of the quarantine: the field `retry` beside `event` (rule 30)."""

from __future__ import annotations

import msgspec


class RetryHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an entry of the quarantine goes once more.

    entry        its uid
    retries      how often it was retried, this time included
    integration  the only one to be told; None where the event never reached one, and goes to all that want it
    slot         as in lanes.Retry
    at_us        when it happened, Unix microseconds; None: as the event says
    """

    entry: str
    retries: int
    integration: str | None = None
    slot: str = ""
    at_us: int | None = None


_decoder = msgspec.json.Decoder(RetryHeader)


def encode(ticket: RetryHeader) -> bytes:
    """As it stands in the field `retry`."""
    return msgspec.json.encode(ticket)


def decode(data: bytes) -> RetryHeader | None:
    """The ticket in these bytes; None where they are none, since anyone can push a field of this name."""
    try:
        return _decoder.decode(data)
    except ValueError:  # msgspec's, and UnicodeDecodeError
        return None
