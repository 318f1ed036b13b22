"""A statement that has changed the session is found out, undone, and its session is never used again (rule 21).

The compiler refuses such statements (tests/unit/templates/test_safety.py). Here they have slipped past it: inside of a
procedure, a function or a text that runs as SQL. What ends the transaction itself cannot be undone by anybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers.rows import Database
from workers.connectors import connect
from workers.errors import ErrorClass, HoldLevel, TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.contract import Target
    from workers.connectors.sql.connector import PooledSession, SqlConnector

PATIENCE = 5.0


class Rig:
    """A target with a table `t`, and whatever `create` makes, behind its connector."""

    def __init__(self, target: Target, *create: str) -> None:
        self.database = Database(target)
        self.database.run("CREATE TABLE t (id int)", *create)
        self.connector: SqlConnector = connect(target)

    def surprised(self, statement: str) -> TargetError:
        """The error of a statement that follows an INSERT; the session is discarded, as after any error."""
        session = self.connector.open()
        session.begin("lane", PATIENCE)
        session.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(TargetError) as caught:
            session.execute(statement)
        session.discard()
        return caught.value

    def left(self) -> int:
        """What is there when the next transaction has come and gone."""
        session = self.connector.open()
        session.begin("lane", PATIENCE)
        session.execute("INSERT INTO t VALUES (2)")
        session.commit()
        session.close()
        ((left,),) = self.database.rows("SELECT count(*) FROM t WHERE id = 1")
        return int(left)

    def close(self) -> None:
        self.connector.dispose()
        self.database.__exit__(None, None, None)


def held(error: TargetError) -> bool:
    return error.error_class is ErrorClass.HOLD and error.level is HoldLevel.INTEGRATION


def setting(session: PooledSession, name: str) -> str:
    link = session._link
    return str(link.value(f"SHOW {name}" if session._connector.dialect == "postgresql" else f"SELECT @@{name}"))


@pytest.fixture
def mariadb(mariadb_target: Target) -> Iterator[Rig]:
    rig = Rig(
        mariadb_target,
        "CREATE PROCEDURE commits() COMMIT",
        "CREATE PROCEDURE rolls_back() ROLLBACK",
        "CREATE PROCEDURE makes() CREATE TABLE made (id int)",
        "CREATE PROCEDURE truncates() BEGIN SELECT 1; TRUNCATE t; END",
        "CREATE PROCEDURE modes() SET sql_mode = 'NO_BACKSLASH_ESCAPES'",
        "CREATE PROCEDURE runs(what text) EXECUTE IMMEDIATE what",
        "CREATE PROCEDURE client() SET NAMES gbk",
        "CREATE PROCEDURE begins_anew() BEGIN COMMIT; START TRANSACTION; END",
        "CREATE PROCEDURE isolates() SET tx_isolation = 'SERIALIZABLE'",
        "CREATE PROCEDURE counting(OUT n int) SELECT count(*) INTO n FROM t",
        "CREATE FUNCTION mode() RETURNS int BEGIN SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'; RETURN 1; END",
        "CREATE FUNCTION charset_of() RETURNS int BEGIN SET character_set_client = gbk; RETURN 1; END",
    )
    yield rig
    rig.close()


@pytest.mark.parametrize(
    "statement", ["CALL modes()", "EXECUTE IMMEDIATE 'SET sql_mode = NO_BACKSLASH_ESCAPES'", "CALL rolls_back()"]
)
def test_mariadb_a_change_is_undone_and_the_session_gone(mariadb: Rig, statement: str) -> None:
    error = mariadb.surprised(statement)
    assert error.code == "mysql surprise"
    assert held(error)
    assert mariadb.left() == 0


@pytest.mark.parametrize(
    "statement",
    [
        "CALL commits()",
        "CALL makes()",
        "CALL truncates()",
        "CALL runs('COMMIT')",
        "CALL begins_anew()",
        "/* why */ -- not\n call begins_anew()",
        "CALL runs('ALTER TABLE t COMMENT ''x''')",
        "EXECUTE IMMEDIATE 'COMMIT'",
        "RENAME TABLE t TO u, u TO t",
        "DROP TABLE IF EXISTS nothing",
        "CREATE OR REPLACE VIEW v AS SELECT 1",
    ],
)
def test_mariadb_a_commit_that_was_not_ours_holds_the_integration(mariadb: Rig, statement: str) -> None:
    error = mariadb.surprised(statement)
    assert (error.code, error.reason) == ("mysql surprise", "the query ended the transaction that it ran in")
    assert held(error)


@pytest.mark.parametrize(
    "statement", ["CALL runs('SET sql_mode = ANSI_QUOTES')", "CALL client()", "SELECT mode()", "SELECT charset_of()"]
)
def test_mariadb_what_escaping_relies_on_outlives_every_routine(mariadb: Rig, statement: str) -> None:
    """The server itself puts it back when a routine ends, so that no flag has to tell."""
    session = mariadb.connector.open()
    session.begin(None, PATIENCE)
    before = [setting(session, name) for name in ("sql_mode", "character_set_client")]
    session.execute(statement)
    assert [setting(session, name) for name in ("sql_mode", "character_set_client")] == before
    session.discard()


def test_mariadb_what_a_procedure_has_set_is_no_other_transactions(mariadb: Rig) -> None:
    session = mariadb.connector.open()
    link = session._link
    session.begin("lane", PATIENCE)
    session.execute("CALL isolates()")
    session.commit()
    session.begin("lane", PATIENCE)
    assert setting(session, "tx_isolation") == "READ-COMMITTED", "of the same turn"
    session.rollback()
    session.close()
    other = mariadb.connector.open()
    assert other._link is not link
    assert setting(other, "tx_isolation") == "READ-COMMITTED"
    other.discard()


def test_mariadb_a_session_in_which_a_statement_failed_is_not_used_again(mariadb: Rig) -> None:
    """Even if it was rolled back: what it did before it failed may have changed the session."""
    session = mariadb.connector.open()
    link = session._link
    session.begin(None, PATIENCE)
    with pytest.raises(TargetError):
        session.execute("INSERT INTO no_such_table VALUES (1)")
    session.rollback()
    session.close()
    other = mariadb.connector.open()
    assert other._link is not link
    other.close()


def test_mariadb_a_procedure_that_does_nothing_wrong_is_fine(mariadb: Rig) -> None:
    session = mariadb.connector.open()
    session.begin("lane", PATIENCE)
    session.execute("INSERT INTO t VALUES (1)")
    session.execute("CALL counting(@n)")
    session.execute("CALL counting(@n)")
    session.commit()
    session.close()
    assert mariadb.left() == 1


def test_mariadb_a_trigger_or_a_function_cannot_commit(mariadb: Rig) -> None:
    with pytest.raises(Exception, match="commit is not allowed"):
        mariadb.database.run("CREATE FUNCTION ends() RETURNS int BEGIN COMMIT; RETURN 1; END")


@pytest.fixture
def postgresql(postgresql_target: Target) -> Iterator[Rig]:
    def function(name: str, body: str) -> str:
        return f"CREATE FUNCTION {name}() RETURNS int LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN 1; END $$"

    rig = Rig(
        postgresql_target,
        "CREATE PROCEDURE commits() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$",
        "CREATE PROCEDURE chains() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); ROLLBACK AND CHAIN; END $$",
        "CREATE PROCEDURE sets() LANGUAGE plpgsql AS $$ BEGIN SET standard_conforming_strings = off; END $$",
        function("strings", "SET standard_conforming_strings = off"),
        function("strings_here", "SET LOCAL standard_conforming_strings = off"),
        function("encoding", "SET client_encoding = 'SJIS'"),
        function("ends", "EXECUTE 'COMMIT'"),
        function("saves", "EXECUTE 'SAVEPOINT a'"),
        function("isolation", "SET default_transaction_isolation = 'serializable'"),
        "CREATE TABLE watched (id int)",
        "CREATE FUNCTION changes() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN SET client_encoding = 'LATIN1'; RETURN NEW; END $$",
        "CREATE TRIGGER changes BEFORE INSERT ON watched FOR EACH ROW EXECUTE FUNCTION changes()",
    )
    yield rig
    rig.close()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT strings()",
        "SELECT strings_here()",
        "SELECT encoding()",
        "CALL sets()",
        "INSERT INTO watched VALUES (1)",
        "UPDATE pg_settings SET setting = 'off' WHERE name = 'standard_conforming_strings'",
        "SELECT \"set_config\"('standard_conforming_strings', 'off', false)",
        "SELECT U&\"\\0073et_config\"('client_encoding', 'GBK', true)",
    ],
)
def test_postgresql_a_change_is_undone_and_the_session_gone(postgresql: Rig, statement: str) -> None:
    error = postgresql.surprised(statement)
    assert error.code == "postgresql surprise"
    assert held(error)
    assert postgresql.left() == 0


@pytest.mark.parametrize(
    "statement",
    [
        "BEGIN",
        "START TRANSACTION",
        "ABORT",
        "SAVEPOINT a",
        "PREPARE q AS SELECT 1",
        "DEALLOCATE ALL",
        "DISCARD PLANS",
        "RESET ALL",
        "SET LOCAL work_mem = '1MB'",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "LISTEN x",
        "NOTIFY x",
        "LOCK TABLE t",
        "DECLARE c CURSOR FOR SELECT 1",
        "GRANT SELECT ON t TO PUBLIC",
        "DROP TABLE t",
        "ALTER TABLE t ADD COLUMN x int",
        "EXPLAIN ANALYZE DELETE FROM t",
        "SHOW search_path",
    ],
)
def test_postgresql_the_servers_own_word_tells_what_no_query_may_be(postgresql: Rig, statement: str) -> None:
    """Also of DDL, which PostgreSQL takes back with the rest."""
    error = postgresql.surprised(statement)
    assert error.code == "postgresql surprise"
    assert held(error)
    assert postgresql.left() == 0


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("CALL commits()", "2D000"),
        ("CALL chains()", "2D000"),
        ("SELECT ends()", "0A000"),
        ("SELECT saves()", "0A000"),
        ("PREPARE TRANSACTION 'x'", "55000"),
        ("DISCARD ALL", "25001"),
        ("VACUUM", "25001"),
    ],
)
def test_postgresql_refuses_by_itself_what_would_end_the_transaction(
    postgresql: Rig, statement: str, code: str
) -> None:
    error = postgresql.surprised(statement)
    assert error.code == f"postgresql {code}"
    assert held(error)
    assert postgresql.left() == 0


def test_postgresql_a_default_that_a_function_changed_is_not_the_next_transactions(postgresql: Rig) -> None:
    session = postgresql.connector.open()
    session.begin(None, PATIENCE)
    session.execute("SELECT isolation()")
    session.commit()
    session.begin(None, PATIENCE)
    assert setting(session, "transaction_isolation") == "read committed"
    session.discard()


def test_a_session_that_was_surprised_is_a_new_one_the_next_time(mariadb: Rig, postgresql: Rig) -> None:
    for rig, statement in ((mariadb, "CALL modes()"), (postgresql, "SELECT strings()")):
        session = rig.connector.open()
        link = session._link
        session.begin(None, PATIENCE)
        with pytest.raises(TargetError, match="surprise"):
            session.execute(statement)
        session.close()
        other = rig.connector.open()
        assert link.lost
        assert link is not other._link
        other.discard()


@pytest.mark.parametrize("statement", ["COMMIT", "END TRANSACTION", "ROLLBACK"])
def test_sqlite_the_transactions_end_is_noticed(sqlite_target: Target, statement: str) -> None:
    rig = Rig(sqlite_target)
    error = rig.surprised(statement)
    assert error.code == "sqlite surprise"
    assert held(error)
    assert rig.left() == (0 if statement == "ROLLBACK" else 1)
    rig.close()


@pytest.mark.parametrize("statement", ["BEGIN", "VACUUM", "PRAGMA synchronous = OFF"])
def test_sqlite_refuses_by_itself_what_no_transaction_may_hold(sqlite_target: Target, statement: str) -> None:
    rig = Rig(sqlite_target)
    assert rig.surprised(statement).code.startswith("sqlite SQLITE_")
    assert rig.left() == 0
    rig.close()


def test_sqlite_foreign_keys_stay_checked(sqlite_target: Target) -> None:
    rig = Rig(sqlite_target)
    session = rig.connector.open()
    session.begin("lane", PATIENCE)
    session.execute("PRAGMA foreign_keys = OFF")
    assert session._link.value("PRAGMA foreign_keys") == "1"
    session.discard()
    rig.close()
