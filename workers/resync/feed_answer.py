"""What a source says by itself, as JSON: what is a whole answer, and what is none (rule 46). Pure.

An answer is a JSON array of profiles, or a line for each and then one that proves the end: {"end": true, "count": n}.
What may have been cut off is tried again (TargetError, RETRY); what cannot be an answer, however it came, is not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn

import msgspec

from workers.errors import ErrorClass, Phase, TargetError
from workers.resync.profiles import UnfitSource
from workers.settings.spelling import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

LONGEST_LINE = 8 * 2**20
"""Bytes of a profile: no event could have a longer one."""
LONGEST_ARRAY = 64 * 2**20
"""Bytes of an array, which is read as a whole; lines have no such limit."""
LAST_LINE: Final = '{"end": true, "count": n}'
END: Final = {"end", "count"}
IDS: Final = {"_id", "id"}
"""Keys of which a member or a segment has one, and the last line none."""

_profiles = msgspec.json.Decoder(list[msgspec.Raw]).decode
_line = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NUMBER = re.compile(r"0|[1-9][0-9]*", re.ASCII)
_TRUNCATED: Final = "truncated"
"""As msgspec says that JSON ends too early."""


def entries(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The JSON of each profile of one answer, to its proven end. TargetError and UnfitSource, also after some."""
    coming = iter(chunks)
    start = b""
    for chunk in coming:
        start = (start + chunk).lstrip()
        if start:
            break
    if start.startswith(b"["):
        yield from _array(start, coming)
    elif start.startswith(b"{"):
        yield from _lines(start, coming)
    elif start:
        first = show(chr(start[0])) if start[0] < 128 else f"the byte 0x{start[0]:02x}"  # noqa: PLR2004 - ASCII
        raise UnfitSource(
            f"its answer begins with {first}: it is neither a JSON array nor lines of JSON objects; expected [ or {{"
        )
    else:
        _cut_off("its answer is empty")


def check_text(data: bytes, what: str) -> None:
    """UnfitSource where `what` is no UTF-8; TargetError where its last character may only be cut off."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        if error.end == len(data) and error.reason == "unexpected end of data":
            _cut_off(f"{what} ends within a character")
        raise UnfitSource(
            f"{what} has the byte 0x{data[error.start]:02x} at place {error.start + 1:,}, which is no UTF-8; "
            "expected its texts in UTF-8"
        ) from None


def _array(start: bytes, coming: Iterator[bytes]) -> Iterator[bytes]:
    held = bytearray(start)
    for chunk in coming:
        held += chunk
        if len(held) > LONGEST_ARRAY:
            raise UnfitSource(
                f"its array is longer than {LONGEST_ARRAY // 2**20} MiB; expected pages, or a line for each member"
            )
    try:
        found = _profiles(held)  # which stay where they are: a copy would take as much again
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        check_text(bytes(held), "its array")
        _cut_off(f"its array does not end with ], or is no JSON{_reason(error)}")
    yield from map(bytes, found)


def _lines(start: bytes, coming: Iterator[bytes]) -> Iterator[bytes]:
    count, ended = 0, False
    for line in _split(start, coming):
        if ended:
            raise UnfitSource("something follows the line that ends its answer; expected nothing")
        try:
            found = _line(line)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            check_text(line, f"line {count + 1:,} of its answer")
            _cut_off(f"line {count + 1:,} of its answer is no JSON object{_reason(error)}")
        if "end" in found and found.keys().isdisjoint(IDS):
            _check_end(found, count)
            ended = True
        else:
            count += 1
            yield line
    if not ended:
        _cut_off(f"its answer ended without a last line {LAST_LINE}")


def _check_end(found: Mapping[str, msgspec.Raw], count: int) -> None:
    """UnfitSource where the last line is not as it should be; TargetError where it tells of more members, or fewer."""
    where = f"line {count + 1:,} of its answer"
    if found.keys() != END:
        keys = ", ".join(show(key) for key in list(found)[:20])
        raise UnfitSource(f"{where} has the keys {keys}; expected a profile with its `_id`, or {LAST_LINE}")
    end, said = (bytes(found[name]).decode(errors="replace") for name in ("end", "count"))
    if end != "true":
        raise UnfitSource(f"{where} says end {show(end)}; expected true, as in {LAST_LINE}")
    if not _NUMBER.fullmatch(said):
        raise UnfitSource(f"{where} says count {show(said)}; expected a whole number, {count:,} after as many members")
    if said != str(count):
        _cut_off(f"its answer had {count:,} members, and its end says another number, {show(said)}")


def _split(start: bytes, coming: Iterator[bytes]) -> Iterator[bytes]:
    """Lines, without their ends, but blank ones."""
    rest = start
    while True:
        *lines, rest = rest.split(b"\n")
        yield from (line for line in lines if line.strip())
        if len(rest) > LONGEST_LINE:
            raise UnfitSource(f"a line is longer than {LONGEST_LINE // 2**20} MiB; expected a line for each member")
        chunk = next(coming, None)
        if chunk is None:
            break
        rest += chunk
    if rest.strip():
        yield rest


def _reason(error: Exception) -> str:
    """What the decoder says of it, which holds no value of it; "" where it only ends too early."""
    text = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return "" if _TRUNCATED in text else f" ({text})"


def _cut_off(what: str) -> NoReturn:
    raise TargetError(ErrorClass.RETRY, "source answer", what, phase=Phase.EXECUTE) from None
