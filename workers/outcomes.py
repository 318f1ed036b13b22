"""What came of what was accepted: the records that scripts append to the outcomes stream.

They are written by the same script that moves a lane or the intake on, so no count is lost when a
process or the ledger dies (rule 28), and read by the drainer (`workers/ledger/ingest.py`), which writes
them to the ledger. Only `Quarantined` carries profile data.
"""

from __future__ import annotations

import secrets
from typing import Final

import msgspec

OF_NO_LANE: Final = "9" * 27
"""The sequence of an entry that came through no lane: behind all others, so that no clear of one has done with it."""


UNFINISHED: Final = ("open", "retried")
"""States of an entry of the quarantine that somebody, or a delivery, may still change."""


class QueryRun(msgspec.Struct, frozen=True, array_like=True):
    """One query of a delivery, committed.

    event_type    "add", "remove", "clear", "segment_upsert" or "segment_delete"
    profiles      profiles in it (0 for a segment event)
    statements    SQL statements sent
    rows          affected rows, as the driver counts them (MySQL counts an updated row twice)
    duration_us   microseconds from the first statement's start to the last one's end
    runs          1; more where many were folded into one (`workers/ledger/rollups.py`), and then all numbers are sums;
                  0 where nothing of it was sent
    unsent        statements that were not sent, since the list that is all of them came out empty
    """

    event_type: str
    profiles: int
    statements: int
    rows: int
    duration_us: int
    runs: int = 1
    unsent: int = 0


class Delivery(msgspec.Struct, frozen=True, array_like=True, tag="delivery"):
    """One try of one batch.

    uid          unique id, so that writing it twice is writing it once
    outcome      "delivered", "retry" (segsync tries again by itself) or "held" (someone is needed)
    first, last  sequences of the batch's first and last operation
    operations   operations the batch took from the lane
    merged       of these: superseded within the batch by a later one of their key
    moot         of these: made pointless by a later clear, or no query is configured for them
    quarantined  of these: went to the quarantine
    attempt      1 for the first try
    started_ms   Unix milliseconds by the deliverer's clock
    duration_us  microseconds from BEGIN to COMMIT, or to the failure
    waited_ms    milliseconds from the first operation's stream time to the end
    code, reason the error's code and our sentence; "" when delivered
    queries      one for each query run; empty unless delivered
    tries        1; more where many were folded into one, and then counts are sums, and `segment` is ""
    event_type   of the query that failed; "" where none did, or where nothing came as far as a query
    """

    uid: str
    integration: str
    connector: str
    segment: str
    outcome: str
    first: str
    last: str
    operations: int
    merged: int
    moot: int
    quarantined: int
    attempt: int
    started_ms: int
    duration_us: int
    waited_ms: int
    code: str = ""
    reason: str = ""
    queries: list[QueryRun] = []
    tries: int = 1
    event_type: str = ""


class Quarantined(msgspec.Struct, frozen=True, array_like=True, tag="quarantined"):
    """A profile or an event that could not be delivered. The only record with people's data.

    integration   None where the event never reached one (malformed bytes)
    sequence      of the operation: when it came in; OF_NO_LANE where an ad platform refuses a member
    at_ms         when it was set aside, Unix milliseconds
    code          short and stable: "malformed", "missing key", "mysql 1406", ...
    reason        our sentence: what was wrong, where, what was expected; never a value
    payload       the profile's or event's bytes as they came; very large ones: their beginning
    size, sha256  of the whole payload
    detail        the vendor's text, if a target refused it
    slot          what its lane knows it by while it is open (`delivery/superseding.py`); "" without a usable key
    event_us      when it happened: the producer's own time in Unix microseconds, if it gave one
    retries       how often it was retried before, under the entries that this one replaces
    replaces      uid of the entry that was retried and refused once more, or ""
    """

    uid: str
    integration: str | None
    segment: str | None
    event_type: str | None
    profile: str | None
    sequence: str
    at_ms: int
    code: str
    reason: str
    payload: bytes
    size: int
    sha256: str
    detail: str = ""
    slot: str = ""
    event_us: int | None = None
    retries: int = 0
    replaces: str = ""


class Resolved(msgspec.Struct, frozen=True, array_like=True, tag="resolved"):
    """What became of an entry of the quarantine (rule 30). Packed by lanes/scripts/common.lua, too.

    entry   its uid
    state   "retried", "delivered", "superseded", "replaced", "dropped"; "open": the retry led nowhere, it is back
    at_ms   when, Unix milliseconds
    code    why, short: "later operation", "clear", "no query", "not followed", "other spelling", or ""
    reason  our sentence, where there is more to say
    by      who commanded it, or ""
    """

    entry: str
    state: str
    at_ms: int
    code: str = ""
    reason: str = ""
    by: str = ""


class Cleared(msgspec.Struct, frozen=True, array_like=True, tag="cleared"):
    """The entries for profiles of this lane that are older are superseded.

    Packed by lanes/scripts/settle.lua and lanes/scripts/run.lua.

    sequence  of the committed clear, or of the mark of a run that is done
    code      why, short: "clear" or "resync"
    """

    integration: str
    segment: str
    sequence: str
    at_ms: int
    code: str = "clear"


class Resynced(msgspec.Struct, frozen=True, array_like=True, tag="resynced"):
    """A run of a resync that is over.

    run          its id, as people name it
    kind         "resync" or "verify"
    mode         "diff", "replace" or "resend"; "" where it did not come so far
    by           who asked for it
    members      that the source gave; rows that the target had
    added        members told; removed: rows; kept: rows spelled otherwise, which stay
    unusable     members without a usable key
    quarantined  of what was told: went to the quarantine
    outcome      "done", "needs confirmation", "failed", "cancelled", "equal" or "differs"
    reason       our sentence
    """

    uid: str
    run: str
    integration: str
    segment: str
    kind: str
    mode: str
    by: str
    asked_ms: int
    ended_ms: int
    members: int
    rows: int
    added: int
    removed: int
    kept: int
    unusable: int
    quarantined: int
    outcome: str
    reason: str = ""


class Acted(msgspec.Struct, frozen=True, array_like=True, tag="acted"):
    """What a person, or a program in a person's place, has had segsync do; written before it is done.

    at_ms    when, Unix milliseconds: of its place in the stream, once it is there
    who      user, or user and host
    via      "console", "api" or "command"
    act      as its command is called: "pause", "quarantine retry", …; and "sign in", "reveal"
    target   what it was done to, as people type it
    reason   as it was given; "" for none
    address  where the request came from; "" for a command
    failed   why nothing, or only a part, came of it: our sentence; "" where nothing is known of that
    """

    uid: str
    at_ms: int
    who: str
    via: str
    act: str
    target: str
    reason: str = ""
    address: str = ""
    failed: str = ""


Record = Delivery | Quarantined | Resolved | Cleared | Resynced | Acted

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def new_uid() -> str:
    """A unique id for a record: 24 hexadecimal digits."""
    return secrets.token_hex(12)


def encode(record: Record) -> bytes:
    """The record as it travels in the outcomes stream's field `r`."""
    return _encoder.encode(record)


def decode(data: bytes) -> Record:
    """The record back from the stream; msgspec.DecodeError or UnicodeDecodeError for bytes that are none."""
    return _decoder.decode(data)
