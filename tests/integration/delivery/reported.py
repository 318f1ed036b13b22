"""Situations that users of tools of this kind have reported, each with the end that is right."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

Event = tuple[str, list[dict[str, Any]]]
"""What is told, `add` or `remove`, of which profiles: each is named by its key."""

POSTGRESQL: Final = "postgresql"
MYSQL: Final = "mysql"
KEYED: Final = "PRIMARY KEY (segment_id, client_id)"
UPSERTS: Final = {
    MYSQL: "ON DUPLICATE KEY UPDATE note = VALUES(note)",
    POSTGRESQL: "ON CONFLICT (segment_id, client_id) DO UPDATE SET note = excluded.note",
}
ADD: Final = (
    "INSERT INTO member (segment_id, client_id, note) VALUES\n"
    "{for $l = $batch}({segment_id}, '{$l.CustomID}', '{$l.note}'){autocomma}{end}\n"
)
REMOVE: Final = 'DELETE FROM member WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})'


def profile(key: object, **fields: object) -> dict[str, Any]:
    return {"_id": f"p{key}", "CustomID": key, **fields}


def member(note: str, key: str = "varchar(60)", more: str = KEYED) -> str:
    """The table of members, with a note of some type."""
    return f"CREATE TABLE member (segment_id int, client_id {key}, note {note}, {more})"


@dataclass(frozen=True)
class Reported:
    """One situation.

    tables    what is made first
    came      the events, in their order
    rows      what `look` finds in the end
    aside     of each profile that is in the quarantine: its code
    held      what the hold says; "" where nothing is held
    warned    what `check --connect` says of it; "" where it has nothing to say
    settings  of the integration
    target    settings of the connector
    server    MariaDB's settings meanwhile
    again     whether another situation proves the same, or it takes long: for `make proof` alone
    """

    dialect: str
    tables: tuple[str, ...]
    came: tuple[Event, ...]
    rows: list[tuple[Any, ...]]
    aside: dict[str, str] = field(default_factory=dict)
    held: str = ""
    warned: str = ""
    add: str = ""
    remove: str = REMOVE
    look: str = "SELECT client_id, note FROM member ORDER BY client_id"
    settings: dict[str, str] = field(default_factory=dict)
    target: dict[str, str] = field(default_factory=dict)
    server: dict[str, str] = field(default_factory=dict)
    again: bool = False

    def queries(self) -> dict[str, str]:
        """Its `add` and `remove`."""
        return {"add": self.add or ADD + UPSERTS[self.dialect], "remove": self.remove}


def three(good: object, bad: object) -> tuple[Event, ...]:
    """Two good profiles with a bad one between them, in one batch."""
    return (("add", [profile("good1", note=good), profile("bad", note=bad), profile("good2", note=good)]),)


def only_bad_is_refused(dialect: str, code: str, tables: tuple[str, ...], **more: Any) -> Reported:
    """Both good ones are delivered, the bad one is in the quarantine."""
    good = [("good1", "eu"), ("good2", "eu")]
    return Reported(dialect, tables, three("eu", "us"), good, {"bad": f"{dialect} {code}"}, **more)


REFUSING: Final = "CREATE TRIGGER refuses BEFORE INSERT ON member FOR EACH ROW"


def refusing(statement: str) -> tuple[str, ...]:
    """PostgreSQL: a trigger that does this to whoever is from there."""
    body = f"BEGIN IF NEW.note = 'us' THEN {statement}; END IF; RETURN NEW; END"
    return (
        member("text"),
        f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$",
        f"{REFUSING} EXECUTE FUNCTION refuse()",
    )


def signalling(statement: str) -> tuple[str, ...]:
    """The same for MariaDB."""
    return (member("varchar(60)"), f"{REFUSING} BEGIN IF NEW.note = 'us' THEN {statement}; END IF; END")


CHECKED: Final = (
    member("varchar(60)").replace("TABLE member", "TABLE base"),
    "CREATE VIEW member AS SELECT * FROM base WHERE note = 'eu' WITH CHECK OPTION",
)
ONE_FAULT: Final = {
    "a row that a policy forbids": only_bad_is_refused(
        POSTGRESQL,
        "42501",
        (
            member("text"),
            "ALTER TABLE member ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE member FORCE ROW LEVEL SECURITY",
            "CREATE POLICY here ON member USING (true) WITH CHECK (note = 'eu')",
        ),
    ),
    "a boolean where a number is": Reported(
        POSTGRESQL,
        (member("int"),),
        three(5, bad=True),
        [("good1", 5), ("good2", 5)],
        {"bad": "postgresql 42804"},
        warned="for a profile whose 'note' is a boolean",
        add=(ADD + UPSERTS[POSTGRESQL]).replace("'{$l.note}'", "{$l.note}"),
    ),
    "a row for each tag, and one without tags": Reported(
        POSTGRESQL,
        (member("text", more="PRIMARY KEY (segment_id, client_id, note)"),),
        (("add", [profile("a", tags=["x"]), profile("b", tags=[]), profile("c", tags=["y", "z"])]),),
        [("a", "x"), ("c", "y"), ("c", "z")],
        add="INSERT INTO member (segment_id, client_id, note) VALUES {for $l = $batch}{for $x = $l.tags}"
        "({segment_id}, '{$l.CustomID}', '{$x}'){autocomma}{end}{autocomma}{end} ON CONFLICT DO NOTHING",
        look="SELECT client_id, note FROM member ORDER BY client_id, note",
    ),
    "a removal that the column's letters cannot spell": Reported(
        MYSQL,
        (member("varchar(60)", key="varchar(60) CHARACTER SET latin1 COLLATE latin1_bin"),),
        (
            ("add", [profile("ann", note="x"), profile("bob", note="x")]),
            ("remove", [profile("ann"), profile("\u0416\u0430\u043d\u043d\u0430")]),
        ),
        [("bob", "x")],
        {"\u0416\u0430\u043d\u043d\u0430": "mysql 1267"},
    ),
    "a trigger with a code of its own": only_bad_is_refused(
        POSTGRESQL, "CRM01", refusing("RAISE EXCEPTION 'no consent' USING ERRCODE = 'CRM01'")
    ),
    "a trigger with an error number of its own": only_bad_is_refused(
        MYSQL, "5001", signalling("SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = 5001, MESSAGE_TEXT = 'no consent'")
    ),
    "a view with a check, in MariaDB": only_bad_is_refused(MYSQL, "1369", CHECKED),
    "a view with a check, in PostgreSQL": only_bad_is_refused(POSTGRESQL, "44000", CHECKED, again=True),
    "a parent that is looked for at COMMIT": only_bad_is_refused(
        POSTGRESQL,
        "23503",
        (
            "CREATE TABLE place (name text PRIMARY KEY)",
            "INSERT INTO place VALUES ('eu')",
            member("text REFERENCES place DEFERRABLE INITIALLY DEFERRED"),
        ),
        again=True,
    ),
}
"""One profile's fault that held all others up."""

IMPATIENT: Final = {"statement_timeout": '"300ms"'}
SLOW: Final = {
    "one that never ends, in PostgreSQL": only_bad_is_refused(
        POSTGRESQL, "57014", refusing("PERFORM pg_sleep(60)"), target=IMPATIENT, again=True
    ),
    "one that never ends, in MariaDB": only_bad_is_refused(
        MYSQL, "1969", signalling("DO SLEEP(60)"), target=IMPATIENT, again=True
    ),
}
"""The same, of one that takes longer than any statement may: each try is waited for."""

NOBODYS_FAULT: Final = {
    "a sequence that is used up": Reported(
        POSTGRESQL,
        (member("text", more=f"n smallint GENERATED ALWAYS AS IDENTITY (START WITH 32766), {KEYED}"),),
        three("eu", "us"),
        [],
        held="a sequence or identity column has no numbers left",
    ),
    "numbers that are used up": Reported(
        MYSQL,
        (
            member("varchar(60)", more=f"n tinyint AUTO_INCREMENT, {KEYED}, KEY (n)"),
            "ALTER TABLE member AUTO_INCREMENT = 126",
        ),
        three("eu", "us"),
        [],
        held="an AUTO_INCREMENT column or a sequence has no numbers left",
    ),
}
"""The target's fault, for which good profiles were set aside."""

LONG: Final = "x" * 90


def fallen_back(dialect: str, bad: str, code: str, ordering: str, *, again: bool) -> Reported:
    """A good profile, and then a bad one of its key: where they are merged, the batch is the bad one alone."""
    return Reported(
        dialect,
        (member("varchar(60)"),),
        (("add", [profile("a", note="good")]), ("add", [profile("a", note=bad)])),
        [("a", "good")],
        {"a": code},
        settings={"ordering": f'"{ordering}"'} if ordering else {},
        again=again,
    )


MERGED: Final = {
    f"{dialect}, {ordering or 'by the tables'}, {what}": fallen_back(
        dialect, bad, code, ordering, again=bool(ordering) and code != "postgresql 22001"
    )
    for dialect, bad, code, what in (
        (POSTGRESQL, "x\0y", "bad value", "unfit"),
        (POSTGRESQL, LONG, "postgresql 22001", "refused"),
        (MYSQL, LONG, "mysql 1406", "refused"),
    )
    for ordering in ("exact", "strict", "")
}
"""A good operation that was lost with the bad one that it was merged into."""

DATED: Final = "CREATE TABLE member (segment_id int, client_id varchar(60), ts datetime, d date, " + KEYED + ")"
OTHERWISE: Final = {
    "a list without elements is a value": Reported(
        POSTGRESQL,
        (member("text[]"),),
        tuple(("add", [each]) for each in (profile("ann", tags=["vip"]), profile("ann", tags=[]), profile("bob"))),
        [("ann", []), ("bob", [])],
        add="INSERT INTO member (segment_id, client_id, note) VALUES"
        " ({segment_id}, '{lead.CustomID}', ARRAY[{for $x = lead.tags}'{$x}'{autocomma}{end}]::text[]) "
        + UPSERTS[POSTGRESQL],
        remove="DELETE FROM member WHERE segment_id = {segment_id} AND client_id = '{lead.CustomID}'",
        settings={"batch": ""},
    ),
    "a time in a server's zone": Reported(
        MYSQL,
        (member("timestamp(6) NULL"),),
        (("add", [profile("a")]),),
        [("a", 1_780_315_200)],
        add=(ADD + UPSERTS[MYSQL]).replace("'{$l.note}'", "{$l._event_time}"),
        look="SELECT client_id, CAST(UNIX_TIMESTAMP(note) AS INTEGER) FROM member",
        server={"time_zone": "'+02:00'"},
    ),
    "dates that are none": Reported(
        MYSQL,
        (DATED,),
        (("add", [profile("a", ts="24:00:00"), profile("b", d="0000-00-00"), profile("c", d="2024-00-10"),
                  profile("d", d="2024-05-01", ts="2024-05-01 10:00:00")]),),
        [("d", "2024-05-01 10:00:00", "2024-05-01")],
        {"a": "mysql 1292", "b": "mysql 1292", "c": "mysql 1292"},
        add="INSERT INTO member (segment_id, client_id, ts, d) VALUES {for $l = $batch}"
        "({segment_id}, '{$l.CustomID}', '{$l.ts}', '{$l.d}'){autocomma}{end}"
        " ON DUPLICATE KEY UPDATE ts = VALUES(ts), d = VALUES(d)",
        look="SELECT client_id, CONCAT(ts), CONCAT(d) FROM member",
        server={"sql_mode": "''"},
    ),
    "the key 0 beside AUTO_INCREMENT": Reported(
        MYSQL,
        ("CREATE TABLE member (client_id int AUTO_INCREMENT PRIMARY KEY, note varchar(9))",),
        (("add", [profile(0, note="zero"), profile(5, note="five")]), ("add", [profile(0, note="none")])),
        [(0, "none"), (5, "five")],
        add=(ADD + UPSERTS[MYSQL]).replace("segment_id, ", "", 1).replace("{segment_id}, ", ""),
        remove='DELETE FROM member WHERE client_id IN ({batch_in "CustomID"})',
        settings={"ordering": '"strict"'},
    ),
    "INSERT IGNORE bends what does not fit": Reported(
        MYSQL,
        (member("tinyint NOT NULL"),),
        (("add", [profile("a", note="300")]),),
        [("a", 127)],
        warned="300 becomes 127",
        add=ADD.replace("INSERT", "INSERT IGNORE"),
    ),
    "a key over the beginning of a column": Reported(
        MYSQL,
        (member("varchar(60)", key="varbinary(60)", more="UNIQUE KEY begins (segment_id, client_id(8))"),),
        (("add", [profile("customer-1", note="ann"), profile("customer-2", note="bob")]),),
        [(b"customer-1", "bob")],
        warned="counts only the beginning of 'client_id'",
    ),
}  # fmt: skip
"""What was stored otherwise than it was told, or not at all; and what only its warning can mend."""
