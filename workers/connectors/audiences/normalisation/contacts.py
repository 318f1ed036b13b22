"""Normal forms of e-mail addresses and phone numbers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from workers.connectors.audiences.normalisation.plain_text import WIDTHLESS, NotNormal, small, tidied

if TYPE_CHECKING:
    from types import ModuleType

_ADDRESS = re.compile(r"""[^\s@<>()\[\],;:"\\]+@[^\s@<>()\[\],;:"\\.]+(?:\.[^\s@<>()\[\],;:"\\.]+)+""")
"""One address and nothing beside it. What a mail server would make of it is not asked."""
_LONGEST_ADDRESS = 254
"""Characters that an address may have (RFC 5321)."""
_HIDDEN = frozenset(WIDTHLESS)
"""What nobody sees in an address, and what makes its hash another."""
_GMAIL = ("gmail.com", "googlemail.com")
"""Where dots and what follows a plus mean nothing, and Google takes them out (its page "Format user data")."""
_NUMBER = re.compile(r"[+\uff0b]?[\d\s().\-\u2010-\u2015\u2212]*\d[\d\s().\-\u2010-\u2015\u2212]*")
"""One number as people write it. Letters, extensions and a second number are not guessed at."""


def email(text: str) -> str:
    """Without blanks around, in small letters: ` Mail@Yandex.RU ` is mail@yandex.ru. As Meta takes it."""
    address = small(text)
    hidden = not address.isascii() and not _HIDDEN.isdisjoint(address)
    if len(address) > _LONGEST_ADDRESS or hidden or not _ADDRESS.fullmatch(address):
        raise NotNormal("no e-mail address")
    return address


def latin_email(text: str) -> str:
    """As `email`; letters beyond ASCII are refused, as Yandex and VK do ("lower-case Latin", invalid_email)."""
    address = email(text)
    if not address.isascii():
        raise NotNormal("an e-mail address with letters beyond ASCII")
    return address


def google_email(text: str) -> str:
    """As `email`; of Gmail's addresses without dots and +suffix: C.Loud+shop@gmail.com is cloud@gmail.com."""
    address = email(text)
    name, _, domain = address.rpartition("@")
    if domain not in _GMAIL:
        return address
    name = name.partition("+")[0].replace(".", "")
    if not name:
        raise NotNormal("no e-mail address")
    return f"{name}@{domain}"


def phone(text: str, region: str) -> str:
    """E.164 with its plus: `8 (999) 555-11-11` of region RU is +79995551111. As Google takes it.

    region  ISO 3166-1 alpha-2, in capitals: where a number was written that names no country; "" where none is said,
            and then only numbers with a plus are read

    With a plus the length must be possible, with all that is dialled from abroad; without one the number must be one
    that its country gives out, since any digits are possible somewhere.
    """
    number = " ".join(tidied(text).split())  # of blanks, phonenumbers knows but few
    if not _NUMBER.fullmatch(number):
        raise NotNormal("no phone number")
    international = number[0] in "+\uff0b"
    if not international and not region:
        raise NotNormal("a phone number without its country; phone_region says which")
    return _e164(number, region, international=international)


@lru_cache(4096)
def _e164(number: str, region: str, *, international: bool) -> str:
    numbers = _phonenumbers()
    try:
        parsed = numbers.parse(number, region or None)
    except numbers.NumberParseException:
        raise NotNormal("no phone number") from None
    if international:
        fits = numbers.is_possible_number_with_reason(parsed) == numbers.ValidationResult.IS_POSSIBLE
    else:
        fits = numbers.is_valid_number(parsed)
    if not fits:
        raise NotNormal("no phone number of its country")
    return str(numbers.format_number(parsed, numbers.PhoneNumberFormat.E164))


def phone_digits(text: str, region: str) -> str:
    """As `phone`, without the plus: 79995551111. As Yandex, VK and Meta take it."""
    return phone(text, region).removeprefix("+")


def regions() -> frozenset[str]:
    """What `phone_region` may be: the countries whose numbers are known, as in "RU"."""
    return frozenset(_phonenumbers().SUPPORTED_REGIONS)


@lru_cache(1)
def _phonenumbers() -> ModuleType:
    """Loaded late: it takes a while, and only ad accounts need it."""
    import phonenumbers  # noqa: PLC0415

    return phonenumbers
