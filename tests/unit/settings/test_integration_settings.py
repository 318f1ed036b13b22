"""[integrations.*]: scope, batch, key, queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.settings.files import (
    BATCH_ADD,
    BATCH_REMOVE,
    CONNECTOR,
    REMOVE,
    SCOPE,
    integration,
    loaded,
    mistakes,
    warnings,
)
from workers.integrations import Scope
from workers.templates import QueryKind, Row, SegmentView

if TYPE_CHECKING:
    from pathlib import Path

    from workers.integrations import Integration

HERE = "integrations.vip"
BATCHED = {"add": BATCH_ADD, "remove": BATCH_REMOVE}
EMAIL = "client_id = '{lead.CustomID}'"


def read(folder: Path, *lines: str, scope: str = SCOPE, queries: dict[str, str] | None = None) -> Integration:
    return loaded(folder, CONNECTOR, integration(*lines, scope=scope, queries=queries)).integrations["vip"]


def wrong(folder: Path, *lines: str, scope: str = SCOPE, queries: dict[str, str] | None = None) -> list[str]:
    return mistakes(folder, CONNECTOR, integration(*lines, scope=scope, queries=queries))


def test_an_integration_has_the_documented_defaults(tmp_path: Path) -> None:
    vip = read(tmp_path)

    assert (vip.key, vip.name, vip.description, vip.active, vip.connector) == ("vip", "vip", "", True, "crm")
    assert (vip.batched, vip.batch_size, vip.timeout_ms) == (False, 1, 0)
    assert (vip.exactly_once, vip.tolerance, vip.max_backlog, vip.when_full) == (False, "data", None, "block")
    assert vip.max_quarantine == 100_000
    assert vip.key_fields == ("CustomID",)
    assert set(vip.queries) == {QueryKind.ADD, QueryKind.REMOVE}
    assert vip.scope == Scope("main")


def test_exactly_once_needs_transactions(tmp_path: Path) -> None:
    there = CONNECTOR.replace("sqlite:///crm.db", "clickhouse://sync@db:8123/crm")
    found = mistakes(tmp_path, there, integration("exactly_once = true", scope=SCOPE))
    (what,) = found
    assert what.startswith("integrations.vip.exactly_once: is true, and ClickHouse has no transactions; expected false")


def test_an_integration_reads_all_its_keys(tmp_path: Path) -> None:
    clear = "DELETE FROM member WHERE segment_id = {segment_id}"
    vip = read(
        tmp_path,
        'name = "VIP, ${ENV:-test}"',
        'description = ""',
        "active = false",
        'key = ["CustomID"]',
        "batch = { size = 10_000 }",
        "exactly_once = true",
        'tolerance = "none"',
        "max_backlog = 1_000_000",
        "max_quarantine = 500",
        'when_full = "drop"',
        queries={**BATCHED, "clear": clear, "segment_upsert": clear, "segment_delete": clear},
    )

    assert (vip.name, vip.description, vip.active, vip.key_fields) == ("VIP, test", "", False, ("CustomID",))
    assert (vip.batched, vip.batch_size, vip.timeout_ms) == (True, 10_000, 60_000)
    assert (vip.exactly_once, vip.tolerance, vip.max_backlog, vip.when_full) == (True, "none", 1_000_000, "drop")
    assert vip.max_quarantine == 500
    assert set(vip.queries) == set(QueryKind)


@pytest.mark.parametrize(
    ("written", "scope"),
    [
        ('{ database = "main", segments = "all" }', Scope("main")),
        ('{ database = "${DB:-crm}", groups = ["a", "b"] }', Scope("crm", "groups", frozenset("ab"))),
        ('{ database = "main", tags = ["a"] }', Scope("main", "tags", frozenset("a"))),
        ('{ database = "main", segments = [7, "x", -1] }', Scope("main", "ids", frozenset({"7", "x", "-1"}))),
        ("{ segments = [7] }", Scope("main", "ids", frozenset({"7"}))),
    ],
)
def test_a_scope_is_read(tmp_path: Path, written: str, scope: Scope) -> None:
    assert read(tmp_path, scope=f"scope = {written}").scope == scope


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "scope: is missing; expected as in { database"),
        ('scope = "all"', "scope: is text; expected a table"),
        ('scope = { database = "main" }', "scope: has none of segments, groups and tags; expected exactly one of them"),
        (
            'scope = { database = "main", segments = "all", tags = ["a"] }',
            "scope: has segments and tags; expected exactly one of them",
        ),
        ('scope = { segments = "all" }', "scope.database: is missing; expected the name of a profile database"),
        ('scope = { tags = ["a"] }', "scope.database: is missing"),
        ('scope = { database = "", tags = ["a"] }', "scope.database: is empty"),
        ('scope = { database = "main", segments = "al" }', "scope.segments: 'al' is text; expected \"all\" or a list"),
        ('scope = { database = "main", segments = 7 }', 'scope.segments: 7 is an integer; expected "all" or a list'),
        ('scope = { database = "main", segments = [] }', "scope.segments: is empty: nothing would ever be delivered"),
        ('scope = { database = "main", segments = [7, "7"] }', "scope.segments[1]: '7' is there twice"),
        ('scope = { database = "main", segments = [7.0] }', "scope.segments[0]: 7.0 is a number"),
        ('scope = { database = "main", segments = [true] }', "scope.segments[0]: True is true or false"),
        ('scope = { database = "main", segments = [" "] }', "scope.segments[0]: is empty"),
        (f'scope = {{ segments = ["{"ä" * 128}"] }}', "scope.segments: 'ää"),
        ('scope = { database = "main", groups = "all" }', "scope.groups: 'all' is text; expected a list of names"),
        ('scope = { database = "main", groups = [7] }', "scope.groups[0]: 7 is an integer; expected a list of names"),
        ('scope = { database = "main", tag = ["a"], tags = ["b"] }', "scope.tag: unknown key; did you mean 'tags'?"),
    ],
)
def test_what_is_wrong_with_a_scope_is_said(tmp_path: Path, written: str, said: str) -> None:
    found = wrong(tmp_path, scope=written)

    assert len(found) == 1
    assert found[0].startswith(f"{HERE}.{said}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("batch = {}", "batch.size: is missing; expected an integer from 1 to 10000"),
        ("batch = { size = 0 }", "batch.size: 0 is out of range; expected an integer from 1 to 10000"),
        ("batch = { size = 10_001 }", "batch.size: 10001 is out of range"),
        (
            'batch = { size = 5, timeout = "99ms" }',
            "batch.timeout: '99ms' is out of range; expected a duration from 100ms",
        ),
        ("batch = { size = 5, timeout = 86401 }", "batch.timeout: 86401 is out of range"),
        ("batch = { size = 5, time = 1 }", "batch.time: unknown key; did you mean 'timeout'?"),
        ("batch = 1000", "batch: is an integer; expected a table"),
    ],
)
def test_what_is_wrong_with_a_batch_is_said(tmp_path: Path, line: str, said: str) -> None:
    found = wrong(tmp_path, line, queries=BATCHED)

    assert len(found) == 1
    assert found[0].startswith(f"{HERE}.{said}")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('window = "22-06"', "window: '22-06' is no window; expected hours of the day, as in"),
        ('window = "22:00-22:00"', "window: '22:00-22:00' is no window; expected hours of the day"),
        ('window = "22:00-06:00 Europe/Berlim"', "window: '22:00-06:00 Europe/Berlim' names no time zone; expected"),
        ("window = 22", "window: 22 is an integer; expected hours of the day"),
        ('max_lag = "500ms"', "max_lag: '500ms' is out of range; expected a duration from 1s to 168h"),
        ('fields = ["email"]', "fields: is for ad accounts, and this connector is a database; expected queries"),
        ('tolerance = "all"', "tolerance: 'all' is none of 'data', 'none'"),
        ('when_full = "dorp"', "when_full: 'dorp' is none of 'block', 'drop'; did you mean 'drop'?"),
        ("max_backlog = 0", "max_backlog: 0 is out of range; expected an integer from 1 to"),
        ("max_quarantine = 0", "max_quarantine: 0 is out of range; expected an integer from 1 to"),
        ('active = "yes"', "active: 'yes' is text; expected true or false"),
        ("active = 1", "active: 1 is an integer; expected true or false"),
        ('name = ""', "name: is empty; expected text"),
        ("description = 5", "description: 5 is an integer; expected text"),
        ('desciption = "x"', "desciption: unknown key; did you mean 'description'?"),
        ('key = ""', "key: is empty; expected a field or a list of fields"),
        ('key = ["a", "a"]', "key[1]: 'a' is there twice"),
        ("key = 5", "key: 5 is an integer; expected a field or a list of fields"),
        ('use = "crm"', "use: 'crm' is no query set; expected the name of one, and there is no [query_sets.*]"),
    ],
)
def test_what_is_wrong_with_an_integration_is_said(tmp_path: Path, line: str, said: str) -> None:
    found = wrong(tmp_path, line)

    assert len(found) == 1
    assert found[0].startswith(f"{HERE}.{said}")


def test_an_unknown_connector_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    text = integration(connector="crn").replace("[integrations.vip]", "[integrations.vip]\nactive = 5", 1)

    assert mistakes(tmp_path, CONNECTOR, text) == [
        f"{HERE}.connector: 'crn' is no connector; did you mean 'crm'?",
        f"{HERE}.active: 5 is an integer; expected true or false",
    ]


@pytest.mark.parametrize("kind", ["add", "remove"])
def test_add_and_remove_are_mandatory(tmp_path: Path, kind: str) -> None:
    assert f"{HERE}.queries.{kind}: is missing; expected a query, since add and remove are mandatory" in wrong(
        tmp_path, queries={kind: ""}
    )


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("delete", "unknown key; did you mean 'remove' (profiles left the segment) or 'segment_delete' (the segment"),
        ("upsert", "unknown key; did you mean 'add' (profiles joined the segment) or 'segment_upsert'"),
        ("insert", "unknown key; did you mean 'add'?"),
        ("segment-upsert", "unknown key; did you mean 'segment_upsert'?"),
    ],
)
def test_a_query_of_another_name_gets_the_name_that_was_meant(tmp_path: Path, kind: str, said: str) -> None:
    assert wrong(tmp_path, queries={kind: "DELETE FROM member"})[0].startswith(f"{HERE}.queries.{kind}: {said}")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("' '", [': is empty; expected a query, or { file = "…" }']),
        ("5", [': 5 is an integer; expected a query, or { file = "…" }']),
        ("['x']", [": ['x'] is a list; expected a query, or { file = \"…\" }"]),
        ("{ file = '' }", [".file: is empty; expected the path of a file with the query"]),
        ("{ file = 5 }", [".file: 5 is an integer; expected the path of a file with the query"]),
        ("{}", [".file: is missing; expected the path of a file with the query"]),
        ("{ file = '.', line = 1 }", [".line: unknown key; expected one of file", ": .: is a folder; expected a file"]),
    ],
)
def test_a_query_is_text_or_a_file(tmp_path: Path, written: str, said: list[str]) -> None:
    found = mistakes(tmp_path, CONNECTOR, integration(queries={"clear": "x"}).replace("'''x'''", written))

    assert found == [f"{HERE}.queries.clear{each}" for each in said]


def test_mistakes_within_queries_come_with_line_and_column_and_all_at_once(tmp_path: Path) -> None:
    broken = "DELETE FROM member\nWHERE segment_id = {segment_idd}"
    found = wrong(tmp_path, queries={"clear": broken, "segment_delete": broken})

    assert [each.partition(": ")[0] for each in found] == [
        f"{HERE}.queries.clear:2:21",
        f"{HERE}.queries.segment_delete:2:21",
    ]


def test_queries_for_batches_are_refused_where_profiles_go_one_at_a_time(tmp_path: Path) -> None:
    """The mode reaches the compiler."""
    assert {each.partition(":")[0] for each in wrong(tmp_path, queries=BATCHED)} >= {f"{HERE}.queries.add"}
    assert wrong(tmp_path, "batch = { size = 5 }")


def test_the_key_left_out_is_the_one_field_that_remove_uses(tmp_path: Path) -> None:
    """Rule 16."""
    assert read(tmp_path, queries={"remove": REMOVE.replace("CustomID", "email")}).key_fields == ("email",)
    assert read(tmp_path, "batch = { size = 5 }", queries=BATCHED).key_fields == ("CustomID",)


def test_a_remove_that_uses_several_fields_needs_a_declared_key(tmp_path: Path) -> None:
    remove = f"{REMOVE} AND email = '{{lead.email}}'"

    assert wrong(tmp_path, queries={"remove": remove}) == [
        f"{HERE}.key: is left out, and remove uses 'CustomID', 'email'; expected the field or list that names the row"
    ]
    assert read(tmp_path, 'key = ["CustomID", "email"]', queries={"remove": remove}).key_fields == ("CustomID", "email")


def test_a_remove_that_uses_no_field_needs_a_declared_key(tmp_path: Path) -> None:
    found = wrong(tmp_path, queries={"remove": "DELETE FROM member WHERE segment_id = {segment_id}"})

    assert found[-1].startswith(f"{HERE}.key: is left out, and remove uses no field of the profile")


def test_a_declared_key_that_remove_does_not_use_is_worth_a_warning(tmp_path: Path) -> None:
    """Once for each query, and nowhere else."""
    key = 'key = ["CustomID", "email"]'
    add = "INSERT INTO member VALUES ({segment_id}, '{lead.CustomID}', '{lead.email}')"

    assert warnings(tmp_path, CONNECTOR, integration(key, queries={"add": add})) == [
        f"{HERE}.queries.remove:1:1: it does not use 'email' of the key: it may take other rows away than add wrote"
    ]
    assert [each.partition(":")[0] for each in warnings(tmp_path, CONNECTOR, integration(key))] == [
        f"{HERE}.queries.add",
        f"{HERE}.queries.remove",
    ]
    nothing = integration(key, queries={"add": add, "remove": "DELETE FROM member WHERE segment_id = {segment_id}"})
    assert [each.rpartition(": ")[0] for each in warnings(tmp_path, CONNECTOR, nothing)] == [
        f"{HERE}.queries.remove:1:1: it uses no profile field"
    ]
    assert warnings(tmp_path, CONNECTOR, integration('key = "CustomID"')) == []


@pytest.mark.parametrize("key", ['["CustomID"]', "['CustomID']", "CustomID"])
def test_a_key_is_text_however_its_path_is_spelled(tmp_path: Path, key: str) -> None:
    """A bare number beside a text column matches every row whose text is no number."""
    queries = {"remove": "DELETE FROM member WHERE segment_id = {segment_id} AND client_id = {lead.CustomID}"}
    vip = read(tmp_path, f'key = ["""{key}"""]', queries=queries)

    rendered = vip.queries[QueryKind.REMOVE].render([Row({"CustomID": 0}, 0, 1)], SegmentView("7", None, 0, 1))
    assert rendered == ["DELETE FROM member WHERE segment_id = 7 AND client_id = '0'"]
    assert vip.key_fields == ("CustomID",)


def test_an_empty_key_is_a_mistake_and_leaves_no_integration_out(tmp_path: Path) -> None:
    assert wrong(tmp_path, "key = []") == [
        f'{HERE}.key: is empty; expected a field or a list of fields, as in "CustomID"'
    ]


def test_an_integration_that_cannot_be_used_is_never_left_out_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.settings.integrations._read", lambda *_: None)
    assert wrong(tmp_path)[0].startswith(f"{HERE}: cannot be used, and it is not known why")


def test_a_key_that_is_no_path_is_a_mistake(tmp_path: Path) -> None:
    assert any("key: 'a..b' is no path to a field" in each for each in wrong(tmp_path, 'key = "a..b"'))


def test_one_at_a_time_by_omission_is_worth_a_warning(tmp_path: Path) -> None:
    found = loaded(tmp_path, CONNECTOR, integration()).warnings

    assert [str(each) for each in found] == [
        f"{HERE}.batch: is left out: profiles go one at a time; many more go with batch = {{ size = 1000 }}"
    ]
    assert warnings(tmp_path, CONNECTOR, integration("batch = { size = 5 }", queries=BATCHED)) == []


def test_overlapping_scopes_on_one_connector_are_worth_one_warning_for_each_integration(tmp_path: Path) -> None:
    text = [CONNECTOR, CONNECTOR.replace("crm", "other"), *(integration(key=f"i{number}") for number in range(8))]
    elsewhere = [
        integration(key="j", connector="other"),
        integration(key="k", scope='scope = {database="b", tags=["x"]}'),
    ]
    found = warnings(tmp_path, *text, *elsewhere)

    assert len(found) == 7
    assert found[0].startswith("integrations.i1.scope: has segments in common with 'i0', on connector 'crm': they must")
    assert "'i0', 'i1', 'i2', 'i3', 'i4' and 2 more, on connector 'crm'" in found[-1]


def test_a_verification_of_what_nothing_lists_is_worth_a_warning(tmp_path: Path) -> None:
    verified = 'verify = "1d"'
    (found,) = warnings(tmp_path, CONNECTOR, integration(verified))
    assert found.startswith("integrations.vip.verify: has no effect without a query `members`")
    listed = integration(verified, queries={"members": "SELECT client FROM m WHERE segment = {segment_id}"})
    assert warnings(tmp_path, CONNECTOR, listed) == []


def test_a_window_is_in_the_connectors_zone_unless_it_names_one(tmp_path: Path) -> None:
    zone = CONNECTOR.replace('url = "sqlite:///crm.db"', 'url = "sqlite:///crm.db"\ntimezone = "Asia/Kolkata"')
    here = loaded(tmp_path, zone, integration('window = "22:00-06:00"')).integrations["vip"].window
    there = loaded(tmp_path, zone, integration('window = "22:00-06:00 Europe/Berlin"')).integrations["vip"].window
    assert here is not None
    assert there is not None
    assert (here.zone, there.zone) == ("Asia/Kolkata", "Europe/Berlin")
