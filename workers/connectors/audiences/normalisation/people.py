"""Normal forms of names, places, genders and dates of birth, after Meta's page "Customer File Custom Audiences"."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from workers.connectors.audiences.normalisation.countries import COUNTRIES
from workers.connectors.audiences.normalisation.cyrillic import LATIN
from workers.connectors.audiences.normalisation.plain_text import NotNormal, small, tidied, without_punctuation

_GENDERS = dict.fromkeys(("m", "male", "м", "муж", "мужской"), "m")
_GENDERS |= dict.fromkeys(("f", "female", "ж", "жен", "женский"), "f")
_BIRTHS = (
    re.compile(r"(?P<year>\d{4})-(?P<month>\d\d?)-(?P<day>\d\d?)(?:[T ].*)?", re.ASCII),
    re.compile(r"(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>\d{4})", re.ASCII),
    re.compile(r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)", re.ASCII),
)
"""1970-01-31, 31.01.1970 and 19700131. With slashes nobody knows which is the month."""
_FIRST_YEAR = 1900
"""The first year of birth that Meta takes."""


def name(text: str) -> str:
    """Small letters of any script, without punctuation: ` FamilyName ` is familyname, `O'Brien` is obrien."""
    found = without_punctuation(small(text))
    if not found:
        raise NotNormal("no name")
    return found


def spelled_name(text: str) -> str:
    """Small letters of any script, as it is spelled: `O'Brien` is o'brien. As Google takes it."""
    found = " ".join(small(text).split())
    if not any(map(str.isalpha, found)):
        raise NotNormal("no name")
    return found


def city(text: str) -> str:
    """Small letters a to z and nothing else: `Sankt-Peterburg` is sanktpeterburg, `Москва` is moskva.

    Cyrillic letters are written in Latin ones, and accents are taken off; a name in another script has no such form.
    """
    latin = "".join(LATIN.get(character, character) for character in small(text))
    plain = unicodedata.normalize("NFKD", latin)
    letters = "".join(c for c in plain if unicodedata.category(c)[0] == "L")
    if not letters or not letters.isascii():
        raise NotNormal("no city in Latin or Cyrillic letters")
    return letters


def country(text: str) -> str:
    """The country's two letters, small: `RU` is ru. A country's name is not guessed at."""
    code = small(text)
    if code not in COUNTRIES:
        raise NotNormal("no code of a country (ISO 3166-1 alpha-2)")
    return code


def gender(text: str) -> str:
    """M or f, from m, male, f, female and the same in Russian."""
    found = _GENDERS.get(small(text).removesuffix("."))
    if found is None:
        raise NotNormal("no gender that is m or f")
    return found


def postal_code(text: str, country_code: str = "") -> str:
    """Small, without blanks; of the United States the first five digits: `10001-1234` is 10001.

    country_code  two small letters; "" where it is not known: then only a code that can be no other country's is cut
    """
    code = "".join(small(text).split())
    if country_code == "us" or (not country_code and re.fullmatch(r"\d{5}-\d{4}", code, re.ASCII)):
        code = code[:5]
    if not re.fullmatch(r"[a-z0-9-]{2,12}", code):
        raise NotNormal("no postal code")
    return code


def birth(text: str) -> str:
    """YYYYMMDD of 1970-01-31, 31.01.1970 or 19700131; what follows an ISO date is the time of day, and no matter."""
    return "".join(birth_parts(text))


def birth_parts(text: str) -> tuple[str, str, str]:
    """Year, month and day, with four, two and two digits: Meta's DOBY, DOBM and DOBD."""
    wanted = tidied(text)
    found = next((match for pattern in _BIRTHS if (match := pattern.fullmatch(wanted))), None)
    if found is None:
        raise NotNormal("no date as in 1970-01-31, 31.01.1970 or 19700131")
    try:
        day = date(int(found["year"]), int(found["month"]), int(found["day"]))
    except ValueError:
        raise NotNormal("a date that there is not") from None
    if day.year < _FIRST_YEAR:
        raise NotNormal("a date before 1900")
    return f"{day.year:04}", f"{day.month:02}", f"{day.day:02}"
