"""Who is to be erased, as somebody asks for it: what would find others, too, is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.control.person import key_name
from workers.control.sought import fold
from workers.errors import WrongUsage
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MOST: Final = 10_000
"""Ids and values at once."""
FEWEST_CHARACTERS: Final = 3
"""Of a value: less stands in too many profiles."""


def wanted(profiles: Sequence[str], values: Sequence[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Ids and values as `Person` has them, blank values left out; WrongUsage with the place of what is wrong.

    profiles  `_id`s, and keys
    values    one each: an e-mail, a phone, an outer id
    """
    if len(profiles) + len(values) > MOST:
        raise WrongUsage(f"{len(profiles) + len(values):,} profiles and values; expected {MOST:,} at most")
    for number, each in enumerate(profiles, start=1):
        if not each.strip() or any(map(is_surrogate, each)):
            raise WrongUsage(f"profile {number}: empty, or no text; expected an `_id` or a key")
        if wrong := wrong_name(each):
            raise WrongUsage(f"profile {number}: {wrong}")
    for number, each in enumerate(values, start=1):
        if wrong := wrong_with(each.strip()) or too_short(each.strip()):
            raise WrongUsage(f"value {number}: {wrong}")
    found = frozenset(profiles), frozenset(each.strip() for each in values if each.strip())
    if not any(found):
        raise WrongUsage("nobody is named; expected profiles, by their `_id` or key, or values")
    return found


def told_of(profiles: Collection[str], values: Collection[str]) -> str:
    """How many were asked for, for the audit log: who they are is written down nowhere."""
    return f"{counted(len(profiles), 'profile')}, {counted(len(values), 'value')}"


def wrong_with(value: str) -> str:
    """Why this cannot be a single value; "" where it can."""
    if "\0" in value or any(map(is_surrogate, value)):
        return "a NUL in it; expected text in UTF-8"
    if value.count("@") > 1:
        return "more than one @; expected one value in each line"
    if sum(map(str.isalnum, fold(value))) < FEWEST_CHARACTERS <= len(value):
        what = f"fewer than {FEWEST_CHARACTERS} letters or digits"
        return f"{what}, which would find others, too; expected a whole value"
    return ""


def wrong_name(profile: str) -> str:
    """Why nobody can be named so, by `_id` or key; "" where somebody can.

    A list of a key's fields may spell out what no text holds: U+0000 stays spelled out in it, half of a pair is none.
    """
    if "\0" in profile:
        return "a NUL in it; expected an `_id` or a key as text"
    if any(map(is_surrogate, key_name(profile))):
        return "half of a surrogate pair in it; expected an `_id` or a key as text"
    return ""


def too_short(value: str) -> str:
    """Why so short a value is refused; "" for one that is long enough, or none."""
    if 0 < len(value) < FEWEST_CHARACTERS:
        return f"fewer than {FEWEST_CHARACTERS} characters, which would find others, too; expected a whole value"
    return ""


def is_surrogate(character: str) -> bool:
    """Whether it stands for bytes that are no text."""
    return "\ud800" <= character <= "\udfff"
