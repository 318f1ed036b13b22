"""Files that cannot be read, includes, query files and query sets."""

from __future__ import annotations

import os
from pathlib import Path

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
    write,
)
from workers.errors import SettingsError
from workers.settings import load, load_local
from workers.settings.files import LARGEST_FILE

SET = f"""
[query_sets.members]
key = "CustomID"
add = '''{BATCH_ADD}'''
remove = {{ file = "crm/remove.sql" }}
"""
USING = f"""
[integrations.vip]
use = "members"
connector = "crm"
{SCOPE}
batch = {{ size = 5 }}
"""


def refused(path: Path) -> list[str]:
    """What is said of a main file, by all ways in."""
    said = []
    for read in (load, load_local):
        with pytest.raises(SettingsError) as caught:
            read(path, {})
        said.append([str(mistake) for mistake in caught.value.mistakes])
    assert said[0] == said[1]
    return said[0]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "segsync.toml: is empty; expected TOML"),
        (b" \n\t\n", "segsync.toml: is empty; expected TOML"),
        (b"\xef\xbb\xbfnamespace = 'x'", "segsync.toml: begins with a byte order mark; expected UTF-8 without one"),
        ("namespace = 'x'".encode("utf-16"), "segsync.toml: begins with a byte order mark"),
        (b"a = 1\nb = '\xe9'", "segsync.toml: is not UTF-8: line 2 has a byte that cannot be there"),
        (b"a = 1\nb = \n", "segsync.toml:2:5: not valid TOML: Invalid value"),
        (b"[a]\n[a]\n", "segsync.toml:2:3: not valid TOML: Cannot declare"),
        (b"[a", "segsync.toml:1:3: not valid TOML: Expected ']' at the end of a table declaration, and the file ends"),
        (b"a = '''\nx", "segsync.toml:2:2: not valid TOML: Expected"),
        (b"a = 2026-13-45", "segsync.toml"),
        (b"a = " + b"9" * 5000, "segsync.toml: not valid TOML: Exceeds the limit"),
        (b"a = " + b"[" * 5000, "segsync.toml: is nested too deeply"),
        (b"a" + b".a" * 5000 + b" = 1", "segsync.toml: is nested too deeply"),
        (b"a = '\x00'", "segsync.toml:1:6: not valid TOML: Found invalid character"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_with_the_place(tmp_path: Path, content: bytes, said: str) -> None:
    found = refused(write(tmp_path, content))

    assert len(found) == 1
    assert found[0].startswith(said)


def test_a_huge_file_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    path = write(tmp_path, "")
    os.truncate(path, LARGEST_FILE + 1)

    assert refused(path) == ["segsync.toml: is larger than 16384 KiB"]


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert refused(tmp_path) == [f"{tmp_path.name}: is a folder; expected a file"]
    assert refused(tmp_path / "pipe") == ["pipe: is no regular file"]
    assert refused(tmp_path / "no\0name") == ["no\0name: cannot be read: its name is no path"]
    assert refused(tmp_path / "none.toml") == [
        "none.toml: no such file; write one with `segsync init`, or name another in the variable SEGSYNC_CONFIG"
    ]


def test_the_file_is_the_one_given_else_the_variables_else_the_one_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("given", "variable", "segsync"):
        write(tmp_path, f'namespace = "{name}"', f"{name}.toml")
    monkeypatch.chdir(tmp_path)
    environ = {"SEGSYNC_CONFIG": str(tmp_path / "variable.toml")}

    assert load_local(Path("given.toml"), environ).namespace == "given"
    assert load_local(None, environ).namespace == "variable"
    assert load_local(None, {}).path == tmp_path / "segsync.toml"
    assert load_local(None, {"SEGSYNC_CONFIG": ""}).namespace == "segsync"


def test_all_mistakes_are_reported_at_once_under_the_files_name(tmp_path: Path) -> None:
    text = (
        'namespace = "NO"\n[ledger]\nurl = 5\n[alerts]\nto = 5\n[source]\n[nonsense]\n[connectors.x]\n[integrations.y]'
    )
    with pytest.raises(SettingsError) as caught:
        load(write(tmp_path, text), {})

    first, *others = str(caught.value).splitlines()
    assert first == f"{tmp_path / 'segsync.toml'}: {len(others)} mistakes"
    assert {line.split(":")[0].strip() for line in others} >= {
        "namespace", "ledger.url", "alerts.to", "source", "nonsense", "connectors.x.url", "integrations.y.queries.add"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[integration.x]", "integration: unknown key; did you mean 'integrations'?"),
        ('[source]\nurl = "x"', "source: is reserved, not built yet; leave it out"),
        ("connectors = 5", "connectors: is an integer; expected a table"),
        ("connectors.x = 5", "connectors.x: is an integer; expected a table"),
        ("integrations = []", "integrations: is a list; expected a table"),
        ("[[integrations.x]]", "integrations.x: is a list; expected a table"),
        ("query_sets = 5", "query_sets: is an integer; expected a table"),
        ("[query_sets]\nx = 5", "query_sets.x: is an integer; expected a table"),
        ("[query_sets.'a.b']\nadd = { file = 'x' }", "query_sets.a.b: cannot be a name"),
        ("[integrations.'a.b'.queries]\nadd = { file = 'x' }", "integrations.a.b.queries.add: x: no such file"),
        ("[query_sets.x]\nad = 'x'", "query_sets.x.ad: unknown key; did you mean 'add'?"),
        ("include = 'x.toml'", "include: 'x.toml' is text; expected a list of files"),
        ("include = ['x.toml']", "include[0]: 'x.toml': no such file in "),
        ("include = ['${X}']", "include[0]: the environment variable X is not set"),
        ("[intake]\ndefault_databas = 'x'", "intake.default_databas: unknown key; did you mean 'default_database'?"),
        (
            "[intake]\ndefault_database = ''",
            "intake.default_database: is empty; expected the name of a profile database",
        ),
    ],
)
def test_what_is_wrong_at_the_top_is_said(tmp_path: Path, text: str, said: str) -> None:
    assert mistakes(tmp_path, text)[0].startswith(said)


def test_includes_define_more_of_the_same(tmp_path: Path) -> None:
    write(tmp_path, CONNECTOR, "shared/connectors.toml")
    write(tmp_path, integration(key="a"), "integrations/a.toml")
    write(tmp_path, integration(key="b"), "integrations/b.toml")
    settings = loaded(tmp_path, 'include = ["integrations/*.toml", "shared/connectors.toml", "*.toml"]', integration())

    assert list(settings.integrations) == ["a", "b", "vip"]
    assert list(settings.connectors) == ["crm"]


def test_a_pattern_may_match_nothing_yet(tmp_path: Path) -> None:
    found = warnings(tmp_path, "include = ['integrations/*.toml']", CONNECTOR, integration())

    assert found == [f"include[0]: 'integrations/*.toml' matches no file in {tmp_path}"]


def test_what_two_files_define_is_refused_naming_both(tmp_path: Path) -> None:
    write(tmp_path, integration() + CONNECTOR, "a.toml")
    write(tmp_path, integration(), "b.toml")

    assert mistakes(tmp_path, 'include = ["?.toml"]', CONNECTOR) == [
        "connectors.crm: is defined twice: in segsync.toml and in a.toml",
        "integrations.vip (a.toml): is defined twice: in a.toml and in b.toml",
    ]


def test_mistakes_in_included_files_name_the_file(tmp_path: Path) -> None:
    write(tmp_path, "x = ", "teams/broken.toml")
    write(tmp_path, integration("batch = {}", queries={"add": BATCH_ADD, "remove": BATCH_REMOVE}), "teams/crm.toml")
    write(tmp_path, 'namespace = "x"\ninclude = []\n[ledger]\n[nonsense]\n', "teams/local.toml")
    write(tmp_path, "connectors = 5", "teams/wrong.toml")

    assert mistakes(tmp_path, 'include = ["teams/*"]', CONNECTOR) == [
        "teams/broken.toml:1:5: not valid TOML: Invalid value, and the file ends",
        "include (teams/local.toml): belongs into segsync.toml",
        "ledger (teams/local.toml): belongs into segsync.toml",
        "namespace (teams/local.toml): belongs into segsync.toml",
        "nonsense (teams/local.toml): unknown key; expected one of connectors, integrations, query_sets, sources",
        "connectors (teams/wrong.toml): is an integer; expected a table",
        "integrations.vip.batch.size (teams/crm.toml): is missing; expected an integer from 1 to 10000",
    ]


def test_query_files_stand_beside_the_file_that_names_them(tmp_path: Path) -> None:
    write(tmp_path, REMOVE, "teams/sql/remove.sql")
    write(tmp_path, integration().replace(f"'''{REMOVE}'''", '{ file = "${DIR:-sql}/remove.sql" }'), "teams/crm.toml")

    inline = loaded(tmp_path, CONNECTOR, integration())
    assert loaded(tmp_path, 'include = ["teams/*.toml"]', CONNECTOR).published() == inline.published()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "remove.sql: no such file"),
        (b"\xef\xbb\xbfDELETE", "remove.sql: begins with a byte order mark"),
        (b"DELETE '\xe9'", "remove.sql: is not UTF-8: line 1"),
    ],
)
def test_a_query_file_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content:
        write(tmp_path, content, "remove.sql")
    found = mistakes(tmp_path, CONNECTOR, integration().replace(f"'''{REMOVE}'''", '{ file = "remove.sql" }'))

    assert len(found) == 1
    assert found[0].startswith(f"integrations.vip.queries.remove: {said}")


def test_a_blank_query_file_is_an_empty_query(tmp_path: Path) -> None:
    write(tmp_path, " \n", "remove.sql")
    found = mistakes(tmp_path, CONNECTOR, integration().replace(f"'''{REMOVE}'''", '{ file = "remove.sql" }'))

    assert found == ['integrations.vip.queries.remove (remove.sql): is empty; expected a query, or { file = "…" }']


def test_a_query_set_gives_what_the_integration_has_not_itself(tmp_path: Path) -> None:
    write(tmp_path, BATCH_REMOVE, "crm/remove.sql")
    own = "queries.remove = '''" + BATCH_REMOVE.replace("CustomID", "email") + "'''\n" + 'key = "email"'
    settings = loaded(tmp_path, CONNECTOR, SET, USING, USING.replace("vip", "other"), own)

    assert settings.integrations["vip"].key_fields == ("CustomID",)
    assert settings.integrations["other"].key_fields == ("email",)
    assert settings.integrations["vip"].queries["add"].digest  # type: ignore[index]  # a StrEnum is its text
    assert "query_sets" not in settings.published()


def test_a_mistake_in_a_shared_query_is_reported_once_where_it_stands(tmp_path: Path) -> None:
    write(tmp_path, "DELETE FROM member\nWHERE segment_id = {segment_idd}", "crm/remove.sql")
    found = mistakes(tmp_path, CONNECTOR, SET, USING, USING.replace("vip", "other"))

    assert [each.partition(": ")[0] for each in found] == ["query_sets.members.remove (crm/remove.sql):2:21"]


def test_a_set_that_nobody_uses_is_worth_a_warning(tmp_path: Path) -> None:
    found = warnings(tmp_path, CONNECTOR, "[query_sets.x]\nadd = 'x'", integration())

    assert found == ["query_sets.x: no integration uses this set; its queries were not checked"]


def test_an_unknown_set_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    write(tmp_path, BATCH_REMOVE, "crm/remove.sql")

    assert mistakes(tmp_path, CONNECTOR, SET, USING.replace('"members"', '"member"')) == [
        "integrations.vip.use: 'member' is no query set; did you mean 'members'?"
    ]


def test_a_link_counts_as_standing_where_it_is(tmp_path: Path) -> None:
    """Kubernetes mounts every file of a configuration as a link into a folder with a passing name."""
    write(tmp_path, integration().replace(f"'''{REMOVE}'''", '{ file = "remove.sql" }'), "elsewhere/x.toml")
    write(tmp_path, REMOVE, "teams/remove.sql")
    (tmp_path / "teams" / "crm.toml").symlink_to(tmp_path / "elsewhere" / "x.toml")
    settings = loaded(tmp_path, 'include = ["teams/*.toml", "elsewhere/x.toml"]', CONNECTOR)

    assert list(settings.integrations) == ["vip"]
