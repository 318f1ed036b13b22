"""`check --connect` on SQL Server, as far as what plays one can show it: which step or query fails, and the remedy.

The played server has no catalogue: what it says of tables and rights is made up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.servers.certificates import Authority
from tests.servers.tds import Result, TdsServer
from tests.targets import TargetDatabase
from workers.connectors.sql.vendors import VENDORS
from workers.preflight.targets import examine_all
from workers.settings import load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.tds_postgresql import Shared
    from workers.preflight.examination import Examination

MEMBER = [
    ("segment_id", "bigint", 8, 19, 0, None, 1, None),
    ("client_id", "nvarchar", 510, 0, 0, "Latin1_General_100_BIN2", 1, None),
    ("client_key", "varbinary", 510, 0, 0, None, 0, "(CONVERT([varbinary](510),[client_id]))"),
    ("updated", "datetime2", 8, 26, 6, None, 1, None),
]
BEHIND = (
    "CREATE TABLE segment_member (segment_id bigint, client_id varchar(255), updated timestamp(6) NOT NULL,"
    " client_key text GENERATED ALWAYS AS (client_id) STORED)"
)
PASSWORD = "hunter2-hunter2"


class Check(Protocol):
    """Examines the preset with a change in the file."""

    def __call__(self, old: str = "", new: str = "") -> Examination:
        """All that is found."""


def always(mssql: Shared, pattern: str, *rows: tuple[object, ...]) -> None:
    columns = tuple(str(at) for at in range(len(rows[0]))) if rows else ("",)
    mssql.server.on(pattern, [Result(len(rows), list(rows), columns)], times=999)


def known(mssql: Shared, lacking: tuple[str, ...] = (), *, shown: bool = True) -> None:
    """What the catalogue says."""
    always(mssql, "ProductVersion", ("16.0.4135.4", "Developer Edition (64-bit)", 3))
    always(mssql, "Updateability", ("READ_WRITE",))
    always(mssql, "SELECT CAST.@@SPID AS int.$", (51,))
    always(mssql, "FROM sys.objects", *([(42, "U ", 0)] if shown else []))
    always(mssql, "HAS_PERMS_BY_NAME", *((right,) for right in lacking))
    always(mssql, "FROM sys.columns", *MEMBER)
    always(mssql, "COLLATE Latin1_General_100_BIN2 =", (0, 0, 1, 0, 0, 0))
    always(mssql, "FROM sys.indexes", ("PK", "segment_id", 0), ("PK", "client_key", 0))


@pytest.fixture
def check(tmp_path: Path, mssql: Shared, monkeypatch: pytest.MonkeyPatch) -> Check:
    """Examines the preset's `add`, `remove` and `clear`; `old` and `new` change the file."""
    mssql.password = PASSWORD
    monkeypatch.setenv("PLAYED_PASSWORD", PASSWORD)
    monkeypatch.setenv("WRONG_PASSWORD", "wr0ng-wr0ng")
    preset = VENDORS["mssql"].preset.queries
    queries = {"add": preset.add, "remove": preset.remove, "clear": preset.clear}

    def checked(old: str = "", new: str = "") -> Examination:
        target = TargetDatabase("mssql", mssql.target().url, "${PLAYED_PASSWORD}")
        # Only these three: `queries` has no words for this dialect.
        lines = ['[integrations.members]\nname = "x"\nconnector = "crm"\nkey = "CustomID"\nordering = "exact"']
        lines += ['scope = { database = "main", segments = "all" }\nbatch = { size = 100 }']
        lines += ["[integrations.members.queries]", *(f"{name} = '''\n{text}'''" for name, text in queries.items())]
        text = 'namespace = "checking"\n' + target.connector() + "\n".join(lines)
        assert old in text
        file = tmp_path / "segsync.toml"
        file.write_text(text.replace(old, new) if old else text)
        (found,) = examine_all(load(file))
        return found

    with_tables(mssql)
    return checked


def with_tables(mssql: Shared) -> None:
    session = mssql.session(login(mssql))
    session.run(BEHIND)
    session.close()


def login(mssql: Shared) -> Any:
    class Login:
        session, user, password = 1, "sync", mssql.password

    return Login()


def failed(found: Examination) -> tuple[str, str]:
    """The step that ended it, and its words."""
    *before, last = found.steps
    assert {step.mark for step in before} <= {"fine"}
    assert last.mark == "mistake"
    assert "wr0ng" not in last.what
    return last.name, last.what


def test_what_is_right_is_fine(check: Check, mssql: Shared) -> None:
    known(mssql)
    found = check()
    assert [(step.name, step.mark) for step in found.steps if step.mark != "fine"] == []
    assert (found.findings, found.unread) == ([], [])


def test_a_wrong_password(check: Check) -> None:
    step, what = failed(check("PLAYED_PASSWORD", "WRONG_PASSWORD"))
    assert (step, "refuses this user or password" in what) == ("session", True)


def test_a_wrong_host(check: Check) -> None:
    step, what = failed(check("127.0.0.1", "nowhere.invalid"))
    assert (step, "cannot be resolved" in what) == ("reach", True)


def test_plain_text_where_tls_is_demanded(check: Check) -> None:
    step, what = failed(check("?encrypt=false", ""))
    assert (step, "offers no TLS" in what) == ("session", True)


def test_a_server_whose_certificate_is_a_strangers(check: Check, mssql: Shared, tmp_path: Path) -> None:
    port = mssql.server.port
    mssql.server = TdsServer(mssql.session, tls=Authority(tmp_path).server("127.0.0.1"))
    step, what = failed(check(f"{mssql.server.port}/crm?encrypt=false", f"{mssql.server.port}/crm"))
    assert (step, "nobody that is trusted" in what, port != mssql.server.port) == ("session", True, True)


def test_a_missing_table(check: Check, mssql: Shared) -> None:
    known(mssql, shown=False)
    first = check("INTO segment_member", "INTO nowhere").findings[0]
    assert (first.level, first.where) == ("mistake", "integrations.members.queries.add")
    assert "mssql 208" in first.what


def test_a_missing_column(check: Check, mssql: Shared) -> None:
    known(mssql)
    first = check("SET updated = s.updated", "SET renewed = s.updated").findings[0]
    assert (first.level, first.where) == ("mistake", "integrations.members.queries.add")
    assert "mssql 207" in first.what


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        (("INSERT",), {"add": "this user may not INSERT on 'segment_member'"}),
        (("UPDATE",), {"add": "this user may not UPDATE on 'segment_member'"}),
        (
            ("SELECT", "DELETE"),
            {
                "add": "this user may not SELECT on 'segment_member'",
                "remove": "this user may not SELECT and DELETE on 'segment_member'",
                "clear": "expected GRANT SELECT, DELETE ON segment_member",
            },
        ),
    ],
)
def test_a_missing_right(check: Check, mssql: Shared, lacking: tuple[str, ...], expected: dict[str, str]) -> None:
    """Compiling passes over it; a delivery would be held."""
    known(mssql, lacking)
    found = {each.where.rpartition(".")[2]: each for each in check().findings}
    assert found.keys() == expected.keys()
    for query, what in expected.items():
        assert (found[query].level, what in found[query].what) == ("mistake", True), found[query].what


def test_a_table_that_is_not_shown_is_told(check: Check, mssql: Shared) -> None:
    known(mssql, shown=False)
    assert {each.level for each in check().findings} == {"warning"}
    assert "is not shown to this user, who may have no right on it" in check().findings[0].what
