"""Pages over HTTP that name the next one themselves: `Link: <…>; rel="next"` (RFC 8288)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from workers.resync.profiles import UnfitSource

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_PAGES: Final = 1_000_000
"""Of one reading: a server that always knows another one would be read for ever."""
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[^\s;,=]+\s*(?:=\s*(?:\"[^\"]*\"|[^\s;,\"]*))?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]*))", re.IGNORECASE)
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

    UnfitSource where it is at another place than `address`: headers with secrets go to the written one alone.
    """
    for target, parameters in (found for header in headers for found in _LINK.findall(header)):
        relation = _REL.search(parameters)
        if relation and "next" in (relation[1] or relation[2] or "").lower().split():
            found: str = urljoin(address, target)
            if _origin(found) != _origin(address):
                raise UnfitSource("its link to the next page leads to another scheme, host or port; expected the same")
            return found
    return ""


def _origin(address: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(address)
        return parts.scheme.lower(), parts.hostname, parts.port or _PORTS.get(parts.scheme.lower())
    except ValueError:
        raise UnfitSource("its link to the next page is no address") from None
