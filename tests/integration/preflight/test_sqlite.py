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

    def unmet() -> int:
        found = [each.what for each in sqlite.findings(add=add) if "IGNORE in the change" not in each.what]
        assert all("never meets a row that is there" in what for what in found)
        return len(found)

    assert unmet() == 1
    sqlite.database.run("CREATE UNIQUE INDEX whole ON member (segment_id, client_id) WHERE updated IS NULL")
    assert unmet() == 1
    sqlite.database.run("CREATE UNIQUE INDEX all_of_them ON member (client_id, segment_id)")
    assert unmet() == 0


def test_replace_and_a_generated_key_are_seen_as_in_other_databases(sqlite: Place) -> None:
    sqlite.database.run(
        "CREATE TABLE member (segment_id integer, client_id text, updated text, note text,"
        " h text GENERATED ALWAYS AS (upper(trim(client_id))) STORED, UNIQUE (segment_id, h))",
        "CREATE TABLE orders (h text REFERENCES member (h) ON DELETE CASCADE)",
        "CREATE TABLE segment (segment_id INTEGER PRIMARY KEY, name text)",
    )
    add = sqlite.database.queries()["add"].rpartition("\n")[0].replace("INSERT", "REPLACE")
    found = [each.what for each in sqlite.findings(add=add)]
    assert any("'note' lose what they hold, and rows of 'orders'" in what for what in found)
    assert any("is computed by upper and trim" in what for what in found)
    assert not any("never meets" in what for what in found)


def test_a_file_that_is_not_there_or_no_database_is_told_and_not_made(sqlite: Place) -> None:
    (sqlite.folder / "noise.db").write_text("this is no database, but it is long enough to be looked at" * 10)
    found = sqlite.check(
        '[connectors.gone]\nurl = "sqlite:///gone.db"\n', '[connectors.noise]\nurl = "sqlite:///noise.db"\n'
    )
    assert [each.steps[-1].mark for each in found] == ["mistake", "mistake"]
    assert found[0].steps[-1].what.startswith(f"{sqlite.folder / 'gone.db'} does not exist; expected a database")
    assert "no SQLite database" in found[1].steps[-1].what
    assert not (sqlite.folder / "gone.db").exists()


def test_a_bare_number_beside_a_text_is_named(sqlite: Place) -> None:
    sqlite.database.create()
    sqlite.database.run("ALTER TABLE member ADD Price text", "ALTER TABLE member ADD amount numeric")
    add = sqlite.database.queries()["add"].replace("updated)", "updated, price, amount)", 1)
    add = add.replace("{$lead._event_time})", "{$lead._event_time}, {$lead.price}, {$lead.amount})")
    (what,) = [each.what for each in sqlite.findings(add=add) if "without quotes" in each.what]
    assert what.startswith("'price' stands without quotes beside 'Price' of 'member', which is TEXT: SQLite then keeps")
    assert what.endswith("expected it in quotes")


@pytest.mark.parametrize("collation", ["NOCASE", "RTRIM"])
def test_a_unique_index_with_a_collation_of_its_own_contradicts_exact(sqlite: Place, collation: str) -> None:
    sqlite.database.create()
    sqlite.database.run(f"CREATE UNIQUE INDEX mild ON member (segment_id, client_id COLLATE {collation})")
    exact = sqlite.database.integration(ordering='"exact"')
    (found,) = sqlite.check(sqlite.database.connector(), exact)
    assert [each.level for each in found.findings] == ["mistake"]
    assert "mild (segment_id, client_id) of 'member' compares 'client_id' by a collation of its own" in (
        found.findings[0].what
    )
    assert found.notes == []
    (found,) = sqlite.check(sqlite.database.connector(), sqlite.database.integration())
    assert any("compares 'client_id' by a collation of its own" in note for note in found.notes)
