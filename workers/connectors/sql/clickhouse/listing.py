"""Reading many rows of ClickHouse: as they come, in a form that tells its own end.

An error after the first rows is text in the body of an answer that had begun well, and a proxy may cut any answer off.
JSONCompact ends with how many rows there were (https://clickhouse.com/docs/interfaces/formats/JSONCompact); each row is
a line, since line ends within texts are escaped.
"""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from workers.connectors.sql.clickhouse import session
from workers.connectors.sql.clickhouse.connection import open_client
from workers.connectors.sql.clickhouse.judging import judged, late_error
from workers.connectors.sql.link import encoded
from workers.connectors.sql.listing import SILENT_SECONDS, judging, no_rows, paged
from workers.errors import Phase, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clickhouse_connect.driver.httpclient import HttpClient

    from workers.connectors.contract import Target
    from workers.connectors.sql.listing import Page

WORDS: Final = {
    "readonly": "2",  # changes nothing but settings
    "wait_end_of_query": "0",  # else the server keeps all of the answer until it is whole
    "max_execution_time": "0",
    # What it says of values: numbers as numbers, times with their zone, tuples as objects.
    "output_format_json_quote_64bit_integers": "0",
    "output_format_json_quote_decimals": "0",
    "output_format_json_quote_denormals": "0",
    "output_format_json_named_tuples_as_objects": "1",
    "date_time_output_format": "iso",
}
"""Beside what every session has."""
_READS: Final = ("select", "with", "show", "describe", "explain")


class ClickhouseLister:
    """`listing.Lister` on ClickHouse."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def pages(self, statement: str) -> Iterator[Page]:
        """As `Lister.pages`."""
        encoded("clickhouse", statement)
        if not statement.lstrip("( \n\t").lower().startswith(_READS):
            raise no_rows("clickhouse")
        with judging(judged, Phase.EXECUTE):
            answer = self._client.raw_stream(statement, settings=WORDS, fmt="JSONCompact")
            try:
                rows = _Rows(iter(answer))
                yield from paged(rows.columns, lambda many: list(islice(rows, many)))
            finally:
                answer.close()

    def close(self) -> None:
        """As `Lister.close`."""
        self._client.close()


class _Rows:
    """The rows of an answer, one after the other; DatabaseError where its end is not what it says.

    columns  their names
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._lines = _lines(chunks)
        self._seen = 0
        self._last: list[bytes] = []
        head = []
        for line in self._lines:
            self._last = [*self._last[-9:], line]
            if line.strip() == b'"data":':
                break
            head.append(line)
        else:
            raise late_error(self._told)
        meta = json.loads(b"".join(head).strip().rstrip(b",") + b"}")["meta"]
        self.columns = [column["name"] for column in meta]
        self._rows = self._each()

    @property
    def _told(self) -> str:
        """What came last: the server's error, where it is one."""
        return b"".join(self._last).decode("utf-8", "replace")

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self._rows

    def _each(self) -> Iterator[tuple[Any, ...]]:
        for line in self._lines:
            self._last = [*self._last[-9:], line]
            text = line.strip()
            if text == b"],":
                self._check_end()
                return
            if text.startswith(b"[") and text != b"[":
                self._seen += 1
                yield tuple(json.loads(text.rstrip(b","), parse_float=Decimal))
            elif text not in (b"", b"["):
                break
        raise late_error(self._told)

    def _check_end(self) -> None:
        """What follows the rows: how many there were, and the closing bracket of all."""
        self._last = list(self._lines)
        try:
            end = json.loads(b"{" + b"".join(self._last))
        except ValueError:
            end = {}
        if end.get("rows") != self._seen:
            raise late_error(self._told)


def _lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Lines with their ends; the last one may have none."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line + b"\n" for line in whole)
    if rest:
        yield rest


def open_lister(target: Target) -> ClickhouseLister:
    """A new session. Raises only TargetError."""
    client = None
    try:
        client = open_client(replace(target, statement_timeout=SILENT_SECONDS))
        pinned = session.pinned(target)
        asked = ", ".join(f"toString(getSetting('{name}'))" for name in pinned)
        answer = json.loads(client.raw_query(f"SELECT {asked}", settings=dict(pinned), fmt="JSONCompactStrings"))
        session.check(pinned, lambda _: answer["data"][0])
    except Exception as error:
        if client is not None:
            client.close()
        if isinstance(error, TargetError):
            raise
        raise judged(error, Phase.CONNECT) from None
    return ClickhouseLister(client)
