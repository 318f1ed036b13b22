"""What the demo for ad accounts pushes, and whom each platform must have in the end.

The normal forms stand here as the platforms want them, and are hashed here: what segsync makes of the same profiles is
compared with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from segsync import Producer
    from workers.cli.demo.stand_ins import Members

SEGMENT: Final = 7
"""The segment's id."""
NAME: Final = "Buyers"
"""The segment's name, and so the audiences'."""


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """A profile, and what must come of it.

    email, phone     as the platform that pushes has them
    to_email, to_phone  their normal forms, "" for none: an e-mail's and a phone's digits
    """

    id: str
    name: str
    email: str
    phone: str
    to_email: str
    to_phone: str

    @property
    def profile(self) -> dict[str, Any]:
        """As it is pushed; a field without a value is not there."""
        fields = {"name": self.name, "email": self.email, "phone": self.phone}
        return {"_id": self.id, "CustomID": self.id} | {name: value for name, value in fields.items() if value}


ANN: Final = DemoPerson("A-17", "Ann", " Ann@Example.COM", "8 (999) 555-11-11", "ann@example.com", "79995551111")
PEOPLE: Final = (
    ANN,
    DemoPerson("B-18", "Мария", "мария@пример.рф", "+7 999 555-11-12", "мария@пример.рф", "79995551112"),
    DemoPerson("C-19", "Carl", "carl(at)example.com", "8 999 555 11 13", "", "79995551113"),
    DemoPerson("D-20", "Dan", "DAN@example.com", "ask Ann", "dan@example.com", ""),
)
NOBODY: Final = DemoPerson("N-21", "Nobody", "none", "", "", "")
"""A profile of whom nothing can be sent."""


def _reader(number: int) -> DemoPerson:
    email, phone = f"Reader{number}@Example.com", f"8 (999) {number // 10_000:03}-{number // 100 % 100:02}-"
    return DemoPerson(
        id=f"R-{number:04}",
        name=f"Reader {number}",
        email=email,
        phone=f"{phone}{number % 100:02}",
        to_email=email.lower(),
        to_phone=f"7999{number:07}",
    )


# VK's lists begin with 2,000 ids, and change by 25 or more.
READERS: Final = tuple(_reader(number) for number in range(1, 2401))
LEAVERS: Final = READERS[:40]
MOVERS: Final = tuple(
    replace(each, email=f"New.{each.email}", to_email=f"new.{each.to_email}") for each in READERS[40:70]
)
"""Those whose e-mail address changes."""
STAYED: Final = (*PEOPLE, *MOVERS, *READERS[70:])


class Spelling(NamedTuple):
    """How a platform has a person.

    email, phone  its words for them
    hash          of both
    before_phone  what it wants before a phone's digits
    ascii_only    it has no e-mail address with other letters
    """

    email: str
    phone: str
    hash: str
    before_phone: str = ""
    ascii_only: bool = False


SPELLINGS: Final = {
    "ya": Spelling("email", "phone", "sha256", ascii_only=True),
    "fb": Spelling("EMAIL", "PHONE", "sha256"),
    "vk": Spelling("emails", "phones", "md5", ascii_only=True),
    "g": Spelling("emailAddress", "phoneNumber", "sha256", before_phone="+"),
}
"""By connector."""


def push_first(producer: Producer) -> None:
    """Everybody comes."""
    producer.segment_upsert(SEGMENT, name=NAME, database="main")
    producer.add(SEGMENT, [each.profile for each in (*PEOPLE, NOBODY, *READERS)])


def push_second(producer: Producer) -> None:
    """Some leave, and some have another e-mail address."""
    producer.remove(SEGMENT, [each.profile for each in LEAVERS])
    producer.add(SEGMENT, [each.profile for each in MOVERS])


def expected(key: str, people: tuple[DemoPerson, ...]) -> Members:
    """Whom a platform must have of these people: its word for what it is, and the hash."""
    how = SPELLINGS[key]
    found = set()
    for each in people:
        if each.to_email and (each.to_email.isascii() or not how.ascii_only):
            found.add((how.email, digest(how.hash, each.to_email)))
        if each.to_phone:
            found.add((how.phone, digest(how.hash, how.before_phone + each.to_phone)))
    return found


def digest(how: str, text: str) -> str:
    """The hash of a text: "md5" or "sha256"; in small hexadecimal digits."""
    return hashlib.new(how, text.encode(), usedforsecurity=False).hexdigest()
