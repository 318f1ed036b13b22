"""Whatever a database takes for one row: a batch ends as its operations would, taken one by one."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.mariadb import BINARY
from workers.ledger.statistics import stats
from workers.templates import QueryKind, Row, SegmentView, compile_query

if TYPE_CHECKING:
    from tests.integration.jobs import Job

SEQUENCES = 12
OPERATIONS = 25


@dataclass(frozen=True)
class Kind:
    """One way in which keys meet.

    key        the key column's definition, by dialect
    spellings  keys, of which some are one row to some database
    unique     a further unique key
    mails      how many different values there are for it
    """

    key: dict[str, str]
    spellings: tuple[str, ...]
    key_in_query: str = "'{$l.CustomID}'"
    unique: str = ""
    mails: int = 1_000_000


INTEGER = {"mysql": "bigint", "postgresql": "bigint", "sqlite": "integer"}
TEXT = {
    "mysql": "varchar(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
    "postgresql": 'varchar(100) COLLATE "C"',
    "sqlite": "text COLLATE NOCASE",
}
BYTES = {
    "mysql": f"varchar(100) CHARACTER SET utf8mb4 COLLATE {BINARY}",
    "postgresql": 'varchar(100) COLLATE "C"',
    "sqlite": "text",
}
KINDS = {
    "numbers": Kind(INTEGER, ("7", "007", "7 ", "8", "08", "9")),
    "letters": Kind(TEXT, ("ann", "Ann", "ANN ", "Jos\u00e9", "Jose\u0301", "jose", "bob")),
    "hashed": Kind(BYTES, ("ann", " ann", "Ann", "bob", "BOB"), "'{sha256 (lower (trim $l.CustomID))}'"),
    "second unique key": Kind(BYTES, ("a", "b", "c", "z"), unique=", UNIQUE (segment_id, mail)", mails=3),
}


def table(kind: Kind, dialect: str, name: str) -> str:
    mail = "varchar(100)" if dialect != "sqlite" else "text"
    return (
        f"CREATE TABLE {name} (segment_id bigint NOT NULL, client_id {kind.key[dialect]} NOT NULL, mail {mail},"
        f" PRIMARY KEY (segment_id, client_id){kind.unique})"
    )


def queries(kind: Kind, dialect: str) -> dict[str, str]:
    """An upsert, or what a second unique key decides without refusing anyone."""
    verb, conflict = "INSERT", "ON DUPLICATE KEY UPDATE mail = VALUES(mail)"
    if dialect != "mysql":
        conflict = "ON CONFLICT (segment_id, client_id) DO UPDATE SET mail = excluded.mail"
    if kind.unique:
        verb, conflict = ("REPLACE", "") if dialect == "mysql" else ("INSERT", "ON CONFLICT DO NOTHING")
    row = "({segment_id}, " + kind.key_in_query + ", '{$l.mail}')"
    return {
        "add": f"{verb} INTO member (segment_id, client_id, mail) VALUES\n"
        f"{{for $l = $batch}}{row}{{autocomma}}{{end}}\n" + conflict,
        "remove": "DELETE FROM member WHERE segment_id = {segment_id} AND client_id IN"
        f" ({{for $l = $batch}}{kind.key_in_query}{{autocomma}}{{end}})",
    }


def sequence(kind: Kind, seed: int) -> list[tuple[str, dict[str, Any]]]:
    chance = random.Random(seed)
    return [
        (chance.choice(("add", "add", "remove")), {"CustomID": key, "mail": f"m{chance.randrange(kind.mails)}"})
        for key in chance.choices(kind.spellings, k=OPERATIONS)
    ]


def one_by_one(job: Job, texts: dict[str, str], operations: dict[int, list[tuple[str, dict[str, Any]]]]) -> None:
    """Runs each operation's own statement against the table `expected`."""
    dialect = job.target.dialect
    compiled = {
        kind: compile_query(text, dialect=dialect, kind=QueryKind(kind), batch=True, key=("CustomID",))
        for kind, text in texts.items()
    }
    statements = [
        statement.replace("member", "expected")
        for segment, came in operations.items()
        for kind, profile in came
        for statement in compiled[kind].render([Row(profile, 0, 1)], SegmentView(str(segment), None, 0, 0))
    ]
    job.target.run(*statements)


def event(segment: int, what: str, profile: dict[str, Any]) -> dict[str, Any]:
    return {"type": what, "segment": {"id": segment}, "profiles": [{"_id": "x", **profile}]}


@pytest.mark.parametrize("name", KINDS)
def test_a_batch_ends_as_one_by_one(job: Job, name: str) -> None:
    kind, dialect = KINDS[name], job.target.dialect
    texts = queries(kind, dialect)
    job.target.run("DROP TABLE member", table(kind, dialect, "member"), table(kind, dialect, "expected"))
    job.configure(**texts)
    operations = {seed: sequence(kind, seed) for seed in range(1, SEQUENCES + 1)}
    one_by_one(job, texts, operations)

    for segment, came in operations.items():
        job.installation.producer.push([event(segment, what, profile) for what, profile in came])
    job.drain()

    def rows(of: str) -> list[Any]:
        return sorted(job.target.run(f"SELECT segment_id, client_id, mail FROM {of}"))

    assert rows("member") == rows("expected")


def mixed(number: int) -> list[dict[str, Any]]:
    """Adds and removes by turns, of keys that fold apart."""
    adds = (event(1, "add", {"CustomID": f"a{n}", "mail": f"m{n}"}) for n in range(number))
    removes = (event(1, "remove", {"CustomID": f"r{n}"}) for n in range(number))
    return [each for pair in zip(adds, removes, strict=True) for each in pair]


@pytest.mark.parametrize(("name", "statements"), [("letters", 2), ("second unique key", 20)])
def test_removes_pass_adds_only_where_the_table_says_so(job: Job, name: str, statements: int) -> None:
    kind, dialect = KINDS[name], job.target.dialect
    job.target.run("DROP TABLE member", table(kind, dialect, "member"))
    job.configure(**queries(kind, dialect))
    job.installation.producer.push(mixed(10))
    job.drain()
    now = datetime.now(UTC)
    rows = stats(job.runtime.ledger, now - timedelta(hours=3), now + timedelta(hours=1))
    assert sum(row.statements for row in rows) == statements
    assert len(job.target.run("SELECT client_id FROM member")) == 10


MAIL = "CREATE TABLE {0} (segment_id bigint, client_id text, mail text, PRIMARY KEY (segment_id, client_id)"
HIDDEN_KEYS = {
    "a partition's": (MAIL + ") PARTITION BY LIST (segment_id)", "CREATE TABLE {0}_1 PARTITION OF {0} DEFAULT",
                      "CREATE UNIQUE INDEX ON {0}_1 (mail)"),
    "exclusion": (MAIL + ", EXCLUDE USING btree (mail WITH =))",),
}  # fmt: skip


@pytest.mark.parametrize("name", HIDDEN_KEYS)
@pytest.mark.parametrize("target", ["postgresql"], indirect=True)
def test_what_else_refuses_rows_counts_as_a_unique_key(job: Job, name: str) -> None:
    job.target.run("DROP TABLE member", *(text.format("member") for text in HIDDEN_KEYS[name]))
    job.configure(**queries(Kind(TEXT, (), unique="of some kind"), "postgresql"))
    came = [("add", "z"), ("add", "a"), ("remove", "z")]  # a is not inserted while z has its mail
    job.installation.producer.push([event(1, what, {"CustomID": key, "mail": "m"}) for what, key in came])
    job.drain()
    assert job.target.run("SELECT client_id FROM member") == []


def test_a_key_that_another_table_turns_into_rows_is_delivered_in_its_order(job: Job) -> None:
    """Ann and Bob are one household: the last word on either is the last word on it."""
    job.target.run("DROP TABLE member", "CREATE TABLE member (segment_id bigint, house int)")
    job.target.run("CREATE TABLE people (ext varchar(20), house int)")
    job.target.run("INSERT INTO people VALUES ('ann', 5), ('bob', 5)")
    houses = 'SELECT house FROM people WHERE ext IN ({batch_in "CustomID"})'
    job.configure(
        add=f"INSERT INTO member (segment_id, house) {houses.replace('house', '{segment_id}, house', 1)}",
        remove=f"DELETE FROM member WHERE segment_id = {{segment_id}} AND house IN ({houses})",
    )
    came = [("add", "ann"), ("remove", "bob")]
    job.installation.producer.push([event(1, what, {"CustomID": key}) for what, key in came])
    job.drain()
    assert job.target.run("SELECT house FROM member") == []
