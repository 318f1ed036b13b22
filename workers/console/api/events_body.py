"""What was posted to /api/events: unpacked within a bound, and parted into events."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import msgspec

from workers.console.api.routes import ApiRefused
from workers.console.failures import TooLarge
from workers.errors import WrongUsage

MOST_PACKED: Final = 16 * 2**20
"""Bytes as they come."""
MOST_UNPACKED: Final = 64 * 2**20
"""Bytes of events: gzip makes a thousand of one, so what it says of itself is not believed."""
MOST_EVENTS: Final = 250_000
"""Events, and lines, in one call. Each costs memory of its own, however short it is."""
MOST_OBJECTS: Final = 4_000_000
"""Opening braces of an array: events, segments, profiles and what is nested in those."""
LINES: Final = ("application/x-ndjson", "application/jsonl", "application/json-lines", "text/plain")
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
BLANKS: Final = b" \t\r\n"
_GZIP: Final = zlib.MAX_WBITS | 16


@dataclass(frozen=True, slots=True)
class Item:
    """One event as it came.

    kind    "line", or "item" of an array
    number  which, counted from 1
    """

    kind: str
    number: int
    event: bytes


def unpacked(body: bytes, encoding: str) -> bytes:
    """The bytes, unpacked as Content-Encoding says; ApiRefused for another than gzip, WrongUsage, TooLarge."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip"):
        raise ApiRefused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Encoding {encoding[:60]!r}: expected gzip or none"
        )
    found, rest = bytearray(), body
    while rest:
        member = zlib.decompressobj(_GZIP)
        try:
            found += member.decompress(rest, MOST_UNPACKED + 1 - len(found))
        except zlib.error:
            raise WrongUsage("the body is no gzip, which its Content-Encoding says it is") from None
        if len(found) > MOST_UNPACKED:
            raise TooLarge(MOST_UNPACKED)
        if not member.eof:
            raise WrongUsage("the gzip ends before its end; expected all of it")
        rest = member.unused_data
    return bytes(found)


def items_of(content: bytes, content_type: str) -> list[Item]:
    """Its events: one a line, or those of an array; ApiRefused for another type, WrongUsage for what is neither."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        return _of_array(content)
    if kind not in LINES:
        expected = "expected application/x-ndjson (one event a line) or application/json (an array)"
        raise ApiRefused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type {kind[:60]!r}: {expected}")
    if content.count(b"\n") >= MOST_EVENTS and len(content.rstrip(BLANKS).split(b"\n", MOST_EVENTS)) > MOST_EVENTS:
        raise WrongUsage(TOO_MANY)
    lines = (line.removeprefix(BYTE_ORDER_MARK).strip(BLANKS) for line in content.split(b"\n"))
    return [Item("line", number, line) for number, line in enumerate(lines, 1) if line]


class _Object(msgspec.Struct):
    """Any object: the array is counted, and what is none found, before anything of it is kept."""


TOO_MANY: Final = f"there are more than {MOST_EVENTS:,} events; expected fewer in one call"


def _of_array(content: bytes) -> list[Item]:
    """The array's items, byte for byte; an object alone is an array of one."""
    text = content.removeprefix(BYTE_ORDER_MARK).strip(BLANKS)
    if text.startswith(b"{"):
        return [Item("item", 1, text)]
    if text.count(b"{") > MOST_OBJECTS:
        raise WrongUsage(TOO_MANY)
    try:
        if len(msgspec.json.decode(text, type=list[_Object])) > MOST_EVENTS:
            raise WrongUsage(TOO_MANY)
        found = msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WrongUsage(f"the body is no array of events: {error}") from None
    return [Item("item", number, bytes(each)) for number, each in enumerate(found, 1)]
