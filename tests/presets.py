"""The queries that `segsync init` writes, run through their whole way to SQL."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workers.cli import presets
from workers.connectors.contract import Group, SegmentEvent, Shipment
from workers.connectors.sql.rendering import render
from workers.settings import load
from workers.templates import Query, QueryKind, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HOSTILE = (
    "O'Brien", "x''y", "' OR 1=1 --", "a", "A", "a ", " a", "\u00e1", "a\u0301", "tab\there", "line\nend",
    "back\\slash", "back\\\nline", "\\", "q'[x]'", "n'x", "\u2019\u02bc\uff07", "\u2019\\2019",
    "&name :bind ? %s {x} $1", "/* */ -- ;", '[x]"y"', "\U0001f600", "GO", "N'x'", "0", "007", "7.0",
)  # fmt: skip
"""Keys that are all different, and names."""
NOON = 1_795_262_400_000_000
"""2026-11-21 12:00:00 UTC in microseconds."""


class Told(NamedTuple):
    """`contract.Member`."""

    sequence: str
    row: Row
    key: tuple[str, ...] = ()


def preset_queries(dialect: str) -> Mapping[QueryKind, Query]:
    """As they are read from the file that `init` writes."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "segsync.toml"
        file.write_text(presets.toml(dialect), encoding="utf-8")
        return load(file, {}).integrations["crm-segments"].queries


class Ran:
    """Makes statements of events, each event a microsecond after the one before."""

    def __init__(self, queries: Mapping[QueryKind, Query]) -> None:
        self._queries = queries
        self._number = 0

    def statements(
        self, kind: QueryKind, keys: Iterable[str] = (), *, segment: str = "7", name: str | None = "VIP"
    ) -> list[str]:
        """The statements of one batch of adds or removes, or of one segment event."""
        self._number += 1
        sequence, at = f"{self._number:027}", NOON + self._number
        groups: tuple[Group, ...] = ()
        event = None
        if kind.has_profiles:
            rows = (Row({"CustomID": key}, at, self._number) for key in keys)
            groups = (Group(kind, tuple(Told(sequence, row) for row in rows)),)
        else:
            event = SegmentEvent(kind, sequence, at, self._number)
        shipment = Shipment("crm", segment, name, "lane", sequence, sequence, self._queries, groups, event)
        return [text for query in render(shipment) for text in query.statements]
