"""What only MySQL and MariaDB do to a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.preflight.checking import marked
from tests.integration.test_spec_examples import ADD, CLEAR, DELETE, REMOVE, TABLES, UPSERT
from tests.servers.mariadb import PASSWORD, PASSWORD_USER
from workers.connectors.sql.mysql.catalog import MysqlExamined
from workers.connectors.sql.mysql.connection import Connection
from workers.connectors.sql.positions import CREATE

if TYPE_CHECKING:
    from tests.integration.preflight.checking import Place
    from tests.servers.mariadb import MariadbServer

EXACT = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
MEMBER = (
    "CREATE TABLE member (segment_id {s} NOT NULL, client_id {c} NOT NULL, updated datetime(6), {key}) ENGINE={engine}"
)


def make(
    place: Place, s: str = "bigint", c: str = f"varchar(255) {EXACT}", engine: str = "InnoDB", key: str = ""
) -> None:
    """The usual tables, with something wrong in them."""
    place.database.create()
    place.database.run(
        "DROP TABLE member", MEMBER.format(s=s, c=c, engine=engine, key=key or "PRIMARY KEY (segment_id, client_id)")
    )
    place.database.run("INSERT INTO member (segment_id, client_id) VALUES (7, '17')")


def test_the_printed_queries_have_all_their_slips_told(mariadb: Place) -> None:
    """The user's document names segment_id where the table has segId, and gives its tables no key."""
    mariadb.database.run(*TABLES)
    found = mariadb.findings(add=ADD, remove=REMOVE, clear=CLEAR, segment_upsert=UPSERT, segment_delete=DELETE)
    assert marked(found) == [
        ("warning", "add"),
        ("warning", "key"),
        ("mistake", "remove"),
        ("mistake", "clear"),
        ("warning", "segment_upsert"),
    ]
    no_key, collation, remove, clear, _ = found
    assert "never meets a row" in no_key.what
    assert "expected a primary or unique key over 'segId', 'clientId'" in no_key.what
    assert "utf8mb4_general_ci" in collation.what
    assert (remove.line, remove.column, clear.line) == (3, 7, 3)
    assert "Unknown column 'segment_id'" in remove.what
    assert "did you mean 'segId'?" in remove.what


def test_text_beside_a_number_is_told_with_its_remedy(mariadb: Place) -> None:
    make(mariadb, c="int")
    found = mariadb.findings()
    assert marked(found) == [("warning", "key"), ("warning", "remove")]
    assert "ignores how a number is written (7, 007, 7.0) (type int" in found[0].what
    assert "reads 'x' as 0" in found[1].what
    assert '{batch_in number "CustomID"}' in found[1].what
    remedied = 'DELETE FROM member WHERE segment_id = {segment_id} AND client_id IN ({batch_in number "CustomID"})'
    assert set(marked(mariadb.findings(remove=remedied))) == {("warning", "key")}


def test_ignore_bends_values_and_is_named(mariadb: Place) -> None:
    make(mariadb)
    queries = mariadb.database.queries()
    (finding,) = mariadb.findings(add=queries["add"].replace("INSERT INTO", "INSERT IGNORE INTO"))
    assert (finding.level, "300 becomes 127" in finding.what) == ("warning", True)
    (finding,) = mariadb.findings(remove=queries["remove"].replace("DELETE", "DELETE IGNORE"))
    assert "IGNORE in the change of 'member'" in finding.what


def test_replace_is_named_where_it_takes_more_than_its_row_along(mariadb: Place) -> None:
    make(mariadb)
    add = mariadb.database.queries()["add"].rpartition("\n")[0].replace("INSERT", "REPLACE")
    assert mariadb.findings(add=add) == []
    mariadb.database.run(
        "CREATE TABLE orders (s bigint, c varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin,"
        " FOREIGN KEY (s, c) REFERENCES member (segment_id, client_id) ON DELETE CASCADE)",
        "ALTER TABLE member ADD note varchar(9)",
    )
    (finding,) = mariadb.findings(add=add)
    assert "'note' lose what they hold, and rows of 'orders' that point at it are deleted" in finding.what


def test_a_unique_key_over_the_beginning_of_a_column_is_named(mariadb: Place) -> None:
    make(mariadb, key="UNIQUE KEY u (segment_id, client_id(8))")
    (finding,) = mariadb.findings()
    assert "counts only the beginning of 'client_id'" in finding.what
    assert "never meets" not in finding.what


@pytest.mark.parametrize(
    ("expression", "said"), [("sha2(client_id, 256)", ""), ("lower(client_id)", "is computed by lcase")]
)
def test_a_unique_key_over_a_generated_column_is_one_over_its_sources(
    mariadb: Place, expression: str, said: str
) -> None:
    make(mariadb, key="KEY (client_id)")
    mariadb.database.run(
        f"ALTER TABLE member ADD h varchar(99) {EXACT} AS ({expression}) STORED, ADD UNIQUE KEY u (segment_id, h)"
    )
    found = [each.what for each in mariadb.findings()]
    assert [said in what for what in found] == [True] * bool(said)


def test_another_unique_key_is_named(mariadb: Place) -> None:
    make(mariadb)
    mariadb.database.run("ALTER TABLE member ADD email varchar(99), ADD UNIQUE KEY mail (email)")
    add = mariadb.database.queries()["add"].replace("updated)", "updated, email)", 1)
    add = add.replace("{$lead._event_time})", "{$lead._event_time}, '{$lead.email}')")
    (finding,) = mariadb.findings(add=add)
    assert "has another unique key, mail (email)" in finding.what
    assert "ON DUPLICATE KEY UPDATE then changes that one's row" in finding.what


def test_a_number_beside_text_is_told(mariadb: Place) -> None:
    make(mariadb, s=f"varchar(40) {EXACT}")
    found = mariadb.findings()
    assert marked(found) == [("warning", "remove"), ("warning", "clear")]
    assert "'{segment_id}'" in found[0].what


@pytest.mark.parametrize(
    ("column", "ignored"),
    [
        ("varchar(99) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "case, accents and trailing blanks"),
        ("varchar(99) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "trailing blanks"),
        ("varchar(99) CHARACTER SET latin1 COLLATE latin1_general_cs", "trailing blanks"),
        (f"char(99) {EXACT}", "trailing blanks"),
    ],
)
def test_a_collation_that_merges_keys_is_named(mariadb: Place, column: str, ignored: str) -> None:
    make(mariadb, c=column)
    (finding,) = mariadb.findings()
    assert (finding.level, finding.where) == ("warning", "integrations.members.key")
    assert f"ignores {ignored} (collation " in finding.what
    assert "utf8mb4_nopad_bin" in finding.what


def test_an_engine_without_transactions_is_a_mistake_only_for_exactly_once(mariadb: Place) -> None:
    make(mariadb, c="varbinary(200)", engine="MyISAM")
    found = mariadb.findings()
    assert marked(found) == [("warning", "add"), ("warning", "remove"), ("warning", "clear")]
    assert "MyISAM" in found[0].what
    mariadb.database.run(CREATE["mysql"].replace("InnoDB", "Aria"))
    found = mariadb.findings(exactly_once="true")
    assert marked(found) == [("mistake", where) for where in ("add", "remove", "clear", "exactly_once")]
    assert "Aria" in found[3].what


@pytest.mark.parametrize("verb", ["INSERT IGNORE", "REPLACE"])
def test_other_upserts_need_a_unique_key_too(mariadb: Place, verb: str) -> None:
    make(mariadb, key="KEY (client_id)")
    add = mariadb.database.queries()["add"].rpartition("\n")[0].replace("INSERT", verb)
    assert ["never meets" in each.what for each in mariadb.findings(add=add)].count(True) == 1
    mariadb.database.run("ALTER TABLE member ADD UNIQUE KEY (client_id, segment_id)")
    assert [each.what for each in mariadb.findings(add=add) if "IGNORE in the change" not in each.what] == []


def test_a_column_that_must_have_a_value_is_named(mariadb: Place) -> None:
    make(mariadb)
    mariadb.database.run("ALTER TABLE member ADD source varchar(9) NOT NULL, ADD id int NOT NULL AUTO_INCREMENT UNIQUE")
    (finding,) = mariadb.findings()
    assert "gives no value for 'source' of 'member'" in finding.what


def test_a_column_that_takes_its_first_word_needs_no_value(mariadb: Place) -> None:
    mariadb.database.create()
    mariadb.database.run("ALTER TABLE member ADD level ENUM('new', 'gold') NOT NULL")
    assert mariadb.findings() == []


def test_columns_that_read_digits_as_something_else_are_named(mariadb: Place) -> None:
    """'2' is 'gold' to the first, both to the second, and 50 to the third."""
    mariadb.database.create()
    mariadb.database.run(
        "ALTER TABLE member ADD level ENUM('new', 'gold'), ADD marks SET('a', 'b'), ADD flags BIT(8), ADD n int"
    )
    names = ["level", "marks", "flags", "n"]
    values = ", ".join(f"'{{$x.{name}}}'" for name in names)
    add = (
        f"INSERT INTO member (segment_id, client_id, {', '.join(names)}) VALUES {{for $x = $batch}}"
        f"({{segment_id}}, '{{$x.CustomID}}', {values}){{autocomma}}{{end}} ON DUPLICATE KEY UPDATE "
        + ", ".join(f"{name} = VALUES({name})" for name in names)
    )
    found = [each.what for each in mariadb.findings(add=add)]
    assert ["text of digits becomes" in what for what in found] == [True] * 3, found
    assert found[0].startswith("'level' of 'member' is enum('new','gold'), where a text of digits becomes the word of")
    assert found[2].endswith("'flags' may be one; expected {number …flags} without quotes")
    bare = add.replace("'{$x.flags}'", "{number $x.flags}").replace("'{$x.level}', '{$x.marks}'", "'new', 'a'")
    assert mariadb.findings(add=bare) == []


def test_a_time_that_would_be_made_up_is_named(mariadb: Place) -> None:
    make(mariadb)
    mariadb.database.run("ALTER TABLE member ADD seen timestamp NOT NULL DEFAULT '2000-01-01', ADD born timestamp NULL")
    add = mariadb.database.queries()["add"].replace("updated)", "updated, seen, born)", 1)
    add = add.replace("{$lead._event_time})", "{$lead._event_time}, '{$lead.seen}', '{$lead.born}')")
    (what,) = [each.what for each in mariadb.findings(add=add) if "becomes" in each.what]
    assert "goes to 'seen' of 'member' (timestamp), and a missing value becomes the present time" in what


def test_who_may_only_select_is_told_what_is_missing(
    mariadb: Place, mariadb_server: MariadbServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(mariadb)
    mariadb.database.run(CREATE["mysql"])
    mariadb_server.run(f"GRANT SELECT ON `{namespace}`.* TO {PASSWORD_USER}@'%'")
    monkeypatch.setenv("CRM_PASSWORD", PASSWORD)
    url = mariadb_server.url(namespace, PASSWORD_USER)
    connector = f'[connectors.crm]\nurl = "{url}"\npassword = "${{CRM_PASSWORD}}"\n'
    (found,) = mariadb.check(connector, mariadb.database.integration(exactly_once="true"))
    assert {step.mark for step in found.steps} == {"fine"}
    names = ("add", "remove", "clear", "segment_upsert", "segment_delete", "exactly_once")
    assert marked(found.findings) == [("mistake", name) for name in names]
    assert all("command denied to user" in each.what for each in found.findings)
    mariadb_server.run(f"GRANT INSERT, UPDATE, DELETE ON `{namespace}`.* TO {PASSWORD_USER}@'%'")
    (found,) = mariadb.check(connector, mariadb.database.integration(exactly_once="true"))
    assert found.findings == []


def test_a_wrong_password_is_told_and_never_shown(
    mariadb: Place, mariadb_server: MariadbServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM_PASSWORD", "planted-secret")
    url = mariadb_server.url(namespace, PASSWORD_USER)
    (found,) = mariadb.check(f'[connectors.crm]\nurl = "{url}"\npassword = "${{CRM_PASSWORD}}"\n')
    assert [(step.name, step.mark) for step in found.steps] == [("reach", "fine"), ("session", "mistake")]
    assert "refuses this user or password" in found.steps[1].what
    assert "planted-secret" not in repr(found)


def test_views_need_no_right_to_explain(mariadb: Place) -> None:
    make(mariadb)
    mariadb.database.run("CREATE VIEW shown AS SELECT segment_id, client_id, updated FROM member")
    queries = {name: text.replace("member", "shown") for name, text in mariadb.database.queries().items()}
    found = mariadb.findings(**queries)
    assert all("has no unique key" in each.what for each in found), found


@pytest.mark.parametrize(
    ("variable", "value", "step", "mark", "what"),
    [
        ("read_only", "ON", "writes", "mistake", "the server is read only"),
        ("binlog_format", "STATEMENT", "writes", "mistake", "excludes READ COMMITTED"),
        ("tx_read_only", "ON", "writes", "mistake", "transactions are read only"),
        ("wsrep_on", "ON", "lock", "warning", "a Galera cluster"),
    ],
)
def test_what_the_server_is_set_to_is_told(
    mariadb: Place, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, step: str, mark: str, what: str
) -> None:
    found = {"log_bin": "ON", "binlog_format": "ROW", variable: value}
    monkeypatch.setattr(MysqlExamined, "_variable", lambda _, name: found.get(name, "OFF"))
    (examination,) = mariadb.check(mariadb.database.connector())
    (told,) = [each for each in examination.steps if each.mark != "fine"]
    assert (told.name, told.mark, what in told.what) == (step, mark, True)


def test_a_proxy_is_told_by_its_own_session_numbers(mariadb: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "thread_id", lambda _: 0)
    (examination,) = mariadb.check(mariadb.database.connector())
    assert [(each.name, each.mark) for each in examination.steps if each.mark != "fine"] == [("direct", "warning")]


def test_a_generated_column_that_folds_is_named(mariadb: Place) -> None:
    mariadb.database.create()
    mariadb.database.run(
        "ALTER TABLE member DROP PRIMARY KEY",
        "ALTER TABLE member ADD h varchar(255) COLLATE utf8mb4_general_ci AS (client_id) STORED",
        "ALTER TABLE member ADD UNIQUE folded (segment_id, h)",
    )
    (finding,) = mariadb.findings()
    assert "the unique key folded (segment_id, h) of 'member' is over 'h', which ignores case" in finding.what
