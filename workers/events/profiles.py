"""The profiles of an event, each judged on its own: one that cannot be used costs itself alone (rule 6)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NoReturn

import msgspec

from workers.errors import MalformedEvent
from workers.events.event import BadProfile
from workers.events.numerals import Numeral
from workers.events.salvage import deeper_than

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_ID_BYTES = 255
MAX_DEPTH = 100
"""Levels of nesting in a profile: few enough that whoever decodes it later, in whatever stack, can."""


SHALLOW_BYTES = 2 * MAX_DEPTH
"""What is no longer than this is not nested too deeply: each level takes a bracket on either side."""


class _UnfitError(Exception):
    """A profile cannot be used: code, reason, and its `_id` where it could be read."""

    def __init__(self, code: str, reason: str, profile_id: str | None = None) -> None:
        self.code = code
        self.reason = reason
        self.profile_id = profile_id
        super().__init__(code, reason)


_decode_profile = msgspec.json.Decoder(dict[str, object], float_hook=Numeral).decode
# Whether a profile can be read does not depend on its decimals: any C function will do, if it makes no id of one.
_verify_profile = msgspec.json.Decoder(dict[str, object], float_hook=bool).decode


def profile(raw: bytes) -> dict[str, object]:
    """A profile that `parse` called good, decoded: None, bool, str, int, Numeral, list and dict.

    Numbers keep the digits of their JSON (rule 6). Raises msgspec.DecodeError for bytes that are no profile.
    """
    return _decode_profile(raw)


def sorted_out(raws: Iterable[bytes | msgspec.Raw]) -> tuple[list[tuple[int, str, bytes]], list[BadProfile]]:
    """The good ones, as in Event.profiles, and the bad. Raises MalformedEvent where one is no JSON at all."""
    good: list[tuple[int, str, bytes]] = []
    bad: list[BadProfile] = []
    for index, raw in enumerate(raws):
        data = bytes(raw)
        try:
            good.append((index, _profile_id(data, index), data))
        except _UnfitError as unfit:
            bad.append(BadProfile(index, data, unfit.profile_id, unfit.code, unfit.reason))
    return good, bad


def _profile_id(raw: bytes, index: int) -> str:
    """The `_id` of a profile that can be read to its end; else _UnfitError, or MalformedEvent where it is no JSON."""
    if (
        len(raw) > SHALLOW_BYTES
        and raw.count(b"[") + raw.count(b"{") > MAX_DEPTH
        and deeper_than(MAX_DEPTH, raw.decode())
    ):
        raise _UnfitError("malformed profile", f"profiles[{index}] is nested more than {MAX_DEPTH} levels deep")
    try:
        decoded = _verify_profile(raw)
    except msgspec.DecodeError:
        _explain(raw, index)
    value = decoded.get("_id")
    if type(value) is int:
        value = str(value)
    elif type(value) is not str:
        _explain_id(raw, index)
    # One character is at most four bytes, so short ids need no counting.
    if 0 < len(value) <= MAX_ID_BYTES // 4:
        return value
    problem = id_problem(value)
    if problem:
        raise _UnfitError("bad id", f"profiles[{index}]._id {problem}")
    return value


def _explain(raw: bytes, index: int) -> NoReturn:
    """Says why a profile cannot be decoded. What the standard library can read is JSON, if nothing more."""
    try:
        value = json.loads(raw.decode(), parse_int=Numeral, parse_float=Numeral, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        raise MalformedEvent(f"not json: profiles[{index}]: {syntax(error)}") from None
    if not isinstance(value, dict):
        raise _UnfitError("malformed profile", f"profiles[{index}] is {_type_name(value)}; expected an object")
    reason = f"profiles[{index}] holds half of a surrogate pair or an integer of more than 4,300 digits"
    raise _UnfitError("malformed profile", reason, _readable_id(value))


def no_constant(name: str) -> NoReturn:
    """Refuses NaN and Infinity, which the standard library would read."""
    raise json.JSONDecodeError(f"'{name}' is no JSON", "", 0)


def syntax(error: json.JSONDecodeError) -> str:
    """The standard library's sentence, which names no values: 'expecting value at character 17'."""
    return f"{error.msg[:1].lower()}{error.msg[1:].removesuffix(' at')} at character {error.pos}"


def _readable_id(decoded: dict[str, object]) -> str | None:
    """The `_id` of a profile that is bad for another reason, if it can be shown."""
    value = decoded.get("_id")
    if not isinstance(value, (str, Numeral)):
        return None
    text = str(value)
    try:
        return None if id_problem(text) or not text.encode() else text
    except UnicodeEncodeError:
        return None


def _explain_id(raw: bytes, index: int) -> NoReturn:
    decoded = _decode_profile(raw)
    what = _type_name(decoded["_id"]) if "_id" in decoded else "missing"
    raise _UnfitError("bad id", f"profiles[{index}]._id is {what}; expected a string or an integer")


def _type_name(value: object) -> str:
    if isinstance(value, Numeral):
        return "an integer" if value.text.lstrip("-").isdigit() else "a number with a fraction or an exponent"
    names: dict[type, str] = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    return names.get(type(value), "null")


def id_problem(text: str) -> str | None:
    """What is wrong with an id's text; one character is at most four bytes, so short ids need no counting."""
    if not text:
        return "is empty; expected a string or an integer"
    if len(text) > MAX_ID_BYTES // 4 and len(text.encode()) > MAX_ID_BYTES:
        return f"has {len(text.encode()):,} bytes; expected at most {MAX_ID_BYTES}"
    return None
