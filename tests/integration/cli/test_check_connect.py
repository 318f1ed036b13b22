"""`segsync check --connect`: what it prints, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.cli.test_init import environment
from tests.integration.test_spec_examples import ADD, CLEAR, DELETE, REMOVE, TABLES, UPSERT
from tests.targets import TargetDatabase
from workers.cli import presets
from workers.connectors.inspection import Step
from workers.preflight.examination import Examination
from workers.preflight.targets import _masked

if TYPE_CHECKING:
    from tests.integration.place import Call, Place
    from tests.servers.mariadb import MariadbServer

SCOPE = 'scope = { database = "main", segments = "all" }\nbatch = { size = 1000, timeout = "60s" }\n'
QUERIES = {"add": ADD, "remove": REMOVE, "clear": CLEAR, "segment_upsert": UPSERT, "segment_delete": DELETE}


def write(place: Place, *parts: str) -> None:
    place.file.write_text("\n".join((f'namespace = "{place.keys.namespace}"', *parts)))


def printed_integration(**mended: str) -> str:
    queries = "".join(f"{name} = '''{query}'''\n" for name, query in (QUERIES | mended).items())
    return f'[integrations.doc]\nconnector = "crm"\n{SCOPE}[integrations.doc.queries]\n{queries}'


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql", "mysql"])
def test_what_init_writes_is_fine(dialect: str, place: Place, call: Call, request: pytest.FixtureRequest) -> None:
    """Tables and file as printed, `exactly_once` and its table included: not one word."""
    fixture = {"sqlite": "sqlite", "postgresql": "postgresql", "mysql": "mariadb"}[dialect]
    password = request.getfixturevalue("mariadb_server").password if dialect == "mysql" else None
    database = TargetDatabase(dialect, request.getfixturevalue(f"{fixture}_url"), password)
    tables = presets.sql(dialect).replace("-- CREATE TABLE", "CREATE TABLE").splitlines()
    database.run(*"\n".join(line for line in tables if not line.startswith("--")).strip(";\n").split(";"))
    place.file.write_text(presets.toml(dialect).replace("exactly_once = false", "exactly_once = true"))
    done = call("check", "--connect", "--json", **environment(database, place))
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    (connector,) = told["connectors"]
    assert (told["ok"], told["mistakes"], told["warnings"]) == (True, [], [])
    assert (connector["connector"], connector["findings"], connector["unread"]) == ("crm", [], [])
    assert connector["looked"] == ["crm-segments"]
    assert {step["mark"] for step in connector["steps"]} == {"fine"}


def test_the_printed_queries_end_with_one(
    place: Place, call: Call, mariadb_url: str, mariadb_server: MariadbServer
) -> None:
    """People see each connector's steps, then every finding with its mark, place and remedy."""
    database = TargetDatabase("mysql", mariadb_url, mariadb_server.password)
    database.run(*TABLES)
    write(place, database.connector(), printed_integration(), '[connectors.gone]\nurl = "mysql://x@127.0.0.1:1/x"')
    done = call("check", "--connect")
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert "connector crm (mysql)" in lines
    assert "  + direct   no proxy between" in lines
    assert any(line.startswith("  x integrations.doc.queries.remove:2:7: mysql 1054: ") for line in lines)
    assert any(line.startswith("  x integrations.doc.queries.clear:2:7: mysql 1054: ") for line in lines)
    assert any(line.startswith("  ! integrations.doc.key: column 'clientId'") for line in lines)
    assert "  tried the queries of doc" in lines
    assert any(line.startswith("  x reach    127.0.0.1 does not answer at port 1: ") for line in lines)
    assert lines[-1] == f"{place.file}: someone is needed, 3 mistakes, 3 warnings"


def test_warnings_alone_end_with_zero(
    place: Place, call: Call, mariadb_url: str, mariadb_server: MariadbServer
) -> None:
    database = TargetDatabase("mysql", mariadb_url, mariadb_server.password)
    database.run(*TABLES)
    mended = {name: QUERIES[name].replace("segment_id =", "segId =") for name in ("remove", "clear")}
    write(place, database.connector(), printed_integration(**mended))
    done = call("check", "--connect")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == f"{place.file}: fine, 3 warnings"


def test_a_connector_without_its_secret_is_said_and_skipped(place: Place, call: Call) -> None:
    write(
        place,
        '[connectors.a]\nurl = "mysql://x@127.0.0.1:1/x"\npassword = "${NOBODY_SET_THIS}"',
        '[connectors.b]\nurl = "sqlite:///target.db"',
    )
    done = call("check", "--connect")
    assert done.returncode == 0
    assert "  - reach    not looked at: connectors.a.password: " in done.stdout
    assert "  + writes   the file can be locked for changes\n  no integration uses it" in done.stdout
    assert (
        done.stdout.splitlines()[-1] == f"{place.file}: fine as far as looked at, 1 warning, 1 connector not looked at"
    )
    assert done.stdout.count("NOBODY_SET_THIS") == 1


def test_a_url_that_its_variable_spoils_is_a_mistake(place: Place, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is all there, so there is nothing to wait for: nobody can connect by it."""
    monkeypatch.setenv("SPOILT", "mysql://x:pw:more@h:notaport/crm")
    write(place, '[connectors.a]\ndialect = "mysql"\nurl = "${SPOILT}"')
    done = call("check", "--connect")
    assert done.returncode == 1, done.stdout
    assert "x reach    connectors.a.url: " in done.stdout
    assert "pw" not in done.stdout
    assert "notaport" not in done.stdout


def test_a_wrong_file_ends_with_two_and_nothing_is_tried(place: Place, call: Call) -> None:
    write(place, '[connectors.a]\nurl = "mysql://x@127.0.0.1:1/x"', "[integrations.b]")
    done = call("check", "--connect")
    assert (done.returncode, done.stdout) == (2, "")
    assert "integrations.b" in done.stderr
    told = call("check", "--connect", "--json")
    assert (told.returncode, json.loads(told.stdout)["ok"]) == (2, False)


def test_a_plain_check_loads_no_driver_and_no_parser(place: Place) -> None:
    write(place, '[connectors.a]\nurl = "sqlite:///target.db"')
    program = (
        "import sys; from workers.cli.commands.check import run; run(as_json=True);"
        "print([name for name in ('sqlglot', 'pymysql', 'psycopg') if name in sys.modules], file=sys.stderr)"
    )
    environ = {"SEGSYNC_CONFIG": str(place.file), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"


def test_a_password_that_a_target_repeats_is_masked() -> None:
    found = Examination("crm", "mysql", [Step("session", "mistake", "no such password: 'swordfish'")])
    assert _masked(found, "swordfish").steps[0].what == "no such password: '***'"
