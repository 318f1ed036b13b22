"""Every example query of the user's document, on a real MariaDB, with its printed slips.

The document's table `mysegment` has a column segId, and no key; its removal queries name segment_id; one example
carries a `//` remark. What that leads to is known, and told here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.acceptance.installation import Installation
from tests.model import profiles
from tests.targets import TargetDatabase
from workers import revision
from workers.draining import drain
from workers.errors import SettingsError
from workers.settings import load

if TYPE_CHECKING:
    from pathlib import Path

    import redis

    from tests.servers.mariadb import MariadbServer
    from tests.servers.redis import RedisServer

TABLES = (
    "CREATE TABLE mysegment (segId int(11), clientId varchar(255), updated datetime)",
    "CREATE TABLE segments (name varchar(255), segment_id int(11), updated datetime)",
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
        target.run(*TABLES)

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
            causes = drain(runtime, 20).causes
        return causes

    def rows(self) -> list[Any]:
        return sorted(self.target.run("SELECT segId, clientId FROM mysegment"))


@pytest.fixture
def example(
    tmp_path: Path,
    redis_server: RedisServer,
    redis_client: redis.Redis,
    namespace: str,
    mariadb_server: MariadbServer,
    mariadb_url: str,
) -> Example:
    assert redis_client.ping()
    target = TargetDatabase("mysql", mariadb_url, mariadb_server.password)
    return Example(Installation(tmp_path, redis_server.url, namespace), target)


def event(kind: str, *keys: str, **facts: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"type": kind, "segment": {"id": 7, **facts}}
    return made | ({"profiles": profiles(*keys)} if kind in ("add", "remove") else {})


BY_SEG_ID = {"remove": REMOVE.replace("segment_id =", "segId ="), "clear": CLEAR.replace("segment_id =", "segId =")}


def test_the_printed_queries_compile_and_the_key_is_found(example: Example) -> None:
    example.apply()
    assert load(example.installation.file).integrations["doc"].key_fields == ("CustomID",)


def test_adding_works_as_printed_in_double_quotes(example: Example) -> None:
    example.apply()
    hostile = ["O'Brien", 'x", NOW()),(666,"evil', "back\\", 'say "hi"']
    assert example.run(event("add", *hostile)) == ()
    assert example.rows() == sorted((7, key) for key in hostile)


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


def test_segments_are_created_renamed_and_deleted_as_printed(example: Example) -> None:
    example.target.run("ALTER TABLE segments ADD UNIQUE KEY (segment_id)")
    example.apply()
    example.run(event("segment_upsert", name="VIP"), event("segment_upsert", name="O'Brien's \"friends\""))
    assert example.target.run("SELECT segment_id, name FROM segments") == [(7, "O'Brien's \"friends\"")]
    example.run(event("segment_delete"))
    assert example.target.run("SELECT segment_id, name FROM segments") == []


def test_the_printed_remark_is_refused_with_its_place(example: Example) -> None:
    remark = ADD.replace("{autocomma}", "{autocomma} // Here fields for export are specified")
    with pytest.raises(SettingsError) as refused:
        example.apply(add=remark)
    (mistake,) = refused.value.mistakes
    assert (mistake.where, mistake.line) == ("integrations.doc.queries.add", 4)
    assert "//" in mistake.what
    assert "{*" in mistake.what
