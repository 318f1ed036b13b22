"""What a route of the API is, what a call of it gets, and how it fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workers.errors import SegsyncError, WrongUsage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from http import HTTPStatus

    from workers.console.site import Site
    from workers.settings.console import May

MOST_ENTRIES: Final = 10_000
"""Of anything that a route lists."""
LONGEST_NUMBER: Final = 12
"""Digits of a number in a query."""
FLAGS: Final = {"": True, "1": True, "true": True, "0": False, "false": False}
"""How a flag is written behind the question mark."""


class ApiRefused(SegsyncError):
    """A call that is not answered; `headers` go with the status."""

    def __init__(self, status: HTTPStatus, why: str, **headers: str) -> None:
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        super().__init__(why)


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something behind the question mark.

    kind  "text", "number" or "flag"
    """

    name: str
    words: str
    kind: str = "text"
    required: bool = False


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call, as a route sees it.

    by    the token's name: what revisions, pauses and runs say of who did it
    address  where it came from
    sees  whether it may see people's data and ids
    path  the values of the path's places
    body  of the route's type; None where it has none
    """

    site: Site
    by: str
    sees: bool = False
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    address: str = ""

    def text(self, name: str) -> str | None:
        """A text of the query; None where it is not there or empty."""
        return self.query.get(name) or None

    def flag(self, name: str) -> bool:
        """Whether a flag of the query is set; WrongUsage."""
        text = self.query.get(name, "false")
        if text not in FLAGS:
            raise WrongUsage(f"{name}={text[:60]!r}: expected true or false")
        return FLAGS[text]

    def number(self, name: str, default: int, low: int = 1, high: int = MOST_ENTRIES) -> int:
        """A number of the query; WrongUsage."""
        text = self.query.get(name, str(default))
        return _number(name, text, low, high)

    def number_in_path(self, name: str) -> int:
        """A number of the path; WrongUsage."""
        return _number(name, self.path[name], 0, 10**LONGEST_NUMBER)


def _number(name: str, text: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > LONGEST_NUMBER or not low <= int(text) <= high:
        raise WrongUsage(f"{name} {text[:60]!r}: expected a number from {low:,} to {high:,}")
    return int(text)


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """Something that a program may ask for.

    name    of the command that does the same
    may     what its token must be allowed to do
    answer  the type of what comes back, for the description; None: anything
    many    whether it is a list of them
    query   what may stand behind the question mark; anything else is refused
    body    the type of the JSON object that is posted; None for none
    on      the place of the path, or the field of the body, that names what it is done to
    kept    whether it is written down for `segsync audit`
    told    says what it is done to, where no one place or field does
    """

    method: str
    path: str
    name: str
    words: str
    do: Callable[[ApiCall], object]
    may: May
    answer: type | None = None
    many: bool = False
    query: tuple[Parameter, ...] = ()
    body: type[msgspec.Struct] | None = None
    on: str = ""
    kept: bool = False
    told: Callable[[ApiCall], str] | None = None


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No more to say: {}."""


def target_of(route: ApiRoute, call: ApiCall) -> str:
    """What it is done to, for the audit log."""
    if route.told is not None:
        return route.told(call)
    found = call.path.get(route.on) or getattr(call.body, route.on, "")
    return ", ".join(map(str, found)) if isinstance(found, (list, tuple)) else str(found)
