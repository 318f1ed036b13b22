"""Pages over HTTP that name the next one themselves: `Link: <…>; rel="next"` (RFC 8288)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from workers.resync.profiles import UnfitSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_PAGES: Final = 1_000_000
"""Of one reading: a server that always knows another one would be read for ever."""
UNREADABLE: Final = 'its header Link may name a next page, and is none; expected <address>; rel="next" (RFC 8288)'
_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_PARAMETER = re.compile(rf'\s*;\s*([^\s;,="]*)\s*(?:=\s*(?:{_QUOTED}|([^\s;,"]*)))?')
_TARGET = re.compile(r"[\s,]*<([^<>]*)>")
_NEXT = re.compile(r"(?<![\w-])next(?![\w-])", re.IGNORECASE)
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(slots=True)
class Links:
    """How far a reading is: the address that is asked now ("" for the file's own), and the one that was named next."""

    here: str = ""
    next: str = ""
    _seen: set[str] = field(default_factory=set)

    def go_on(self) -> bool:
        """Turns to the next page; False where none was named. UnfitSource where it goes round in a circle."""
        if not self.next:
            return False
        if self.next in self._seen or len(self._seen) >= MOST_PAGES:
            raise UnfitSource("its links to the next page lead round in a circle, or never end")
        self._seen.add(self.next)
        self.here, self.next = self.next, ""
        return True


def next_link(headers: Iterable[str], address: str) -> str:
    """The next page's address by the values of an answer's headers `Link`; "" where none is named.

    UnfitSource where it is at another place than `address`, since headers with secrets go to the written one alone; and
    where a header may name a next page, and cannot be read: taken for the last page, it would hide all members behind.
    """
    for header in headers:
        for target, relation in _links(header):
            if "next" in relation.lower().split():
                found: str = urljoin(address, target)
                if _origin(found) != _origin(address):
                    raise UnfitSource(
                        "its link to the next page leads to another scheme, host or port; expected the same"
                    )
                return found
            if _NEXT.search(relation):
                raise UnfitSource(UNREADABLE)
    return ""


def _links(header: str) -> Iterator[tuple[str, str]]:
    """Targets and relations of one header; UnfitSource where a rest that cannot be read may name a next page."""
    at = 0
    while found := _TARGET.match(header, at):
        at, relation = found.end(), ""
        while parameter := _PARAMETER.match(header, at):
            at = parameter.end()
            if parameter[1].lower() == "rel" and not relation:
                relation = parameter[3] or re.sub(r"\\(.)", r"\1", parameter[2] or "")
        yield found[1], relation
    if _NEXT.search(header, at):
        raise UnfitSource(UNREADABLE)


def _origin(address: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(address)
        return parts.scheme.lower(), parts.hostname, parts.port or _PORTS.get(parts.scheme.lower())
    except ValueError:
        raise UnfitSource("its link to the next page is no address") from None
