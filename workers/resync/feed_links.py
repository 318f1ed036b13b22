"""Pages over HTTP that name the next one themselves: `Link: <…>; rel="next"` (RFC 8288)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urldefrag, urljoin, urlsplit

from workers.resync.profiles import UnfitSource
from workers.settings.spelling import show

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_PAGES: Final = 1_000_000
"""Of one reading: a server that always knows another one would be read for ever."""
UNREADABLE: Final = 'its header Link {} may name a next page, and is none; expected <address>; rel="next" (RFC 8288)'
NO_ADDRESS: Final = "its link to the next page is no address; expected one at the same scheme, host and port"
_QUOTED: Final = r'"((?:[^"\\]|\\.)*)"'
_PARAMETER = re.compile(rf'\s*;\s*([^\s;,="]*)\s*(?:=\s*(?:{_QUOTED}|([^\s;,"]*)))?')
_TARGET = re.compile(r"[\s,]*<([^<>]*)>")
_NEXT = re.compile(r"(?<![\w-])next(?![\w-])", re.IGNORECASE)
_QUERY = re.compile(r"\?[^<>;,\s]*")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(slots=True)
class Links:
    """How far a reading is: the address that is asked now ("" for the file's own), and the one that was named next.

    page  which one that is, from 1 on
    """

    here: str = ""
    next: str = ""
    page: int = 1
    _seen: set[str] = field(default_factory=set)

    def go_on(self) -> bool:
        """Turns to the next page; False where none was named. UnfitSource where it goes round in a circle."""
        if not self.next:
            return False
        where = f"page {self.page:,} of its answer names {_shown(self.next)} as the next one"
        if self.next in self._seen:
            raise UnfitSource(f"{where}, which was read already: they go round in a circle; expected a last page")
        if len(self._seen) >= MOST_PAGES:
            raise UnfitSource(f"{where}, after {MOST_PAGES:,} pages; expected a last page, which names none")
        self._seen.add(self.next)
        self.here, self.next, self.page = self.next, "", self.page + 1
        return True

    def asked(self, address: str) -> None:
        """This page is read now: none behind it may lead back to it."""
        self._seen.add(address)


def next_link(headers: Iterable[str], address: str) -> str:
    """The next page's address by the values of an answer's headers `Link`; "" where none is named.

    UnfitSource where it is at another place than `address`, since headers with secrets go to the written one alone; and
    where a header may name a next page, and cannot be read: taken for the last page, it would hide all members behind.
    """
    for header in headers:
        for target, relation in _links(header):
            if "next" in relation.lower().split():
                # What stands behind # is not sent: with another one it would be the same page.
                found: str = urldefrag(_joined(address, target)).url
                here, there = _origin(address), _origin(found)
                if here != there:
                    raise UnfitSource(
                        f"its link to the next page leads to another scheme, host or port, {_told(there)}; "
                        f"expected {_told(here)}"
                    )
                return found
            if _NEXT.search(relation):
                raise UnfitSource(_unreadable(header))
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
        raise UnfitSource(_unreadable(header))


def _unreadable(header: str) -> str:
    return UNREADABLE.format(show(_QUERY.sub("?…", header)))


def _shown(address: str) -> str:
    """An address as it may be told: what stands behind ? may be a secret."""
    parts = urlsplit(address)
    return show(parts.path + ("?…" if parts.query else ""))


def _joined(address: str, target: str) -> str:
    try:
        return urljoin(address, target)
    except ValueError:
        raise UnfitSource(NO_ADDRESS) from None


def _origin(address: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(address)
        return parts.scheme.lower(), parts.hostname, parts.port or _PORTS.get(parts.scheme.lower())
    except ValueError:
        raise UnfitSource(NO_ADDRESS) from None


def _told(origin: tuple[str, str | None, int | None]) -> str:
    scheme, host, port = origin
    return show(f"{scheme}://{host or ''}:{port or ''}")
