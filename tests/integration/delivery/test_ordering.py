"""Whatever a database takes for one row: a batch ends as its operations would, taken one by one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.proof import draws, seeded
from tests.servers.mariadb import BINARY
from workers.ledger.statistics import stats
from workers.settings import load, revision
from workers.templates import QueryKind, Row, SegmentView, compile_query

if TYPE_CHECKING:
    import random

    from tests.integration.jobs import Job

SEQUENCES = draws(8, 200)
OPERATIONS = 25


@dataclass(frozen=True)
class Kind:
    """One way in which keys meet.

    key        the key column's definition, by dialect; where it means nothing to a database, that one has none
    spellings  keys, of which some are one row to some database
    places     the same of a second field of the key; () for a key of one field
    unique     a further unique key
    mails      how many different values there are for it
    upsert     what `add` does with a row that is there, where that is not to change its mail; by dialect
    often      where `make test` tries it, too
    """

    key: dict[str, str]
    spellings: tuple[str, ...]
    key_in_query: str = "'{$l.CustomID}'"
    places: tuple[str, ...] = ()
    unique: str = ""
    mails: int = 1_000_000
    upsert: dict[str, str] = field(default_factory=dict)
    often: tuple[str, ...] = ("mysql", "postgresql", "sqlite")

    @property
    def columns(self) -> tuple[str, ...]:
        """What names a row within its segment."""
        return ("client_id", "place") if self.places else ("client_id",)

    @property
    def values(self) -> str:
        """The same as the queries write it."""
        return self.key_in_query + (", '{$l.place}'" if self.places else "")


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
UUIDS = ("0f0e0d0c-0b0a-4908-8706-050403020100", "0f0e0d0c-0b0a-4908-8706-050403020101")
DATES = ("2026-01-02", "2026-1-2", "20260102", "2026-01-03", "2026-1-3")
KINDS = {
    "numbers": Kind(INTEGER, ("7", "007", "7 ", "8", "08", "9")),
    "letters": Kind(TEXT, ("ann", "Ann", "ANN ", "Jos\u00e9", "Jose\u0301", "jose", "bob")),
    "hashed": Kind(BYTES, ("ann", " ann", "Ann", "bob", "BOB"), "'{sha256 (lower (trim $l.CustomID))}'"),
    "second unique key": Kind(BYTES, ("a", "b", "c", "z"), unique=", UNIQUE (segment_id, mail)", mails=3),
    "second unique key, updated": Kind(
        BYTES,
        ("a", "b", "c", "z"),
        unique=", UNIQUE (segment_id, mail)",
        mails=3,
        upsert={
            "mysql": "ON DUPLICATE KEY UPDATE note = VALUES(note)",
            "sqlite": "ON CONFLICT DO UPDATE SET note = excluded.note",
        },
        often=("mysql",),
    ),
    "uuids": Kind(
        {"mysql": "uuid", "postgresql": "uuid"},
        (*UUIDS, UUIDS[0].upper(), UUIDS[0].replace("-", ""), UUIDS[1].upper().replace("-", "")),
        often=("mysql",),
    ),
    "uuids in braces": Kind({"postgresql": "uuid"}, (*UUIDS, f"{{{UUIDS[0]}}}", f"{{{UUIDS[1].upper()}}}")),
    "dates": Kind({"mysql": "date", "postgresql": "date"}, DATES, often=("mysql",)),
    "functions": Kind(BYTES, ("ann", " ann", "Ann ", "bob", "BOB"), "lower(trim('{$l.CustomID}'))", often=("sqlite",)),
    "two fields": Kind(TEXT, ("7", "ann", "Ann"), places=("x", "X", "y"), often=("postgresql",)),
}


def table(kind: Kind, dialect: str, name: str) -> str:
    text = "varchar(100)" if dialect != "sqlite" else "text"
    place = f", place {kind.key[dialect]} NOT NULL" if kind.places else ""
    return (
        f"CREATE TABLE {name} (segment_id bigint NOT NULL, client_id {kind.key[dialect]} NOT NULL{place}, mail {text},"
        f" note {text}, PRIMARY KEY (segment_id, {', '.join(kind.columns)}){kind.unique})"
    )


def queries(kind: Kind, dialect: str) -> dict[str, str]:
    """An upsert, or what a second unique key decides without refusing anyone."""
    verb, conflict = "INSERT", "ON DUPLICATE KEY UPDATE mail = VALUES(mail)"
    columns = ", ".join(kind.columns)
    if dialect != "mysql":
        conflict = f"ON CONFLICT (segment_id, {columns}) DO UPDATE SET mail = excluded.mail"
    if kind.upsert:
        conflict = kind.upsert[dialect]
    elif kind.unique:
        verb, conflict = ("REPLACE", "") if dialect == "mysql" else ("INSERT", "ON CONFLICT DO NOTHING")
    row = f"({{segment_id}}, {kind.values}, '{{$l.mail}}'" + (", '{$l.note}')" if kind.upsert else ")")
    written = f"segment_id, {columns}, mail" + (", note" if kind.upsert else "")
    named, value = (f"({columns})", f"({kind.values})") if kind.places else (columns, kind.values)
    return {
        "add": f"{verb} INTO member ({written}) VALUES\n{{for $l = $batch}}{row}{{autocomma}}{{end}}\n" + conflict,
        "remove": f"DELETE FROM member WHERE segment_id = {{segment_id}} AND {named} IN"
        f" ({{for $l = $batch}}{value}{{autocomma}}{{end}})",
    }


def profile(kind: Kind, chance: random.Random, key: str, number: int) -> dict[str, Any]:
    place = {"place": chance.choice(kind.places)} if kind.places else {}
    return {"CustomID": key, "mail": f"m{chance.randrange(kind.mails)}", "note": f"n{number}", **place}


def sequence(kind: Kind, chance: random.Random) -> list[tuple[str, dict[str, Any]]]:
    return [
        (chance.choice(("add", "add", "remove")), profile(kind, chance, key, number))
        for number, key in enumerate(chance.choices(kind.spellings, k=OPERATIONS))
    ]


def one_by_one(job: Job, kind: Kind, operations: dict[int, list[tuple[str, dict[str, Any]]]]) -> None:
    """Runs each operation's own statement against the table `expected`."""
    dialect, key = job.target.dialect, ("CustomID", "place") if kind.places else ("CustomID",)
    compiled = {
        what: compile_query(text, dialect=dialect, kind=QueryKind(what), batch=True, key=key)
        for what, text in queries(kind, dialect).items()
    }
    statements = [
        statement.replace("member", "expected")
        for segment, came in operations.items()
        for what, who in came
        for statement in compiled[what].render([Row(who, 0, 1)], SegmentView(str(segment), None, 0, 0))
    ]
    job.target.run(*statements)


def configure(job: Job, kind: Kind) -> None:
    """Applies its queries, and its key."""
    integration = job.target.integration(leave_out=(), **queries(kind, job.target.dialect))
    if kind.places:
        integration = integration.replace('key = "CustomID"', 'key = ["CustomID", "place"]')
    job.installation.configure(job.target.connector() + integration)
    revision.publish(job.installation.redis, job.installation.keys, load(job.installation.file))


def event(segment: int, what: str, profile: dict[str, Any]) -> dict[str, Any]:
    return {"type": what, "segment": {"id": segment}, "profiles": [{"_id": "x", **profile}]}


TRIED = [
    pytest.param(name, dialect, id=f"{name}-{dialect}", marks=() if dialect in kind.often else pytest.mark.long)
    for name, kind in KINDS.items()
    for dialect in kind.upsert or kind.key
]


@pytest.mark.proof
@pytest.mark.parametrize(("name", "target"), TRIED, indirect=["target"])
def test_a_batch_ends_as_one_by_one(job: Job, name: str) -> None:
    kind, dialect = KINDS[name], job.target.dialect
    dice, seed = seeded(1)
    job.target.run("DROP TABLE member", table(kind, dialect, "member"), table(kind, dialect, "expected"))
    configure(job, kind)
    operations = {number: sequence(kind, dice) for number in range(1, SEQUENCES + 1)}
    one_by_one(job, kind, operations)

    for segment, came in operations.items():
        job.installation.producer.push([event(segment, what, who) for what, who in came])
    job.drain()

    def rows(of: str) -> list[Any]:
        columns = ", ".join(("segment_id", *kind.columns, "mail", "note"))
        return sorted(job.target.run(f"SELECT {columns} FROM {of}"), key=repr)

    assert rows("member") == rows("expected"), f"seed {seed}"
    assert rows("member")


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


KEYED = "segment_id bigint, client_id {key}, mail varchar(50), PRIMARY KEY (segment_id, client_id)"
UPSERTS = {
    "mysql": "ON DUPLICATE KEY UPDATE mail = VALUES(mail)",
    "postgresql": "ON CONFLICT (segment_id, client_id) DO UPDATE SET mail = excluded.mail",
    "sqlite": "ON CONFLICT (segment_id, client_id) DO UPDATE SET mail = excluded.mail",
}
RENAMING = {dialect: upsert.replace("SET mail", "SET client_id").replace("UPDATE mail", "UPDATE client_id")
            for dialect, upsert in UPSERTS.items()}  # fmt: skip
NICK = "CREATE TRIGGER nick BEFORE INSERT ON member FOR EACH ROW"
RENAMES = (
    "CREATE FUNCTION nick() RETURNS trigger LANGUAGE plpgsql AS $$"
    " BEGIN NEW.client_id := replace(NEW.client_id, 'ann', 'anna'); RETURN NEW; END $$"
)
LATER = "UPDATE member SET client_id = 'anna' WHERE client_id = 'ann'"
NICKNAMES = {
    "mysql": (f"{NICK} SET NEW.client_id = IF(NEW.client_id = 'ann', 'anna', NEW.client_id)",),
    "postgresql": (RENAMES, f"{NICK} EXECUTE FUNCTION nick()"),
    "sqlite": (f"{NICK.replace('BEFORE', 'AFTER')} WHEN NEW.client_id = 'ann' BEGIN {LATER}; END",),
}


@dataclass(frozen=True)
class Met:
    """Keys that meet though nothing of them looks alike: what came leaves no row.

    came    verb, key and mail of each operation
    where   the condition of `remove`
    upsert  what `add` does with a row that is there
    verb    how `add` begins
    key     the key column's type
    more    what is made beside the table
    """

    came: tuple[tuple[str, str, str], ...]
    where: str = 'client_id IN ({batch_in "CustomID"})'
    upsert: dict[str, str] = field(default_factory=lambda: UPSERTS)
    verb: str = "INSERT"
    key: str = "varchar(20)"
    more: dict[str, tuple[str, ...]] = field(default_factory=dict)


ANN, BOB = ("remove", "ann", ""), ("remove", "bob", "")
OR = "(client_id IN ({batch_in \"CustomID\"}) OR mail = 'old')"
TEXTS, NUMBERS = 'client_id IN ({batch_in "CustomID"})', '{batch_in number "CustomID"}'
BYTES_BY_NAME = ("CREATE DOMAIN varbinary AS bytea", "ALTER TABLE member ALTER client_id TYPE varbinary")
ANY = ("mysql", "postgresql", "sqlite")
MET = {
    "a trigger": (ANY, Met((("add", "ann", ""), ("remove", "anna", "")), more=NICKNAMES)),
    "ignored": (("mysql",), Met((("add", "ann-a", ""), ANN), verb="INSERT IGNORE", key="varchar(3)")),
    "another column": (ANY, Met((("add", "ann", "bob"), BOB), 'mail IN ({batch_in "CustomID"})')),
    "another condition": (ANY, Met((("add", "ann", "old"), BOB), OR)),
    "renamed": (ANY, Met((("add", "ann", "bob"), ("add", "ann", "bob"), BOB), upsert=RENAMING)),
    "rounded": (ANY[:2], Met((("add", "7.495", ""), ("remove", "7.5", "")), key="numeric(9,2)")),
    "named alike": (
        ("postgresql",),
        Met((("add", "A", ""), ("remove", "\\x41", "")), key="bytea", more={"postgresql": BYTES_BY_NAME}),
    ),
    "begins a text": (("mysql",), Met((("add", "7", ""), ("remove", "7 x", "")), key="bigint")),
    "begun by a number": (("mysql",), Met((("add", "7/b", ""), ("remove", "7", "")), f"client_id IN ({NUMBERS})")),
    "turned round": (ANY[:2], Met((("add", "ann", ""), BOB), f"({TEXTS}) IS NOT TRUE")),
    "read otherwise": (("mysql",), Met((("add", "ann", "old"), BOB), rf"{TEXTS} AND mail <> '\'' OR mail = 'old'")),
    "numbers": (("postgresql",), Met((("add", "0b11", ""), ("remove", "3", "")), key="int")),
}


@pytest.mark.parametrize(
    ("name", "target"), [(n, d) for n, (some, _) in MET.items() for d in some], indirect=["target"]
)
def test_keys_that_meet_by_what_no_spelling_tells_keep_their_order(job: Job, name: str) -> None:
    met, dialect = MET[name][1], job.target.dialect
    columns = KEYED.format(key=met.key)
    job.target.run("DROP TABLE member", f"CREATE TABLE member ({columns})", *met.more.get(dialect, ()))
    row = "({segment_id}, '{$l.CustomID}', '{$l.mail}')"
    job.configure(
        add=f"{met.verb} INTO member (segment_id, client_id, mail) VALUES\n"
        f"{{for $l = $batch}}{row}{{autocomma}}{{end}}\n{met.upsert[dialect]}",
        remove=f"DELETE FROM member WHERE segment_id = {{segment_id}} AND {met.where}",
    )
    job.installation.producer.push([event(1, what, {"CustomID": key, "mail": mail}) for what, key, mail in met.came])
    job.drain()
    assert job.target.run("SELECT client_id FROM member") == []
    assert job.set_aside() == {}
