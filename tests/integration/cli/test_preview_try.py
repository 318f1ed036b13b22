"""`segsync preview --try` on each database: what it says is true, and the rows afterwards are the rows before."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.targets import TargetDatabase
from tests.waiting import PATIENCE, until
from workers.cli.commands import preview
from workers.errors import WrongUsage

if TYPE_CHECKING:
    from pathlib import Path

HEAD = '[redis]\nurl = "redis://127.0.0.1:1/0"\n'
PLAIN_ADD = "INSERT INTO member (segment_id, client_id) VALUES ({segment_id}, '{lead.CustomID}')"
SLOW = {
    "mysql": "SELECT SLEEP(3600) FROM member WHERE segment_id = {segment_id}",
    "postgresql": "SELECT pg_sleep(3600)",
    "sqlite": "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 9e9) SELECT max(x) FROM c",
}


def event(kind: str, *keys: str, **more: Any) -> dict[str, Any]:
    profiles = {"profiles": [{"_id": key, "CustomID": key} for key in keys]} if keys else {}
    return {"type": kind, "segment": {"id": 7, **more}, **profiles}


class Trial:
    """A folder with a file of its own, and a target with three rows and a name in it."""

    def __init__(self, folder: Path, database: TargetDatabase) -> None:
        self.folder = folder
        self.database = database
        database.create()
        database.run("INSERT INTO member (segment_id, client_id) VALUES (7, 'old'), (7, 'A'), (8, 'other')")
        database.run("INSERT INTO segment VALUES (7, 'VIP')")
        self.before = self.rows()
        self.write()

    def rows(self) -> tuple[Any, ...]:
        members = sorted(self.database.run("SELECT * FROM member"))
        return members, self.database.names()

    def write(self, *, single: bool = False, allow: str = "[]", **more: str) -> None:
        """The integration `members`; `more` replaces queries or adds settings."""
        queries = self.database.single_queries() | more if single else more
        text = self.database.connector(allow=allow) + self.database.integration(
            leave_out=("batch",) if single else (), **queries
        )
        (self.folder / "segsync.toml").write_text(HEAD + text)

    def events(self, *events: dict[str, Any]) -> Path:
        path = self.folder / "events.jsonl"
        path.write_text("\n".join(map(json.dumps, events)))
        return path

    def run(self, *events: dict[str, Any], as_json: bool = False) -> int:
        return preview.run("members", self.events(*events), tried=True, as_json=as_json)


def database_of(request: pytest.FixtureRequest, dialect: str) -> TargetDatabase:
    fixture = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}[dialect]
    password = request.getfixturevalue("mariadb_server").password if dialect == "mysql" else None
    return TargetDatabase(dialect, request.getfixturevalue(f"{fixture}_url"), password)


@pytest.fixture(params=["sqlite", "postgresql", "mysql"])
def trial(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """On each database in turn; MariaDB stands for MySQL."""
    monkeypatch.setenv("SEGSYNC_CONFIG", str(tmp_path / "segsync.toml"))
    return Trial(tmp_path, database_of(request, request.param))


@pytest.fixture
def in_mysql(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Where tables may have no transactions, and procedures may commit."""
    monkeypatch.setenv("SEGSYNC_CONFIG", str(tmp_path / "segsync.toml"))
    return Trial(tmp_path, database_of(request, "mysql"))


def test_all_kinds_run_with_their_rows_and_leave_none(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    """`exactly_once` has no table here: a try keeps no position."""
    trial.write(exactly_once="true")
    status = trial.run(
        event("remove", "old", "nobody"), event("add", "new", "newer"), event("segment_upsert", name="O'Neil"),
        event("clear"), event("segment_delete"),
    )  # fmt: skip
    said = capsys.readouterr()
    assert (status, trial.rows()) == (0, trial.before)
    # A segment event parts the clear from the add and the remove, so they run; MySQL counts an updated row twice.
    updated = 2 if trial.database.dialect == "mysql" else 1
    assert [line for line in said.out.splitlines() if "tried" in line] == [
        f"-- tried: {rows} row{'s' * (rows > 1)} affected" for rows in (1, 2, updated, 2, 1)
    ]
    assert said.err.splitlines()[-1] == "segsync: tried, and rolled back"

    assert trial.run(event("remove", "old", "nobody"), event("add", "new", "newer")) == 0
    said = capsys.readouterr()
    assert [line for line in said.out.splitlines() if "tried" in line] == [
        "-- tried: 1 row affected",
        "-- tried: 2 rows affected",
    ]
    assert trial.rows() == trial.before


@pytest.mark.parametrize("trial", ["sqlite"], indirect=True)
def test_nothing_to_run_is_said(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    assert trial.run({"type": "add", "segment": {"id": 7}, "profiles": []}) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("-- nothing runs\n", "segsync: there is nothing to try\n")


def test_a_refused_statement_shows_our_words_and_the_databases(
    trial: Trial, capsys: pytest.CaptureFixture[str]
) -> None:
    trial.write(single=True, add=PLAIN_ADD)
    status = trial.run(event("add", "A"), event("add", "B"), as_json=True)
    shown = json.loads(capsys.readouterr().out)
    (failed,), (ran,) = (query["tried"] for query in shown["queries"])
    assert (status, ran, shown["rolled_back"]) == (1, {"rows": 1}, True)
    assert (failed["class"], failed["code"].split()[0]) == ("isolate", trial.database.dialect)
    assert failed["reason"]
    assert any(word in failed["detail"] for word in ("Duplicate", "duplicate", "UNIQUE"))
    assert trial.rows() == trial.before

    trial.run(event("add", "A"))
    said = capsys.readouterr().out
    assert f"-- failed: {failed['code']} (isolate): " in said
    assert f"--     {failed['detail'].splitlines()[0]}" in said


def test_what_follows_a_failure_in_its_transaction_is_not_run(trial: Trial) -> None:
    trial.write(clear="DELETE FROM member WHERE segment_id = {segment_id}; DELETE FROM missing; DELETE FROM member")
    path = trial.events(event("clear"))
    done = subprocess.run(
        [sys.executable, "-m", "workers.cli", "preview", "members", str(path), "--try"],
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    marks = [line[:12] for line in done.stdout.splitlines() if line.startswith(("-- tried", "-- failed"))]
    assert marks[:2] == ["-- tried: 2 ", "-- failed: " + trial.database.dialect[0]]
    assert done.stdout.count("-- tried") == 1
    assert trial.rows() == trial.before


def test_ctrl_c_in_a_slow_statement_leaves_nothing_and_holds_nothing(trial: Trial) -> None:
    """The server would go on with the statement for an hour, with the rows before it locked."""
    touched = "UPDATE member SET updated = NULL WHERE segment_id = {segment_id}"
    trial.write(clear=f"{touched}; {SLOW[trial.database.dialect]}")
    path = trial.events(event("clear"))
    process = subprocess.Popen(
        [sys.executable, "-m", "workers.cli", "preview", "members", str(path), "--try"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        until(lambda: busy(trial.database))
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.communicate()
    expected = ["segsync: interrupted; nothing more was run", "segsync: tried, and rolled back"]
    assert (process.returncode, err.splitlines()) == (1, expected)
    # SQLite shows only that the transaction has begun: the signal may come before its first statement is over.
    assert "-- tried: " in out or trial.database.dialect == "sqlite"
    assert "-- failed: " not in out
    assert trial.rows() == trial.before
    trial.database.run("DELETE FROM member WHERE segment_id = 7")


def test_ctrl_c_in_a_procedure_does_not_promise_a_rollback(in_mysql: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever was broken off cannot be asked whether it has committed."""
    in_mysql.database.run("CREATE PROCEDURE slow() BEGIN COMMIT; SELECT SLEEP(3600); END")
    in_mysql.write(allow='["call"]', clear="DELETE FROM member WHERE segment_id = {segment_id}; CALL slow()")
    waiting = threading.Thread(target=break_off, args=(in_mysql.database,))
    waiting.start()
    assert in_mysql.run(event("clear"), event("add", "later")) == 1
    waiting.join()
    said = capsys.readouterr()
    assert "rolled back, except for what a procedure that was called may have committed" in said.err
    assert in_mysql.database.members() == {("8", "other")}


def break_off(database: TargetDatabase) -> None:
    until(lambda: busy(database))
    os.kill(os.getpid(), signal.SIGTERM)


def busy(database: TargetDatabase) -> bool:
    """The slow statement runs."""
    if database.dialect == "mysql":
        return bool(database.run("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP(3600)%'"))
    if database.dialect == "postgresql":
        asked = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(3600)'"
        return bool(database.run(asked))
    with closing(sqlite3.connect(database.url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True  # the file is locked, and what comes before the slow statement takes no time
    return False


@pytest.mark.parametrize(
    "made",
    [
        ["CREATE TABLE notes (id int) ENGINE=MyISAM"],
        ["CREATE TABLE kept (id int) ENGINE=MyISAM", "CREATE VIEW notes AS SELECT id FROM kept"],
        [
            "CREATE TABLE kept (id int) ENGINE=Aria TRANSACTIONAL=1",
            "CREATE TABLE notes (id int)",
            "CREATE TRIGGER after_notes AFTER INSERT ON notes FOR EACH ROW INSERT INTO `kept` VALUES (NEW.id)",
        ],
    ],
    ids=["table", "view", "trigger"],
)
def test_what_has_no_transactions_is_refused_before_anything_runs(in_mysql: Trial, made: list[str]) -> None:
    in_mysql.database.run(*made)
    assert in_mysql.run(event("add", "B")) == 0
    in_mysql.write(clear="DELETE FROM member WHERE segment_id = {segment_id}; INSERT INTO `notes` VALUES (1)")
    with pytest.raises(WrongUsage, match=r"nothing was run.*(notes|kept) keeps what is written to it"):
        in_mysql.run(event("clear"))
    assert in_mysql.database.run("SELECT * FROM notes") == []
    assert in_mysql.rows() == in_mysql.before


@pytest.mark.parametrize(
    "body",
    [
        "INSERT INTO member VALUES (9, 'kept', NULL); COMMIT;",
        "INSERT INTO member VALUES (9, 'kept', NULL); COMMIT; START TRANSACTION; DELETE FROM member;",
        "INSERT INTO member VALUES (9, 'kept', NULL); COMMIT; SIGNAL SQLSTATE '45000';",
        "INSERT INTO member VALUES (9, 'kept', NULL); CREATE TABLE made (id int);",
    ],
    ids=["commits", "begins another", "fails afterwards", "DDL"],
)
def test_a_procedure_that_commits_is_told_loudly_and_is_the_last(
    in_mysql: Trial, body: str, capsys: pytest.CaptureFixture[str]
) -> None:
    in_mysql.database.run(f"CREATE PROCEDURE keep() BEGIN {body} END")
    clear = "DELETE FROM member WHERE segment_id = {segment_id} AND client_id = 'old'; CALL keep()"
    in_mysql.write(allow='["call"]', clear=clear)
    assert in_mysql.run(event("clear"), event("add", "later"), as_json=True) == 1
    said = capsys.readouterr()
    shown = json.loads(said.out)
    assert ("WARNING: COMMITTED" in said.err, shown["rolled_back"]) == (True, False)
    assert shown["queries"][1]["tried"] == []
    assert ("9", "kept") in in_mysql.database.members()
    assert in_mysql.database.members() & {("7", "later"), ("7", "old")} == set()


def test_a_procedure_that_does_not_commit_is_rolled_back(in_mysql: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    in_mysql.database.run("CREATE PROCEDURE fine() BEGIN DELETE FROM member; SIGNAL SQLSTATE '45000'; END")
    in_mysql.write(allow='["call"]', clear="DELETE FROM member WHERE segment_id = {segment_id}; CALL fine()")
    assert in_mysql.run(event("clear")) == 1
    assert "segsync: tried, and rolled back" in capsys.readouterr().err
    assert in_mysql.rows() == in_mysql.before


@pytest.mark.parametrize("trial", ["sqlite"], indirect=True)
def test_a_target_that_is_locked_is_out_of_reach(trial: Trial, capsys: pytest.CaptureFixture[str]) -> None:
    file = trial.folder / "segsync.toml"
    file.write_text(
        file.read_text().replace(
            "[connectors.crm]", '[connectors.crm]\nstatement_timeout = "200ms"\nconnect_timeout = "200ms"'
        )
    )
    with closing(trial.database.connect()) as other:
        other.execute("BEGIN IMMEDIATE")
        assert trial.run(event("clear")) == 1
    said = capsys.readouterr().err
    assert said.startswith("segsync: cannot try: sqlite SQLITE_BUSY (retry)")
    assert "COMMITTED" not in said
