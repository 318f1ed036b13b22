"""What is found on every database alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.preflight.checking import marked
from workers.connectors.sql.positions import CREATE

if TYPE_CHECKING:
    import pytest

    from tests.integration.preflight.checking import Place


def test_what_is_right_needs_no_word(anywhere: Place) -> None:
    assert anywhere.findings() == []


def test_nothing_is_run(anywhere: Place) -> None:
    """`Place.check` compares; a hand-picked segment is tried by its own id, so its rows would be gone."""
    assert anywhere.findings(scope="{ segments = [7] }") == []
    assert anywhere.database.members() == {("7", "A")}


def test_every_step_is_told(anywhere: Place) -> None:
    (found,) = anywhere.check(anywhere.database.connector(), anywhere.database.integration())
    steps = ["reach", "session", "version", "writes"]
    if anywhere.database.dialect != "sqlite":
        steps = ["reach", "session", "version", "direct", "lock", "ending", "writes"]
    assert [(step.name, step.mark) for step in found.steps] == [(name, "fine") for name in steps]
    assert (found.looked, found.wrong) == (["members"], False)


def test_a_wrong_column_is_found_with_its_place_and_the_right_one(anywhere: Place) -> None:
    remove = 'DELETE FROM member\nWHERE segmentid = {segment_id} AND client_id IN ({batch_in "CustomID"})'
    (finding,) = anywhere.findings(remove=remove)
    assert (finding.level, finding.where) == ("mistake", "integrations.members.queries.remove")
    assert (finding.line, finding.column) == (2, 7)
    assert "did you mean 'segment_id'? 'member' has 'segment_id', 'client_id', 'updated'" in finding.what


def test_all_that_is_wrong_is_told_at_once(anywhere: Place) -> None:
    found = anywhere.findings(
        remove='DELETE FROM nope WHERE segment_id = {segment_id} AND client_id IN ({batch_in "CustomID"})',
        clear="DELETE FROM member WHERE wrong = {segment_id};\nDELETE FROM missing WHERE segment_id = {segment_id}",
        segment_delete="DELETE FROM segment WHERE",
        exactly_once="true",
    )
    assert marked(found) == [
        ("mistake", "remove"),
        ("mistake", "clear"),
        ("mistake", "clear"),
        ("mistake", "segment_delete"),
        ("mistake", "exactly_once"),
    ]
    assert "nope" in found[0].what
    assert "wrong" in found[1].what
    assert "missing" in found[2].what
    assert "'member' has" not in found[2].what  # a table is missing, and no column of another
    assert "expected CREATE TABLE segsync_position" in found[4].what


def test_a_branch_that_only_poor_profiles_take_is_tried(anywhere: Place) -> None:
    add = (
        "INSERT INTO member (segment_id, client_id, updated) VALUES\n{for $i, $x = $batch}"
        "({segment_id}, '{$x.CustomID}', {if $x.vip}NULL{else}nothing_like_it(){end}){autocomma}{end}\n"
    )
    queries = anywhere.database.queries()
    found = anywhere.findings(add=add + queries["add"].rpartition("\n")[2])
    assert marked(found) == [("mistake", "add")]
    assert found[0].what.startswith("for a profile that has only its key: ")


def test_a_branch_that_a_constant_chooses_is_tried(anywhere: Place) -> None:
    """No made-up text equals it, and none can be ordered beside a number."""
    add = (
        "INSERT INTO member (segment_id, client_id, updated) VALUES\n{for $i, $x = $batch}{if $x.age >= 18}"
        "({segment_id}, '{$x.CustomID}', {if lower($x.kind) = \"gold\"}nothing_like_it(){else}NULL{end}){autocomma}"
        "{end}{end}\n"
    )
    queries = anywhere.database.queries()
    found = anywhere.findings(add=add + queries["add"].rpartition("\n")[2])
    assert marked(found) == [("mistake", "add")]
    assert found[0].what.startswith("for a profile whose 'kind' is 'gold': ")


def test_a_plain_insert_is_named_unless_delivery_is_exactly_once(anywhere: Place) -> None:
    add = anywhere.database.queries()["add"].rpartition("\n")[0]
    (finding,) = anywhere.findings(add=add)
    assert (finding.level, "does not say what happens to a row that is there" in finding.what) == ("warning", True)
    anywhere.database.run(CREATE[anywhere.database.dialect])
    assert anywhere.findings(add=add, exactly_once="true") == []


def test_counting_up_is_named(anywhere: Place) -> None:
    anywhere.database.run("ALTER TABLE segment ADD times integer")
    upsert = "UPDATE segment SET times = times + 1 WHERE segment_id = {segment_id}"
    (finding,) = anywhere.findings(segment_upsert=upsert)
    assert (finding.level, "'times'" in finding.what, "counts twice" in finding.what) == ("warning", True, True)


def test_an_upsert_over_a_key_that_is_too_narrow_is_named(anywhere: Place) -> None:
    anywhere.database.run(
        "DROP TABLE member",
        "CREATE TABLE member (segment_id bigint, client_id varchar(20) PRIMARY KEY, updated varchar(40))",
    )
    if anywhere.database.dialect == "mysql":
        anywhere.database.run("ALTER TABLE member MODIFY client_id varbinary(20)")
    add = anywhere.database.queries()["add"].replace("(segment_id, client_id) DO", "(client_id) DO")
    (finding,) = anywhere.findings(add=add)
    assert "is not over 'segment_id', 'client_id'" in finding.what
    assert "overwrite each other" in finding.what


def test_a_position_table_without_its_key_or_columns_is_a_mistake(anywhere: Place) -> None:
    anywhere.database.run(
        "CREATE TABLE segsync_position (lane char(32), integration varchar(63), position varchar(27))"
    )
    (finding,) = anywhere.findings(exactly_once="true")
    assert (finding.level, finding.where) == ("mistake", "integrations.members.exactly_once")
    assert "no primary key over lane" in finding.what
    anywhere.database.run("DROP TABLE segsync_position", "CREATE TABLE segsync_position (lane char(32) PRIMARY KEY)")
    (finding,) = anywhere.findings(exactly_once="true")
    assert "cannot be used" in finding.what
    assert "integration" in finding.what


def test_one_connector_out_of_reach_hides_no_other(anywhere: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOBODY_SET_THIS", raising=False)
    database = anywhere.database
    gone, secret = (
        '[connectors.gone]\nurl = "mysql://x@127.0.0.1:1/x"\n',
        '[connectors.secret]\nurl = "mysql://x@127.0.0.1:1/x"\npassword = "${NOBODY_SET_THIS}"\n',
    )
    good, dead, hidden = anywhere.check(
        gone,
        secret,
        database.connector(),
        database.integration(clear="DELETE FROM nope WHERE segment_id = {segment_id}"),
    )
    assert [(step.name, step.mark) for step in dead.steps] == [("reach", "mistake")]
    assert "does not answer at port 1: Connection refused" in dead.steps[0].what
    assert [(step.name, step.mark) for step in hidden.steps] == [("reach", "skipped")]
    assert "NOBODY_SET_THIS" in hidden.steps[0].what
    assert (dead.wrong, hidden.wrong, good.wrong) == (True, False, True)
    assert marked(good.findings) == [("mistake", "clear")]


def test_single_queries_and_a_list_of_keys_are_tried(anywhere: Place) -> None:
    single = anywhere.database.single_queries()
    assert anywhere.findings(**single, leave_out=("batch",)) == []


def test_a_key_that_a_query_folds_is_named(anywhere: Place) -> None:
    queries = anywhere.database.queries()
    found = anywhere.findings(
        add=queries["add"].replace("'{$lead.CustomID}'", "lower(trim('{$lead.CustomID}'))"),
        remove='DELETE FROM member WHERE segment_id = {segment_id} AND lower(client_id) IN ({batch_in "CustomID"})',
    )
    assert {each.where for each in found} == {"integrations.members.key"}
    assert ["LOWER and TRIM" in each.what for each in found].count(True) == 1
    assert ["through LOWER:" in each.what for each in found].count(True) == 1


def test_a_key_that_a_tag_folds_is_named(anywhere: Place) -> None:
    add = anywhere.database.queries()["add"].replace("{$lead.CustomID}", "{sha256(lower(trim $lead.CustomID))}")
    told = [each.what for each in anywhere.findings(add=add)]
    assert any("differ only in case, leading blanks and trailing blanks come out as one" in what for what in told)


TAGGED = "CREATE TABLE tagged (segment_id integer, client_id varchar(20), tag varchar(20), {key})"


def test_a_poor_profile_is_tried_in_a_batch(anywhere: Place) -> None:
    anywhere.database.run(TAGGED.format(key="PRIMARY KEY (segment_id, client_id)"))
    add = (
        "INSERT INTO tagged (segment_id, client_id, tag) VALUES {for $l = $batch}"
        "({segment_id}, '{$l.CustomID}', '{$l.tag}'){if $l.tag}{autocomma}{end}{end}"
    )
    found = [each for each in anywhere.findings(add=add) if each.level == "mistake"]
    assert [each.what.startswith("in a batch with a profile ") for each in found] == [True]


def test_a_nested_list_that_may_be_empty_is_no_mistake(anywhere: Place) -> None:
    anywhere.database.run(TAGGED.format(key="PRIMARY KEY (segment_id, client_id, tag)"))
    add = (
        "INSERT INTO tagged (segment_id, client_id, tag) VALUES {for $l = $batch}{for $x = $l.tags}"
        "({segment_id}, '{$l.CustomID}', '{$x}'){autocomma}{end}{autocomma}{end}"
    )
    assert [each for each in anywhere.findings(add=add) if each.level == "mistake"] == []


def test_a_row_for_each_element_of_a_list_is_named_by_the_element_too(anywhere: Place) -> None:
    anywhere.database.run(TAGGED.format(key="PRIMARY KEY (segment_id, client_id, tag)"))
    add = (
        "INSERT INTO tagged (segment_id, client_id, tag) VALUES {for $l = $batch}{for $x = $l.tags}"
        "({segment_id}, '{$l.CustomID}', '{$x}'){autocomma}{end}{autocomma}{end} "
    )
    add += (
        "ON DUPLICATE KEY UPDATE tag = VALUES(tag)"
        if anywhere.database.dialect == "mysql"
        else "ON CONFLICT DO NOTHING"
    )
    assert [each.what for each in anywhere.findings(add=add) if "key" not in each.where.split(".")[-1]] == []


def test_a_row_that_a_hash_of_the_key_names_is_met(anywhere: Place) -> None:
    anywhere.database.run(TAGGED.format(key="PRIMARY KEY (segment_id, tag)").replace("varchar(20)", "varchar(99)"))
    add = (
        "INSERT INTO tagged (segment_id, client_id, tag) VALUES {for $l = $batch}"
        "({segment_id}, '{$l.CustomID}', '{sha256 $l.CustomID}'){autocomma}{end} "
    )
    add += (
        "ON DUPLICATE KEY UPDATE tag = VALUES(tag)"
        if anywhere.database.dialect == "mysql"
        else "ON CONFLICT (segment_id, tag) DO NOTHING"
    )
    assert [each.what for each in anywhere.findings(add=add) if "unique key" in each.what] == []


def test_the_unique_keys_of_a_view_are_not_guessed(anywhere: Place) -> None:
    anywhere.database.run("CREATE VIEW shown AS SELECT * FROM member")
    add = anywhere.database.queries()["add"].replace("INTO member", "INTO shown")
    if anywhere.database.dialect == "sqlite":
        add = add.partition("ON CONFLICT")[0].replace("INSERT INTO", "INSERT OR IGNORE INTO")
        anywhere.database.run("CREATE TRIGGER i INSTEAD OF INSERT ON shown BEGIN SELECT 1; END")
    assert not any("never meets" in each.what for each in anywhere.findings(add=add))


def test_exact_ordering_is_contradicted_by_a_column_that_folds(anywhere: Place) -> None:
    anywhere.database.run(
        "DROP TABLE member",
        "CREATE TABLE member (segment_id bigint, client_id int, updated text, PRIMARY KEY (segment_id, client_id))",
    )
    found = anywhere.findings(ordering='"exact"')
    assert ("mistake", "key") in marked(found)


def test_that_adds_and_removes_take_turns_is_told_where_the_table_makes_them(anywhere: Place) -> None:
    def notes(**more: Any) -> list[str]:
        (found,) = anywhere.check(anywhere.database.connector(), anywhere.database.integration(**more))
        return found.notes

    assert notes() == []
    anywhere.database.run("CREATE UNIQUE INDEX second ON member (segment_id, updated)")
    (told,) = notes()
    assert told.startswith("integrations.members: a batch's adds and removes run by turns, since two keys could be one")
    assert "second (segment_id, updated)" in told
    assert notes(ordering='"exact"') == []


TRIGGERS = {
    "sqlite": "CREATE TRIGGER renames AFTER INSERT ON member BEGIN SELECT 1; END",
    "mysql": "CREATE TRIGGER renames BEFORE INSERT ON member FOR EACH ROW SET NEW.updated = NULL",
    "postgresql": "CREATE RULE renames AS ON DELETE TO member DO ALSO SELECT 1",
}
FOLLOWER = (
    "CREATE TABLE follower (segment_id bigint, client_id {type}, FOREIGN KEY (segment_id, client_id)"
    " REFERENCES member (segment_id, client_id) ON DELETE CASCADE)"
)


def test_the_word_exact_is_confirmed_or_contradicted(anywhere: Place) -> None:
    def told(**more: Any) -> tuple[list[str], list[str]]:
        text = anywhere.database.integration(ordering='"exact"', **more)
        (found,) = anywhere.check(anywhere.database.connector(), text)
        return [each.what for each in found.findings if each.where == "integrations.members.ordering"], found.notes

    findings, (note,) = told()
    assert findings == []
    assert note.startswith('integrations.members: ordering = "exact" is what the table says, too')
    kind = {"mysql": "varchar(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"}
    kind |= {"postgresql": 'varchar(255) COLLATE "C"', "sqlite": "text"}
    anywhere.database.run(FOLLOWER.format(type=kind[anywhere.database.dialect]))
    (contradiction,), notes = told()
    assert "rows of 'follower' are deleted or emptied with those of 'member', by a foreign key; where" in contradiction
    assert notes == []
    anywhere.database.run("DROP TABLE follower", TRIGGERS[anywhere.database.dialect])
    (contradiction,), notes = told()
    assert "a trigger or rule of 'member' may change a key, or other rows; where two keys meet" in contradiction


def test_what_a_later_operation_makes_needless_is_warned_of_where_it_counts(anywhere: Place) -> None:
    """Not where adds and removes take turns, or profiles come one at a time: nothing is merged there."""
    queries = anywhere.database.queries()
    remove = queries["remove"].replace("DELETE FROM member", "UPDATE member SET updated = NULL")

    def warned(**more: Any) -> bool:
        return any("only the last is told" in each.what for each in anywhere.findings(remove=remove, **more))

    assert warned()
    assert warned(ordering='"exact"')
    assert not warned(ordering='"strict"')
    anywhere.database.run("CREATE UNIQUE INDEX second ON member (segment_id, updated)")
    assert not warned()
