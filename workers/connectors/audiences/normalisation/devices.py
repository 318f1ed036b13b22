"""Normal forms of ids: of devices, of accounts in social networks, and of the customer's own."""

from __future__ import annotations

import re

from workers.connectors.audiences.normalisation.hashing import HASHED_NOTHING, OF_NOTHING
from workers.connectors.audiences.normalisation.plain_text import NotNormal, small, tidied

_DEVICE = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")
_MAC = re.compile(r"[0-9a-f]{2}(?:[:-]?[0-9a-f]{2}){5}")
_ACCOUNT = re.compile(r"0*([1-9][0-9]{0,18})", re.ASCII)


def mobile_id(text: str) -> str:
    """A Google Advertising ID: small, with its hyphens. Nothing but zeros is what a device says that gives none.

    Nor is the MD5 of an empty text one, which has as many digits.
    """
    found = _DEVICE.fullmatch(small(text))
    if found is None:
        raise NotNormal("no advertising id of a device")
    digits = "".join(found.groups())
    if digits in OF_NOTHING:
        raise NotNormal(HASHED_NOTHING)
    if not set(digits) - {"0"}:
        raise NotNormal("the advertising id of a device that gives none")
    return "-".join(found.groups())


def apple_id(text: str) -> str:
    """Apple's IDFA: in capitals, with its hyphens."""
    return mobile_id(text).upper()


def mac(text: str) -> bytes:
    """A network card's address: the six bytes themselves, of which Yandex wants the hash, and not of their text."""
    found = small(text)
    if not _MAC.fullmatch(found):
        raise NotNormal("no MAC address")
    return bytes.fromhex(found.replace(":", "").replace("-", ""))


def account(text: str) -> str:
    """The number of an account of VK or Odnoklassniki; `id123` is 123."""
    found = _ACCOUNT.fullmatch(small(text).removeprefix("id"))
    if found is None:
        raise NotNormal("no number of an account")
    return found[1]


def own_id(text: str) -> str:
    """An id of the customer's own: as it is, since others must find it again just so; not the hash of an empty one."""
    if not tidied(text):
        raise NotNormal("empty")
    if small(text) in OF_NOTHING:
        raise NotNormal(HASHED_NOTHING)
    if not text.isprintable():
        raise NotNormal("an id with signs that cannot be printed")
    return text
