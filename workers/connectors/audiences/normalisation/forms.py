"""All normal forms by name: what a field of a platform says of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.normalisation import contacts, devices, people

if TYPE_CHECKING:
    from collections.abc import Mapping

Form = Callable[[str, str], tuple[str | bytes, ...]]
"""From a text and the region of its phone numbers to a normal form for each kind of the field; raises NotNormal."""


def _one(form: Callable[[str], str | bytes]) -> Form:
    return lambda text, _region: (form(text),)


def _number(form: Callable[[str, str], str]) -> Form:
    return lambda text, region: (form(text, region),)


FORMS: Final[Mapping[str, Form]] = {
    "e-mail": _one(contacts.email),
    "latin e-mail": _one(contacts.latin_email),
    "Google's e-mail": _one(contacts.google_email),
    "phone": _number(contacts.phone),
    "digits of a phone": _number(contacts.phone_digits),
    "name": _one(people.name),
    "spelled name": _one(people.spelled_name),
    "city": _one(people.city),
    "country": _one(people.country),
    "gender": _one(people.gender),
    "postal code": _one(people.postal_code),
    "date of birth": _one(people.birth),
    "parts of a birth": lambda text, _region: people.birth_parts(text),
    "mobile id": _one(devices.mobile_id),
    "Apple's id": _one(devices.apple_id),
    "MAC": _one(devices.mac),
    "account": _one(devices.account),
    "own id": _one(devices.own_id),
}
