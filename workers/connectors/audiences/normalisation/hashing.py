"""Hashes as platforms take them: small hexadecimal digits, never of an empty text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.normalisation.plain_text import NotNormal, small

if TYPE_CHECKING:
    from workers.connectors.audiences.records import Hash

Hasher = Callable[[bytes], str]


def _md5(value: bytes) -> str:
    return hashlib.md5(value, usedforsecurity=False).hexdigest()


def _sha256(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


HASHERS: Final[dict[str, Hasher]] = {"sha256": _sha256, "md5": _md5}
_SHAPES: Final = {"sha256": re.compile("[0-9a-f]{64}"), "md5": re.compile("[0-9a-f]{32}")}
OF_NOTHING: Final = frozenset(hasher(b"") for hasher in HASHERS.values())
"""What people get who hash empty texts: it names nobody."""
HASHED_NOTHING: Final = "the hash of an empty text"
"""Why that is not sent."""


def hashed(value: str | bytes, kind: Hash) -> str:
    """A normal form as it is sent; with kind "" it is its own text. An empty one raises NotNormal."""
    if not value:
        raise NotNormal("empty")
    octets = value.encode() if isinstance(value, str) else value
    if not kind:
        return octets.decode()
    return HASHERS[kind](octets)


def hashed_already(text: str, kind: Hash) -> str:
    """A hash that the profile has, in small digits; NotNormal for what has another shape, or is that of no text."""
    found = small(text)
    if not _SHAPES[kind].fullmatch(found):
        raise NotNormal(f"no {'SHA-256' if kind == 'sha256' else 'MD5'} in hexadecimal digits")
    if found in OF_NOTHING:
        raise NotNormal(HASHED_NOTHING)
    return found
