"""Every query that the documentation shows, with the tables that it is for, by database."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.repository import ROOT
from tests.servers.mariadb import BINARY
from workers.cli import presets

if TYPE_CHECKING:
    from collections.abc import Iterator

REMOVE = 'DELETE FROM {table} WHERE {segment} = {{segment_id}} AND {key} IN ({{batch_in "CustomID"}})'
"""As the README has it, for examples that show `add` alone."""
TOMBSTONES = (
    "INSERT INTO {table} ({segment}, {key}, version, gone) VALUES"
    " {{for $lead = $batch}}({{segment_id}}, '{{$lead.CustomID}}', {{$lead._sequence}}, 1){{autocomma}}{{end}}"
)
MYSEGMENT = {
    "mysql": "CREATE TABLE mysegment (segId bigint, clientId varchar(64) CHARACTER SET utf8mb4, updated datetime,"
    " PRIMARY KEY (segId, clientId))",
    "postgresql": "CREATE TABLE mysegment (segId bigint, clientId varchar(64), updated timestamp,"
    " PRIMARY KEY (segId, clientId))",
    "sqlite": "CREATE TABLE mysegment (segId integer, clientId text, email text, updated text,"
    " PRIMARY KEY (segId, clientId))",
    "clickhouse": "CREATE TABLE mysegment (segId Int64, clientId String, updated DateTime64(6, 'UTC'), version UInt64,"
    " gone UInt8) ENGINE = ReplacingMergeTree(version, gone) ORDER BY (segId, clientId)",
}
VIP = "CREATE TABLE vip (segment_id bigint, client_id varchar(64), PRIMARY KEY (segment_id, client_id))"


@dataclass(frozen=True)
class Documented:
    """Queries of one place of the documentation.

    place     where they stand
    batched   False: one profile at a time
    fields    the key, as paths
    table     the members' table, with its columns for the segment and the key
    """

    place: str
    dialect: str
    tables: tuple[str, ...]
    queries: dict[str, str]
    table: str
    segment: str
    key: str
    batched: bool = True
    fields: tuple[str, ...] = ("CustomID",)

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.place}: {self.dialect}"


def documented() -> list[Documented]:
    """All of them whose databases run here."""
    return [
        *_recipes(), *_examples(), *_templates(), *_whole_keys(), *_readme(), *_presets(), _query_set(), _composed(),
    ]  # fmt: skip


def page(name: str) -> str:
    """The text of a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def _blocks(name: str) -> dict[tuple[str, str, str], str]:
    """What stands in fenced SQL: (dialect, kind, " single" or "") -> text."""
    found = re.findall(r"^```sql (\w+) (\w+)( single)?\n(.*?)^```", page(name), re.DOTALL | re.MULTILINE)
    return {(dialect, kind, single): text for dialect, kind, single, text in found}


def _remove(dialect: str, table: str, segment: str, key: str) -> str:
    return (TOMBSTONES if dialect == "clickhouse" else REMOVE).format(table=table, segment=segment, key=key)


def _recipes() -> Iterator[Documented]:
    blocks, place = _blocks("docs/recipes.md"), ("person", "segment_id", "client_id")
    for (dialect, kind, _), table in blocks.items():
        if kind == "table":
            queries = {"add": blocks[dialect, "add", ""], "remove": _remove(dialect, *place)}
            yield Documented("recipes.md", dialect, (table,), queries, *place)


def _templates() -> Iterator[Documented]:
    for (dialect, kind, single), text in _blocks("docs/templates.md").items():
        place = ("vip", "segment_id", "client_id") if dialect == "postgresql" else ("mysegment", "segId", "clientId")
        tables = (VIP,) if dialect == "postgresql" else (MYSEGMENT.get(dialect, ""),)
        remove = _remove(dialect, *place)
        if single:
            remove = "DELETE FROM mysegment WHERE segId = {segment_id} AND clientId = '{lead.CustomID}'"
        if any(tables):
            queries = {kind: text, "remove": remove}
            yield Documented("templates.md", dialect, tables, queries, *place, batched=not single)


def _examples() -> Iterator[Documented]:
    text = page("examples/segsync.toml")
    commented = re.sub(r"^# {5}", "", text, flags=re.MULTILINE).replace("utf8mb4_0900_bin", BINARY)
    commented = re.sub(r" -- .*", "", commented)
    tables = re.findall(r"^(CREATE TABLE (\w+) \(.*?\)[^()]*);$", commented, re.DOTALL | re.MULTILINE)
    made = {name: statement for statement, name in tables}
    integrations = tomllib.loads(text)["integrations"]
    queries = integrations["crm-segments"]["queries"]
    yield Documented(
        "segsync.toml", "mysql", (made["mysegment"], made["segments"]), queries, "mysegment", "segId", "clientId"
    )
    queries = integrations["warehouse-vip"]["queries"]
    yield Documented(
        "segsync.toml", "postgresql", (made["member"], made["segment"]), queries, "member", "segment_id", "client_id"
    )


def _readme() -> Iterator[Documented]:
    """MySQL's as it stands; PostgreSQL's with what the README says that differs."""
    block = next(text for text in re.findall(r"^```toml\n(.*?)^```", page("README.md"), re.DOTALL | re.MULTILINE))
    queries = tomllib.loads(block)["integrations"]["crm-segments"]["queries"]
    place = ("mysegment", "segId", "clientId")
    yield Documented("README.md", "mysql", (MYSEGMENT["mysql"],), queries, *place)
    mine, _, other = queries["add"].partition("-- PostgreSQL: ")
    add = mine.partition("ON DUPLICATE")[0].replace('"', "'") + other
    yield Documented("README.md", "postgresql", (MYSEGMENT["postgresql"],), queries | {"add": add}, *place)


def _whole_keys() -> Iterator[Documented]:
    """A key of two fields, by the list of whole keys that is shown for it."""
    text = page("docs/templates.md")
    (shown,) = re.findall(r"`\(a, b\) (IN \(\{for \$l = \$batch\}[^`]*\))`", text)
    remove = "DELETE FROM pair WHERE segment_id = {segment_id} AND (a, b) " + shown
    remove = remove.replace("$l.a", "$l.CustomID").replace("$l.b", "$l.email")
    kinds = {"mysql": f"varchar(40) CHARACTER SET utf8mb4 COLLATE {BINARY}", "postgresql": "text", "sqlite": "text"}
    for dialect, kind in kinds.items():
        conflict = "ON DUPLICATE KEY UPDATE a = VALUES(a)" if dialect == "mysql" else "ON CONFLICT DO NOTHING"
        add = (
            "INSERT INTO pair (segment_id, a, b) VALUES {for $l = $batch}"
            "({segment_id}, '{$l.CustomID}', '{$l.email}'){autocomma}{end} " + conflict
        )
        table = f"CREATE TABLE pair (segment_id bigint, a {kind}, b {kind}, PRIMARY KEY (segment_id, a, b))"
        place = ("pair", "segment_id", "a")
        yield Documented(
            "templates.md, whole keys", dialect, (table,), {"add": add, "remove": remove}, *place,
            fields=("CustomID", "email"),
        )  # fmt: skip


def _presets() -> Iterator[Documented]:
    for dialect in ("mysql", "postgresql", "sqlite", "clickhouse"):
        queries = tomllib.loads(presets.toml(dialect))["integrations"]["crm-segments"]["queries"]
        preset = presets.PRESETS[dialect]
        tables = tuple(filter(str.strip, f"{preset.members};{preset.segments}".split(";")))
        yield Documented("init", dialect, tables, queries, "segment_member", "segment_id", "client_id")


def _query_set() -> Documented:
    text = page("docs/configuration.md").partition("[query_sets.members]")[2].partition("```")[0]
    queries = dict(re.findall(r"^(\w+) = '(.*)'$", text, re.MULTILINE))
    return Documented("configuration.md", "mysql", (MYSEGMENT["mysql"],), queries, "mysegment", "segId", "clientId")


def _composed() -> Documented:
    """What `docker compose up` begins with."""
    queries = tomllib.loads(page("examples/compose/segsync.toml"))["integrations"]["crm-segments"]["queries"]
    tables = tuple(filter(str.strip, page("examples/compose/tables.sql").split(";")))
    return Documented("compose", "postgresql", tables, queries, "member", "segment_id", "client_id")
