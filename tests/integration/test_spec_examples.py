"""Every example query of the user's document, with its printed slips, on real servers.

The document's table `mysegment` has a column segId, and no key; its removal queries name segment_id; one example
carries a `//` remark; all of them are MySQL's. What that leads to with its escaping is known: one test for each fault,
in the order of their list, shows what segsync does instead. (ClickHouse's is in test_clickhouse_round_trips.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.installation import Installation
from tests.model import profiles
from tests.targets import TargetDatabase
from workers.control.drain import drain
from workers.errors import SettingsError
from workers.quarantine import entries as quarantine
from workers.quarantine.entries import Selection
from workers.settings import load, revision

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from tests.servers.mariadb import MariadbServer
    from tests.servers.redis import RedisServer

TABLES = (
    "CREATE TABLE mysegment (segId int(11), clientId varchar(255), updated datetime)",
    "CREATE TABLE segments (name varchar(255), segment_id int(11), updated datetime)",
)
TABLES_OF_POSTGRESQL = (
    "CREATE TABLE mysegment (segId int, clientId varchar(255), updated timestamp)",
    "CREATE TABLE segments (name varchar(255), segment_id int, updated timestamp)",
)
ADD = """
INSERT INTO mysegment (segId, clientId, updated)
VALUES
{for $index, $lead = $batch}
({segment_id}, "{$lead.CustomID}", NOW()){autocomma}
{end}
ON DUPLICATE KEY UPDATE
updated = NOW();
"""
REMOVE = """
DELETE FROM mysegment
WHERE segment_id = {segment_id}
AND clientId IN ({batch_in "CustomID"})
"""
CLEAR = """
DELETE FROM mysegment
WHERE segment_id = {segment_id}
"""
UPSERT = """
INSERT INTO segments (segment_id,name,updated)
VALUES
({segment_id}, "{segment_name}", NOW())
ON DUPLICATE KEY UPDATE
name = "{segment_name}",
updated = NOW();
"""
DELETE = """
DELETE FROM segments
WHERE segment_id = {segment_id}
LIMIT 1
"""


class Example:
    """The document's integration, with single queries mended where a test says so."""

    def __init__(self, installation: Installation, target: TargetDatabase) -> None:
        self.installation = installation
        self.target = target
        target.run(*(TABLES if target.dialect == "mysql" else TABLES_OF_POSTGRESQL))

    def apply(self, **mended: str) -> None:
        printed = {"add": ADD, "remove": REMOVE, "clear": CLEAR, "segment_upsert": UPSERT, "segment_delete": DELETE}
        queries = "".join(f"{name} = '''{query}'''\n" for name, query in (printed | mended).items())
        self.installation.configure(
            self.target.connector()
            + '[integrations.doc]\nname = "doc"\nconnector = "crm"\nscope = { database = "main", segments = "all" }\n'
            'batch = { size = 1000, timeout = "100ms" }\n[integrations.doc.queries]\n' + queries
        )
        revision.publish(self.installation.redis, self.installation.keys, load(self.installation.file))

    def run(self, *events: dict[str, Any]) -> tuple[str, ...]:
        """Pushes and delivers; the causes of failures."""
        self.installation.producer.push(events)
        runtime = self.installation.runtime()
        causes: tuple[str, ...] = ()
        while not causes and (
            self.installation.redis.xlen(self.installation.keys.events) or self.installation.backlog()
        ):
            causes = drain(runtime, 300).causes
        return causes

    def rows(self) -> list[Any]:
        return sorted(self.target.run("SELECT segId, clientId FROM mysegment"))

    def quarantined(self) -> list[str]:
        """The codes of the profiles that were set aside."""
        pages = quarantine.pages(self.installation.ledger, Selection(state=None))
        return [entry.code for page in pages for entry in page]


@pytest.fixture
def installation(tmp_path: Path, redis_server: RedisServer, redis_client: redis.Redis, namespace: str) -> Installation:
    assert redis_client.ping()
    return Installation(tmp_path, redis_server.url, namespace)


@pytest.fixture
def example(installation: Installation, mariadb_server: MariadbServer, mariadb_url: str) -> Example:
    return Example(installation, TargetDatabase("mysql", mariadb_url, mariadb_server.password))


@pytest.fixture
def on_postgresql(installation: Installation, postgresql_url: str) -> Example:
    return Example(installation, TargetDatabase("postgresql", postgresql_url))


def event(kind: str, *keys: str, **facts: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"type": kind, "segment": {"id": 7, **facts}}
    return made | ({"profiles": profiles(*keys)} if kind in ("add", "remove") else {})


BY_SEG_ID = {"remove": REMOVE.replace("segment_id =", "segId ="), "clear": CLEAR.replace("segment_id =", "segId =")}


def test_the_printed_queries_compile_and_the_key_is_found(example: Example) -> None:
    example.apply()
    assert load(example.installation.file).integrations["doc"].key_fields == ("CustomID",)


def test_segments_are_created_renamed_and_deleted_as_printed(example: Example) -> None:
    example.target.run("ALTER TABLE segments ADD UNIQUE KEY (segment_id)")
    example.apply()
    example.run(event("segment_upsert", name="VIP"), event("segment_upsert", name="O'Brien's \"friends\""))
    assert example.target.run("SELECT segment_id, name FROM segments") == [(7, "O'Brien's \"friends\"")]
    example.run(event("segment_delete"))
    assert example.target.run("SELECT segment_id, name FROM segments") == []


# Fault 1: `mysegment` has no key, so ON DUPLICATE KEY never fires.


def test_without_a_key_the_printed_upsert_never_fires(example: Example) -> None:
    """The same batch twice makes two rows; a unique key mends it."""
    example.apply()
    example.run(event("add", "A"))
    example.run(event("add", "A"))
    assert example.rows() == [(7, "A"), (7, "A")]

    example.target.run("TRUNCATE mysegment", "ALTER TABLE mysegment ADD UNIQUE KEY (segId, clientId)")
    example.run(event("add", "B"))
    example.run(event("add", "B"))
    assert example.rows() == [(7, "B")]


# Fault 2: the removals name a column segment_id, and the table has segId.


@pytest.mark.parametrize("kind", ["remove", "clear"])
def test_the_printed_removals_name_a_column_that_is_not_there(example: Example, kind: str) -> None:
    """That holds the integration, says so, and loses nothing: mended, what waited is delivered."""
    example.apply()
    example.run(event("add", "A", "B"))
    (cause,) = example.run(event(kind, "A"))
    assert cause.startswith("doc/7: mysql 1054: ")
    assert example.rows() == [(7, "A"), (7, "B")]

    example.apply(**BY_SEG_ID)
    assert example.run(event("add", "C")) == ()
    assert example.rows() == ([(7, "B"), (7, "C")] if kind == "remove" else [(7, "C")])


# Faults 3 to 5: values that were escaped for the wrong quotes, or not at all.

SINGLE = ADD.replace('"{$lead.CustomID}"', "'{$lead.CustomID}'")
BARE = ADD.replace('"{$lead.CustomID}"', "{$lead.CustomID}")
QUOTES = pytest.mark.parametrize("add", [ADD, SINGLE, BARE], ids=["as printed", "single", "bare"])


def stays_a_value(example: Example, add: str, *keys: str) -> None:
    """Each key is stored as it is, one row for each, and the removal's list finds each of them, and no other."""
    example.apply(add=add, **BY_SEG_ID)
    assert example.run(event("add", "kept", *keys)) == ()
    assert example.rows() == sorted((7, key) for key in ("kept", *keys))
    assert example.run(event("remove", *keys)) == ()
    assert example.rows() == [(7, "kept")]
    assert example.quarantined() == []


@QUOTES
def test_an_apostrophe_in_double_quotes_is_stored_as_one(example: Example, add: str) -> None:
    """Escaped for single quotes it was stored twice, and no list found it."""
    stays_a_value(example, add, "O'Brien", "O''Brien", 'say "hi"', "'", '"')


@QUOTES
def test_a_double_quote_ends_no_literal(example: Example, add: str) -> None:
    """It added rows of another segment."""
    stays_a_value(example, add, 'x", NOW()),(666,"evil', 'x\\", NOW()),(666,"evil', "x', NOW()),(666,'evil")


@QUOTES
def test_a_backslash_escapes_no_quote(example: Example, add: str) -> None:
    """At the end of one value it made SQL of the next."""
    stays_a_value(example, add, "abc\\", ',now()),(13,"pwn",now()) -- ', ",now()),(13,'pwn',now()) -- ")


@QUOTES
def test_a_backslash_alone_is_a_value(example: Example, add: str) -> None:
    """One row was a syntax error."""
    example.apply(add=add)
    keys = ["abc\\", "\\", "\\\\", "\\'", '\\"']
    for key in keys:
        assert example.run(event("add", key)) == ()
    assert example.rows() == sorted((7, key) for key in keys)


# Fault 6: the examples are MySQL's, and no other database runs them.


def test_postgresql_takes_double_quotes_for_a_column_so_they_are_refused(on_postgresql: Example) -> None:
    """When the file is checked: with its place and the remedy, before any data is there."""
    with pytest.raises(SettingsError) as refused:
        on_postgresql.apply()
    mistakes = {mistake.where: (mistake.line, mistake.what) for mistake in refused.value.mistakes}
    assert set(mistakes) == {f"integrations.doc.queries.{kind}" for kind in ("add", "segment_upsert")}
    line, what = mistakes["integrations.doc.queries.add"]
    assert line == 4
    assert 'in postgresql "…" is an identifier; use single quotes' in what


IN_SINGLE_QUOTES = {"add": SINGLE, "segment_upsert": UPSERT.replace('"', "'")}
OF_POSTGRESQL = {
    "add": SINGLE.replace("ON DUPLICATE KEY UPDATE", "ON CONFLICT (segId, clientId) DO UPDATE SET"),
    "segment_upsert": IN_SINGLE_QUOTES["segment_upsert"].replace(
        "ON DUPLICATE KEY UPDATE", "ON CONFLICT (segment_id) DO UPDATE SET"
    ),
    "segment_delete": DELETE.replace("LIMIT 1", ""),
}


@pytest.mark.parametrize("happened", [event("add", "A"), event("segment_upsert", name="V"), event("segment_delete")])
def test_what_postgresql_does_not_know_holds_the_integration_and_loses_nothing(
    on_postgresql: Example, happened: dict[str, Any]
) -> None:
    """ON DUPLICATE KEY, DELETE … LIMIT: it waits for queries of PostgreSQL's own, and goes on with them."""
    on_postgresql.target.run(
        "CREATE UNIQUE INDEX a ON mysegment (segId, clientId)",
        "CREATE UNIQUE INDEX b ON segments (segment_id)",
        "INSERT INTO segments VALUES ('old', 7)",
    )
    on_postgresql.apply(**IN_SINGLE_QUOTES)
    (cause,) = on_postgresql.run(happened)
    assert cause.startswith("doc/7: postgresql 42601: ")
    assert on_postgresql.quarantined() == []

    on_postgresql.apply(**OF_POSTGRESQL, **BY_SEG_ID)
    assert on_postgresql.run(event("add", "O'Brien\\"), event("add", "O'Brien\\")) == ()
    assert (7, "O'Brien\\") in on_postgresql.rows()
    names = on_postgresql.target.run("SELECT name FROM segments")
    happened_now = {
        "add": (7, "A") in on_postgresql.rows(),
        "segment_upsert": names == [("V",)],
        "segment_delete": names == [],
    }
    assert happened_now[happened["type"]]


# Fault 7: an empty list makes `IN ()`.


def test_a_removal_of_nobody_is_not_sent(example: Example) -> None:
    """A batch without profiles, and one whose only profile has no key, which is set aside."""
    example.apply(**BY_SEG_ID)
    example.run(event("add", "A"))
    assert example.run(event("remove")) == ()
    keyless = {"type": "remove", "segment": {"id": 7}, "profiles": [{"_id": "p"}, {"_id": "q", "CustomID": None}]}
    assert example.run(keyless) == ()
    assert example.rows() == [(7, "A")]
    assert example.quarantined() == ["missing key", "missing key"]


# And a slip in print: the remark `// Here fields for export are specified` in a query.


def test_the_printed_remark_is_refused_with_its_place(example: Example) -> None:
    remark = ADD.replace("{autocomma}", "{autocomma} // Here fields for export are specified")
    with pytest.raises(SettingsError) as refused:
        example.apply(add=remark)
    (mistake,) = refused.value.mistakes
    assert (mistake.where, mistake.line) == ("integrations.doc.queries.add", 4)
    assert "//" in mistake.what
    assert "{*" in mistake.what
