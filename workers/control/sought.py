"""Whether a text has a value that is sought, however it is written there. Pure.

Values and texts are compared in the normal forms that ad platforms are sent, and by the hashes of these forms.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from workers.connectors.audiences.normalisation import FORMS, NotNormal
from workers.connectors.audiences.normalisation.hashing import HASHERS
from workers.connectors.audiences.normalisation.plain_text import WIDTHLESS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_BETWEEN = r"\s().\-/\u2010-\u2015\u2212"
"""What people write between a number's digits."""
_NUMBER = re.compile(rf"[+\d(][\d{_BETWEEN}]{{6,}}")
_DECIMAL = re.compile(r"-?\d+\.\d+")
_NO_DIGIT = re.compile(r"[^0-9]")
_TRUNK = re.compile(r"\(0\)")
"""As in +44 (0)20: dialled within the country only."""
_LONG_DISTANCE = re.compile(r"8(?=[3-9]\d{9}$)", re.ASCII)
_ABROAD = re.compile(r"00(?=[1-9]\d{9,14}$)", re.ASCII)
FEWEST_DIGITS: Final = 7
"""Of a number that is compared without what stands between its digits."""
_FEWEST_AMONG_OTHERS = 10
"""Of a number that is looked for within a longer text: it has its country."""
_MOST_DIGITS = 20
_LINK = re.compile(r"(?:mailto|tel|callto|sms|smsto|whatsapp|viber|skype):(?:/{2})?", re.IGNORECASE)
_NAMED = re.compile(r"[^<>]*<([^<>]+)>\s*")
"""As in Ann <ann@example.com>."""
_NAME_BACKWARDS = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+")
_DOMAIN = re.compile(r"(?:[^\W_](?:[^\W_]|-)*\.)+[^\W_](?:[^\W_]|-)*")
_LONGEST_ADDRESS = 254
_BEFORE_AN_ADDRESS = re.compile(r"[!#$%&'*/=?^`{|}~]")
_DIGITS = re.compile(rf"(?<![\w.@])(?<!(?<!\w)-)[+(]{{0,2}}\d[\d{_BETWEEN}]*(?![\w@])")
_GROUP = re.compile(r"\d+")
_HASH = re.compile(r"(?<![0-9a-z])(?:0x|\\x)?([0-9a-f]{64}|[0-9a-f]{32})(?![0-9a-z])", re.IGNORECASE)
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/_-]{22}(?:==)?|[A-Za-z0-9+/_-]{43}=?)")
_LONG_AS_BASE64 = (22, 24, 43, 44)
_MAY_BE_MORE = re.compile(r"[@\d]")
"""What each address, number and hash has, but for one in Base64."""
_ACCOUNT = re.compile(r"id0*([1-9]\d{0,18})", re.ASCII)
_MAY_BE_A_DEVICE = re.compile(r"[0-9a-f:-]{12,36}")
_ADDRESSES = ("e-mail", "Google's e-mail")
_DEVICES = ("mobile id", "Apple's id", "MAC")
_PHONES = ("phone", "digits of a phone")


def legible(text: str) -> str:
    """Without blanks around and signs without width, each sign in its one spelling: a wide digit is a digit."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_WIDTHLESS)
    return plain.strip()


_WIDTHLESS = dict.fromkeys(map(ord, WIDTHLESS))


def unwrapped(text: str) -> str:
    """An address or a number out of a link, behind a name, or with 00 for its plus; anything else as it is.

    `mailto:ann@example.com?subject=x`, `Ann <ann@example.com>`, `tel:+7-999-123-45-67`, `007 999 123 45 67`.
    """
    found = legible(text)
    if named := _NAMED.fullmatch(found):
        found = named[1].strip()
    if link := _LINK.match(found):
        found = unquote(re.split("[?;]", found[link.end() :])[0]).strip()
    if _NUMBER.fullmatch(found) and not found.startswith("+"):
        digits = _NO_DIGIT.sub("", found)
        if _ABROAD.match(digits):
            return "+" + digits[2:]
    return found


def fold(value: str) -> str:
    """A value as it is compared: without case and blanks around it; of a phone number its digits.

    Russia's 8, as it is dialled within the country, is its 7. A decimal number keeps its point: it is no phone.
    """
    return _folded(unwrapped(value))


def _folded(plain: str) -> str:
    text = plain.casefold()
    if not _NUMBER.fullmatch(text) or _DECIMAL.fullmatch(text):
        return text
    digits = _NO_DIGIT.sub("", _TRUNK.sub("", text) if text.startswith("+") else text)
    return _LONG_DISTANCE.sub("7", digits, count=1)


def _forms(text: str, regions: Collection[str] | None) -> set[str]:
    """All that a whole text is compared as; without regions it is not read as a number of a country."""
    plain = unwrapped(text)
    found = {legible(text).casefold(), _folded(plain)}
    if account := _ACCOUNT.fullmatch(plain.casefold()):
        found.add(account[1])
    if "@" in plain:
        found.add(_in_latin(plain.casefold()))
    return found | {each for each in _normal(plain, regions) if isinstance(each, str)}


def _in_latin(address: str) -> str:
    """With its domain as mail servers have it: ann@bücher.example is ann@xn--bcher-kva.example."""
    name, _, domain = address.rpartition("@")
    with suppress(UnicodeError):
        return f"{name}@{domain.encode('idna').decode()}"
    return address


def _normal(plain: str, regions: Collection[str] | None) -> Iterator[str | bytes]:
    """The normal forms of an address, a number or a device's id; none of anything else."""
    if "@" in plain:
        names: tuple[str, ...] = _ADDRESSES
    elif _NUMBER.fullmatch(plain):
        names = () if regions is None or _DECIMAL.fullmatch(plain) else _PHONES
        names += _DEVICES
    else:
        names = _DEVICES if _MAY_BE_A_DEVICE.fullmatch(plain.casefold()) else ()
    for name in names:
        for region in ("", *(regions or ())) if name in _PHONES else ("",):
            # Where what ad accounts need is not installed, nobody has sent a number with its country.
            with suppress(NotNormal, ImportError):
                yield from FORMS[name](plain, region)


def _digests(value: str, regions: Collection[str]) -> Iterator[str]:
    """The hashes of a value as it is, and of its normal forms, in small hexadecimal digits."""
    plain = unwrapped(value)
    said: set[str | bytes] = {value.strip(), plain, plain.casefold(), *_normal(plain, regions)}
    number = _folded(plain)
    if number.isdecimal() and len(number) >= FEWEST_DIGITS:
        said |= {number, "+" + number}
    for each in said:
        octets = each.encode("utf-8", "replace") if isinstance(each, str) else each
        yield from (hasher(octets) for hasher in HASHERS.values())


def _hashes_in(text: str) -> Iterator[str]:
    """Hashes that stand in a text, in small hexadecimal digits: as such in any case, or as Base64 of their bytes."""
    yield from (each.lower() for each in _HASH.findall(text))
    if _BASE64.fullmatch(text):
        padded = text.rstrip("=").replace("-", "+").replace("_", "/")
        with suppress(binascii.Error):
            yield base64.b64decode(padded + "=" * (-len(padded) % 4)).hex()


def _addresses_in(text: str) -> Iterator[str]:
    """E-mail addresses within a text; of `?to=ann@example.com` both that and what stands behind the last sign.

    From each @ to both sides, so that a long text costs no more than it has of them.
    """
    for at in (found.start() for found in re.finditer("@", text)):
        backwards = _NAME_BACKWARDS.match(text[max(0, at - _LONGEST_ADDRESS) : at][::-1])
        domain = _DOMAIN.match(text, at + 1, at + 1 + _LONGEST_ADDRESS)
        if backwards is None or domain is None:
            continue
        name = backwards[0][::-1]
        begins = [0, *(sign.end() for sign in _BEFORE_AN_ADDRESS.finditer(name))]
        yield from (f"{name[first:].lstrip('.')}@{domain[0]}" for first in begins if name[first:].strip("."))


def _numbers_in(text: str) -> Iterator[tuple[str, str]]:
    """Runs of digits within a text, as `fold` has phones, and as written: what stands between may also end a number."""
    for run in _DIGITS.findall(text):
        groups = list(_GROUP.finditer(_TRUNK.sub("   ", run)))
        for first, group in enumerate(groups):
            digits = ""
            for last in groups[first : first + _MOST_DIGITS]:
                digits += last[0]
                if len(digits) > _MOST_DIGITS:
                    break
                if len(digits) >= _FEWEST_AMONG_OTHERS:
                    plain = _LONG_DISTANCE.sub("7", _ABROAD.sub("", digits, count=1), count=1)
                    yield plain, run[group.start() : last.end()]


class SoughtValues:
    """Values that are looked for.

    values   as somebody gave them: an e-mail, a phone, an id, or the hash of one
    regions  of phone numbers that name no country (ISO 3166-1 alpha-2), as integrations have them
    """

    def __init__(self, values: Collection[str], regions: Collection[str]) -> None:
        self._regions = tuple(sorted(regions))
        self._forms = {form for each in values for form in _forms(each, self._regions) if form}
        self._hashes = {one for each in values for one in _hashes_in(legible(each))}
        self._digests = self._hashes | {one for each in values if each.strip() for one in self._digests_of(each)}
        self._ends = {each[-FEWEST_DIGITS:] for each in self._forms if each.isdecimal()}

    def has(self, text: str) -> bool:
        """Whether the text is one of them, or has an address, a number or a hash of theirs in it."""
        if not self._forms:
            return False
        found = legible(text)
        if found.casefold() in self._forms:
            return True
        if not (self._hashes or _MAY_BE_MORE.search(found) or len(found) in _LONG_AS_BASE64):
            return False
        if self._is(found) or self._is_within(found):
            return True
        return "%" in found and (plain := unquote(found)) != found and (self._is(plain) or self._is_within(plain))

    def _is(self, text: str) -> bool:
        if not self._forms.isdisjoint(_forms(text, self._regions if self._may_be_a_number(text) else None)):
            return True
        return bool(self._hashes) and not self._hashes.isdisjoint(self._digests_of(text))

    def _may_be_a_number(self, text: str) -> bool:
        """Asked before a number is read, which takes a while."""
        return _NO_DIGIT.sub("", text)[-FEWEST_DIGITS:] in self._ends

    def _is_within(self, text: str) -> bool:
        if "@" in text and any(not self._forms.isdisjoint(_forms(address, None)) for address in _addresses_in(text)):
            return True
        if (
            self._ends
            and sum(map(str.isdigit, text)) >= _FEWEST_AMONG_OTHERS
            and any(plain in self._forms and not _DECIMAL.fullmatch(said) for plain, said in _numbers_in(text))
        ):
            return True
        return any(each in self._digests for each in _hashes_in(text))

    def _digests_of(self, text: str) -> set[str]:
        return set(_digests(text, self._regions))
