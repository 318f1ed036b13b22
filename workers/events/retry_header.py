"""What an event carries that comes out of the quarantine: the field `retry` beside `event` (rule 30)."""

from __future__ import annotations

import hashlib

import msgspec


class RetryHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an entry of the quarantine goes once more.

    entry        its uid
    retries      how often it was retried, this time included
    integration  the only one to be told; None where the event never reached one, and goes to all that want it
    slot         as in lanes.Retry
    at_us        when it happened, Unix microseconds; None: as the event says
    seal         says that this installation has made it
    """

    entry: str
    retries: int
    integration: str | None = None
    slot: str = ""
    at_us: int | None = None
    seal: str = ""


_decoder = msgspec.json.Decoder(RetryHeader)


def encode(ticket: RetryHeader, installation: str) -> bytes:
    """As it stands in the field `retry`, with the installation's seal."""
    return msgspec.json.encode(msgspec.structs.replace(ticket, seal=_seal(ticket, installation)))


def decode(data: bytes, installation: str) -> RetryHeader | None:
    """The ticket in these bytes; None where this installation has made none such: anyone can push a field of this name.

    An event is not believed to be an entry's that nobody here knows: nothing would count it, wherever it ends.
    """
    try:
        ticket = _decoder.decode(data)
    except ValueError:  # msgspec's, and UnicodeDecodeError
        return None
    return ticket if ticket.seal == _seal(ticket, installation) else None


def _seal(ticket: RetryHeader, installation: str) -> str:
    """No secret, for whoever reads Redis can make one; it keeps out what was made up, or pushed elsewhere."""
    said = msgspec.json.encode([installation, ticket.entry, ticket.retries, ticket.integration, ticket.slot])
    return hashlib.blake2b(said, digest_size=8).hexdigest()
