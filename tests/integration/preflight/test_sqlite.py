"""What only SQLite does to a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.preflight.checking import Place


@pytest.mark.parametrize(("collation", "ignored"), [("NOCASE", "case"), ("RTRIM", "trailing blanks")])
def test_a_collation_that_merges_keys_is_named(sqlite: Place, collation: str, ignored: str) -> None:
    sqlite.database.create()
    sqlite.database.run(
        "DROP TABLE member",
        f"CREATE TABLE member (segment_id integer, client_id text COLLATE {collation}, updated text,"
        " PRIMARY KEY (segment_id, client_id))",
    )
    (finding,) = sqlite.findings()
    assert finding.where == "integrations.members.key"
    assert f"ignores {ignored} (collation {collation})" in finding.what


def test_a_quoted_name_that_sqlite_takes_for_a_text_is_a_mistake(sqlite: Place) -> None:
    sqlite.database.create()
    (finding,) = sqlite.findings(clear='DELETE FROM member WHERE "segmentid" = {segment_id}')
    assert (finding.level, "silently takes it for a text" in finding.what) == ("mistake", True)


@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "INSERT OR IGNORE", "REPLACE"])
def test_other_upserts_need_a_unique_key_too(sqlite: Place, verb: str) -> None:
    sqlite.database.run(
        "CREATE TABLE member (segment_id integer, client_id text, updated text)",
        "CREATE TABLE segment (segment_id INTEGER PRIMARY KEY, name text)",
    )
    add = sqlite.database.queries()["add"].rpartition("\n")[0].replace("INSERT", verb)
    (finding,) = sqlite.findings(add=add)
    assert "never meets a row that is there" in finding.what
    sqlite.database.run("CREATE UNIQUE INDEX whole ON member (segment_id, client_id) WHERE updated IS NULL")
    assert len(sqlite.findings(add=add)) == 1
    sqlite.database.run("CREATE UNIQUE INDEX all_of_them ON member (client_id, segment_id)")
    assert sqlite.findings(add=add) == []


def test_a_file_that_is_not_there_or_no_database_is_told_and_not_made(sqlite: Place) -> None:
    (sqlite.folder / "noise.db").write_text("this is no database, but it is long enough to be looked at" * 10)
    found = sqlite.check(
        '[connectors.gone]\nurl = "sqlite:///gone.db"\n', '[connectors.noise]\nurl = "sqlite:///noise.db"\n'
    )
    assert [each.steps[-1].mark for each in found] == ["mistake", "mistake"]
    assert found[0].steps[-1].what.startswith(f"{sqlite.folder / 'gone.db'} does not exist; expected a database")
    assert "no SQLite database" in found[1].steps[-1].what
    assert not (sqlite.folder / "gone.db").exists()
