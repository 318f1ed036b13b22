"""[sources.*]: where a profile database's segments can be read from, for resyncs.

[sources.main]
url = "postgresql://reader@platform-db/profiles"
password = "${SOURCE_PASSWORD}"
first = 0
members = '''SELECT p.id AS _id, p.email FROM membership m JOIN profile p ON p.id = m.profile_id
WHERE m.segment_id = {segment_id} AND m.profile_id > {after} AND p.id > {after} ORDER BY m.profile_id LIMIT {limit}'''
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workers.connectors.contract import Target
from workers.errors import Mistake
from workers.settings.compiling import Compiler, Mode
from workers.settings.database_url import DatabaseAddress, read_address
from workers.settings.feeds import FeedSettings, is_feed, read_feed, read_first
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workers.settings.table import TomlTable
    from workers.templates import Query

ROWS = 5_000
"""Rows of a page, which `{limit}` stands for, where the file says nothing."""
MOST_ROWS = 100_000
"""Rows of a page at the most: they are in memory at once."""
DELAY = 2.0
"""Seconds that a source is given to have what was pushed, where nothing is said of how fresh it is."""
MOST_READERS = 8
"""Processes that read one source at once: more than runs that may have begun (lanes/runs.py) are of no use."""
LONGEST_DELAY = 3_600.0
"""Seconds: a source that needs longer is no picture of the platform."""

_AFTER = re.compile(r"\{\s*after\s*\}")
_LIMIT = re.compile(r"\{\s*limit\s*\}")
_SEGMENT = re.compile(r"\{[^{}]*\bsegment_id\b")
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One profile database that can be read.

    key      its name, as in a scope's `database`
    members  gives the members of a segment; in pages, where it names `{after}`
    first    what `{after}` is on the first page; None where all members come in one statement
    rows     rows of a page
    fresh    how old the source's data is, as a number of seconds or an interval; "" where nothing tells
    delay    seconds after which the source surely has what was pushed, where `fresh` is ""
    segments lists all segments: id, name, groups, tags; "" where nothing does
    readers  processes that may read it at once
    """

    key: str
    address: DatabaseAddress
    members: Query = field(hash=False)
    first: int | str | None
    rows: int
    fresh: str
    delay: float
    segments: str = ""
    readers: int = 1

    @property
    def digest(self) -> str:
        """Of all that decides what is read, but secrets."""
        return f"{self.members.digest} {self.address.url!r}"

    def resolve(self, environ: Mapping[str, str] = os.environ) -> Target:
        """Where to connect, secrets filled in; SettingsError with all that is missing, showing no value."""
        url, password = self.address.resolve(environ)
        return Target(self.key, self.address.dialect, url, password, session_name=f"segsync:source:{self.key}")


AnySource = SourceSettings | FeedSettings


def read_sources_of(document: TomlTable, folder: Path, compiler: Compiler) -> dict[str, AnySource]:
    """Every source, by the database it is; one that cannot be used is left out, its mistakes noted."""
    found: dict[str, AnySource] = {}
    for key, table in document.tables("sources"):
        rows = table.whole("rows", ROWS, 1, MOST_ROWS)
        delay = table.seconds("delay", DELAY, 0.0, LONGEST_DELAY)
        source: AnySource | None
        readers = table.whole("readers", 1, 1, MOST_READERS)
        if is_feed(table):
            source = read_feed(key, table, rows, delay)
        else:
            source = _read(key, table, folder, compiler, rows, delay)
        if source:
            found[key] = replace(source, readers=readers)
    return found


def without_segment(sources: object) -> list[Mistake]:
    """Queries that give the members of all segments for each: for what is to be published.

    What is applied is read with them, since a version that did not look for this may have published it.
    """
    return [
        Mistake(f"sources.{key}.members", _NO_SEGMENT)
        for key, table in (sources.items() if isinstance(sources, dict) else ())
        if isinstance(table, dict) and isinstance(text := table.get("members"), str) and not _SEGMENT.search(text)
    ]


_NO_SEGMENT = (
    "does not name {segment_id}; expected it, as in WHERE segment_id = {segment_id}: each segment is asked for by "
    "itself (where there is one alone: {segment_id} = 7)"
)


def _read(
    key: str, table: TomlTable, folder: Path, compiler: Compiler, rows: int, delay: float
) -> SourceSettings | None:
    address = read_address(table, folder, fixed=True)
    text = table.text("members", "a SELECT that gives a segment's profiles, one column for each field")
    first = read_first(table, paged=_AFTER.search(text) is not None)
    fresh = table.optional_text("fresh", "a SELECT that tells how old the data is") or ""
    segments = table.optional_text("segments", "a SELECT that lists all segments") or ""
    table.close()
    members = _members(table, text, address.dialect, compiler) if text and address.dialect else None
    if members is None:
        return None
    return SourceSettings(key, address, members, first, rows, fresh, delay, segments)


def _members(table: TomlTable, text: str, dialect: str, compiler: Compiler) -> Query | None:
    where, before = table.at("members"), len(compiler.mistakes)

    def wrong(what: str) -> None:
        compiler.mistakes.append(Mistake(where, what))

    if bool(_AFTER.search(text)) != bool(_LIMIT.search(text)):
        wrong("has only one of {after} and {limit}; expected both, or none of them")
    elif _AFTER.search(text) and not _ORDER.search(text):
        wrong("pages by {after} and has no ORDER BY; expected it to order by the column that is `_id`")
    plain = _LIMIT.sub("{lead.limit}", _AFTER.sub("{lead.after}", text))
    query = compiler.query(plain, where, QueryKind.REMOVE, Mode(dialect, "UTC", frozenset(), batched=False))
    if query is not None and query.fields - {"after", "limit"}:
        wrong(
            "names a profile's field; expected {segment_id}, {after} and {limit} alone: it is what gives the profiles"
        )
    return query if len(compiler.mistakes) == before else None
