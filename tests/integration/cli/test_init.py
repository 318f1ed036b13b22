"""What `segsync init` prints, run as it stands on each database: tables made, file applied, events delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from segsync import Producer
from tests.integration.jobs import add, clear, delete, remove, upsert
from tests.servers.clickhouse import PASSWORD as CLICKHOUSE_PASSWORD
from tests.targets import TargetDatabase
from workers.connectors.sql.vendors import VENDORS
from workers.control.drain import drain
from workers.lanes.keys import Keys
from workers.runtime import Runtime
from workers.settings import load, revision

if TYPE_CHECKING:
    from tests.integration.place import Call, Place

SPELLINGS = ["a", "A", "a ", "\u00e1", "O'Brien", "back\\slash", 'x", NOW())', "\U0001f600" * 255]


class Installed:
    """An installation that nobody has written but `init`."""

    def __init__(self, place: Place, call: Call, database: TargetDatabase) -> None:
        self.place = place
        self.call = call
        self.database = database
        self._make_tables()
        self._write_file()

    def _init(self, *options: str) -> str:
        done = self.call("init", "--dialect", self.database.dialect, *options)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def _make_tables(self) -> None:
        """All of the SQL, `exactly_once`'s table included."""
        printed = self._init("--sql").replace("-- CREATE TABLE", "CREATE TABLE")
        lines = [line for line in printed.splitlines() if not line.startswith("--")]
        self.database.run(*(text for text in "\n".join(lines).split(";") if text.strip()))

    def _write_file(self) -> None:
        self._init("--output", str(self.place.file))
        text = self.place.file.read_text()
        # A test's namespace, and no minute's wait; what is left is as printed.
        wanted = {'"segsync" ': f'"{self.place.keys.namespace}" ', '"60s"': '"100ms"'}
        if VENDORS[self.database.dialect].has_transactions:
            wanted["exactly_once = false"] = "exactly_once = true"
        for old, new in wanted.items():
            assert text.count(old) == 1
            text = text.replace(old, new)
        self.place.file.write_text(text)

    def deliver(self, *events: dict[str, Any]) -> None:
        """Pushes, and works until nothing is owed."""
        settings = load(self.place.file)
        keys = Keys(settings.local.namespace)
        revision.publish(self.place.redis, keys, settings)
        with Producer(self.place.url, namespace=keys.namespace) as producer:
            producer.push(events)
        runtime = Runtime(settings.local)
        report = drain(runtime, 300)
        while self._backlog(keys) and not report.failed:
            report = drain(runtime, 300)
        assert not report.failed

    def _backlog(self, keys: Keys) -> int:
        backlog: Any = self.place.redis.hget(keys.integration("crm-segments"), "backlog")
        return int(backlog or 0)

    def members(self) -> set[tuple[int, str]]:
        rows = self.database.run(f"SELECT segment_id, client_id FROM segment_member{self.database.final}")
        return {(s, c.decode() if isinstance(c, bytes) else c) for s, c in rows}

    def names(self) -> set[tuple[int, str | None]]:
        return set(self.database.run(f"SELECT segment_id, name FROM segment{self.database.final}"))


FETCHED = pytest.param("mysql", marks=[pytest.mark.proof, pytest.mark.fetched])
"""The real one."""


@pytest.fixture(params=["sqlite", "postgresql", "mariadb", "clickhouse", FETCHED])
def installed(request: pytest.FixtureRequest, place: Place, call: Call, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """On each database in turn."""
    name = request.param
    dialect = "mysql" if name == "mariadb" else name
    password = CLICKHOUSE_PASSWORD if dialect == "clickhouse" else None
    if name == "mariadb":
        password = request.getfixturevalue("mariadb_server").password
    url = request.getfixturevalue("mysql_target").url if name == "mysql" else request.getfixturevalue(f"{name}_url")
    database = TargetDatabase(dialect, url, password)
    for name, value in environment(database, place).items():
        monkeypatch.setenv(name, value)
    return Installed(place, call, database)


def environment(database: TargetDatabase, place: Place) -> dict[str, str]:
    """The variables that the printed file asks for."""
    _, _, rest = database.url.partition("://")
    ours = {"SEGSYNC_REDIS_URL": place.url, "CRM_PASSWORD": database.password or ""}
    if database.dialect == "sqlite":
        return ours | {"CRM_FILE": rest.removeprefix("/")}
    user, _, address = rest.partition("@")
    assert user == "segsync"
    server, _, name = address.partition("/")
    host, _, port = server.partition(":")
    return ours | {"CRM_HOST": host, "CRM_PORT": port, "CRM_DATABASE": name.partition("?")[0]}


def test_all_five_kinds_arrive_and_may_be_repeated(installed: Installed) -> None:
    events = [
        upsert(7, "O'Neil"), add(7, "A", "B", "C"), remove(7, "B"), add(8, "Z"), clear(8), add(8, "Y"),
        upsert(8, "new"), upsert(9, "gone"), add(9, "X"), delete(9), upsert(10, "n" * 4096),
    ]  # fmt: skip
    for _ in range(2):
        installed.deliver(*events)
        assert installed.members() == {(7, "A"), (7, "C"), (8, "Y")}
        assert installed.names() == {(7, "O'Neil"), (8, "new"), (10, "n" * 4096)}


def test_clients_that_differ_in_case_accent_or_blanks_are_several(installed: Installed) -> None:
    installed.deliver(add(7, *SPELLINGS))
    assert installed.members() == {(7, key) for key in SPELLINGS}
    installed.deliver(remove(7, *SPELLINGS[1:]))
    assert installed.members() == {(7, "a")}


def test_updated_is_when_it_happened_last(installed: Installed) -> None:
    for at in ("2026-01-02T03:04:05Z", "2026-02-03T04:05:06Z"):
        installed.deliver(add(7, "A") | {"at": at})
    ((when,),) = installed.database.run("SELECT updated FROM segment_member" + installed.database.final)
    assert "2026-02-03 0" in str(when)
