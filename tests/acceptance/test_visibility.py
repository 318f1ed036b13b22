"""What Flower, logs and the ledger show of failures: integration, segment and why, and never people's data."""

from __future__ import annotations

import json
import re
import secrets
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from sqlalchemy import MetaData

from tests.chaos.account_file import SECRETS, account_text, members_of, planted, sent, start_fakes
from tests.chaos.account_time import AccountTime
from tests.installation import Installation
from tests.servers.process import free_port
from tests.targets import TargetDatabase
from workers.control.acting import Actor
from workers.control.connecting import NotConnected, connect_account
from workers.control.retry import retry
from workers.settings import load
from workers.targets import OpenAccount, open_account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.redis import RedisServer

PLANTED = "planted-7f3a91-value"
ANN = {"_id": "ann", "id": "ann", "email": "planted.ann@example.com", "phone": "79990001234"}
CODES = {"ya": "planted-ya-code", "g": "4/planted-g-code", "vk": "", "fb": ""}
"""Where a person consents, what they paste."""
NOT_SHOWN = (*planted(ANN), *filter(None, CODES.values()))
CHANGES = {"ya": "POST /v1", "fb": "POST /", "vk": "POST /api/v3", "g": "POST /v1"}
TOKENS = {"ya": "/token", "vk": "token.json", "g": "/token"}
"""Where they are renewed."""
SOMEBODY = Actor("somebody")


class Watched(NamedTuple):
    """An installation at work, and where Flower shows it."""

    installation: Installation
    target: TargetDatabase
    fakes: dict[str, Any]
    port: int


@pytest.fixture(scope="module")
def watched(
    tmp_path_factory: pytest.TempPathFactory, redis_server: RedisServer, mariadb_server: Any
) -> Iterator[Watched]:
    """Real workers, beat and Flower, with a database and four ad accounts: one start for all that is looked at here."""
    name = f"test_{secrets.token_hex(5)}"
    fakes = start_fakes()
    redis_server.start()
    mariadb_server.create_database(name)
    installation = Installation(tmp_path_factory.mktemp("watched"), redis_server.url, name)
    installation.environ |= SECRETS
    try:
        target = TargetDatabase("mysql", mariadb_server.url(name), mariadb_server.password)
        target.create()
        _configure(installation, target, fakes)
        port = free_port()
        installation.flower(port)
        installation.worker(concurrency=3)
        installation.beat()
        installation.wait(lambda: _flower(port, "/api/workers") is not None, "Flower")
        installation.ready()
        yield Watched(installation, target, fakes, port)
    finally:
        installation.stop()
        mariadb_server.drop_database(name)
        for fake in fakes.values():
            fake.close()


def test_failures_are_seen_and_people_are_not(watched: Watched) -> None:
    """A locked row (RETRY), a wrong table (FAILURE), a data error and a bad event, all carrying a planted value."""
    installation, target, _, port = watched
    blocker = target.connect()
    blocker.autocommit(False)
    blocker.cursor().execute(f"INSERT INTO member (segment_id, client_id) VALUES (7, '{PLANTED}')")
    installation.producer.add(7, [{"_id": PLANTED, "CustomID": PLANTED, "email": PLANTED}])
    installation.redis.xadd(installation.keys.events, {"event": json.dumps({"type": PLANTED, "x": PLANTED})})

    def told() -> bool:
        tasks = _flower(port, "/api/tasks?limit=1000") or {}
        text = json.dumps([(t["state"], t.get("exception")) for t in tasks.values()])
        return all(word in text for word in ("RETRY", "FAILURE", "waits/7", "wrong/7"))

    installation.wait(told, "RETRY and FAILURE in Flower")
    tasks = json.dumps(_flower(port, "/api/tasks?limit=1000"))
    blocker.rollback()
    blocker.close()
    installation.wait(lambda: ("7", PLANTED) in target.members(), "the retried row")
    installation.wait(lambda: not installation.redis.xlen(installation.keys.outcomes), "the ledger")

    assert PLANTED not in tasks
    assert PLANTED not in installation.logs()
    _only_the_quarantine_has_it(_ledger(installation))


def test_what_ad_platforms_repeat_is_shown_nowhere(watched: Watched) -> None:
    """They refuse, fail and answer with a page, to calls and where tokens are given, and say all that they were sent.

    Then each login is refused until somebody is needed, which a task tells, and in the end Ann is everywhere.
    """
    installation, _, fakes, port = watched
    accounts, processes = _connected(watched), _repeating(watched)
    _push(installation)
    store, time = accounts["ya"].connector.store, AccountTime(installation.redis, installation.keys, fakes)

    def until_so(holds: Callable[[str, Any], bool], what: str) -> None:
        """Two hours go by with each look, and the platforms do what they have accepted."""

        def is_so() -> bool:
            if all(holds(name, fake) for name, fake in fakes.items()):
                return True
            time.passes(store, 7_200)
            return not [fake.work() for fake in fakes.values()]

        installation.wait(is_so, what, every=0.5, seldom=2)

    until_so(lambda name, fake: not fake.faults_left and _is_held(installation, name), "a hold of each")
    failed = _probed(watched)
    for name, code in CODES.items():
        fakes[name].heal()
        connect_account(accounts[name], code, SOMEBODY)
    until_so(lambda name, fake: sent(name, ANN) <= members_of(fake), "Ann on each platform")
    installation.wait(lambda: not installation.redis.xlen(installation.keys.outcomes), "the ledger")

    assert len(processes) == 16
    pages = "\n".join(_pages(port, failed))
    told = {"tasks and pages": pages, "logs": installation.logs(), "processes": "\n".join(processes)}
    told |= {"environments": _environments(installation)} | _ledger(installation)
    assert [(value, where) for where, text in told.items() for value in NOT_SHOWN if value in text] == []
    for account in accounts.values():
        account.connector.close()
        account.redis.close()


def _connected(watched: Watched) -> dict[str, OpenAccount]:
    """Where a person must consent, one does, the second time with success."""
    settings = load(watched.installation.file)
    accounts = {name: open_account(settings, name, SECRETS) for name in CODES}
    for name, path in TOKENS.items():
        watched.fakes[name].code = CODES[name]
        watched.fakes[name].repeat(path, 400)
        with pytest.raises(NotConnected) as refused:
            connect_account(accounts[name], CODES[name], SOMEBODY)
        assert [value for value in NOT_SHOWN if value in str(refused.value)] == []
        connect_account(accounts[name], CODES[name], SOMEBODY)
    return accounts


def _repeating(watched: Watched) -> list[str]:
    """Four calls of each are met so; what a list of processes shows whenever one comes."""
    shown: list[str] = []

    def met(name: str, status: int) -> None:
        shown.append(_processes(watched.installation))
        if status == 401 and name in TOKENS:
            for _ in range(2 if name == "vk" else 1):  # where VK gives none for the old one, a first one is asked for
                watched.fakes[name].repeat(TOKENS[name], 400)

    for name, fake in watched.fakes.items():
        for status in (400, 503, 200, 401):
            fake.repeat(CHANGES[name], status, then=partial(met, name, status))
    return shown


def _push(installation: Installation) -> None:
    """A hundred people and Ann, and as many as VK's lists begin with; the first one of those VK will refuse."""
    with installation.producer as producer:
        for segment, count in ((8, 110), (9, 2_010)):
            people = [
                {"_id": f"{n}", "id": f"{n}", "email": f"p{n}@a.com", "phone": f"7999{n:07}"} for n in range(count)
            ]
            producer.segment_upsert(segment, name="VIP", database="ads")
            producer.add(segment, [*people, ANN])


def _is_held(installation: Installation, name: str) -> bool:
    return bool(installation.redis.hget(installation.keys.connector(name), "hold"))


def _probed(watched: Watched) -> list[str]:
    """Each login is tried once more, and refused again; the tasks that say so."""
    installation, fakes = watched.installation, watched.fakes
    with installation.producer as producer:
        for segment in (8, 9):
            producer.remove(segment, [{"_id": "0", "id": "0"}])
    for name, fake in fakes.items():
        for _ in range(5):  # whoever was at work may meet the first ones
            fake.repeat("GET", 401)
            fake.repeat(TOKENS.get(name, "GET"), 400 if name in TOKENS else 401)

    def failed() -> dict[str, str]:
        tasks = _flower(watched.port, "/api/tasks?limit=1000") or {}
        return {id_: str(each.get("exception")) for id_, each in tasks.items() if each["state"] == "FAILURE"}

    def told() -> bool:
        text = "\n".join(failed().values())
        left = [name for name in fakes if f"`segsync connect {name}`" not in text]
        for name in left:
            retry(installation.redis, installation.keys, name)
        return not left

    installation.wait(told, "a task of each that needs someone", every=0.5)
    return [id_ for id_, text in failed().items() if "segsync connect" in text]


def _configure(installation: Installation, target: TargetDatabase, fakes: dict[str, Any]) -> None:
    """Three integrations: one whose row will be locked, one whose table is not there, one whose column is narrow.

    And one for each ad account; VK's, which needs many people, with a segment of its own.
    """
    accounts = account_text(fakes).replace('database = "main", segments = [7]', 'database = "ads", segments = [8]')
    accounts = re.sub(r"(\[integrations\.to-vk\][^\[]*)\[8\]", r"\1[9]", accounts)
    wrong = target.queries()["add"].replace("INTO member", "INTO no_such_table")
    narrow = target.queries()["add"].replace("INTO member", "INTO narrow")
    target.run(
        "CREATE TABLE narrow (segment_id bigint, client_id varchar(5), updated datetime(6), PRIMARY KEY (segment_id))"
    )
    installation.configure(
        target.connector(statement_timeout='"1s"')
        + target.integration("waits")
        + target.integration("wrong", add=wrong)
        + target.integration("narrow", add=narrow)
        + accounts
    )


def _only_the_quarantine_has_it(ledger: dict[str, str]) -> None:
    quarantined = ledger.pop("quarantine")
    assert PLANTED in quarantined
    assert "mysql 1406" in quarantined
    assert "waits" in ledger["deliveries"]
    for table, text in ledger.items():
        assert PLANTED not in text, table


def _flower(port: int, path: str) -> Any:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None


def _ledger(installation: Installation) -> dict[str, str]:
    metadata = MetaData()
    with installation.ledger.reading() as connection:
        metadata.reflect(connection)
        return {
            name: "\n".join(str(row) for row in connection.execute(table.select()))
            for name, table in metadata.tables.items()
        }


def _pages(port: int, failed: list[str]) -> Iterator[str]:
    """What Flower tells: by its API, and on its pages."""
    workers = _flower(port, "/api/workers?refresh=1")
    yield json.dumps([workers, _flower(port, "/api/tasks?limit=1000")])
    for path in ("/tasks", "/workers", "/broker", *(f"/worker/{name}" for name in workers)):
        yield _page(port, path)
    yield from (_page(port, f"/task/{id_}") for id_ in failed)


def _page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return str(answer.read().decode())


def _pids(installation: Installation) -> Iterator[int]:
    for process in installation.processes:
        yield process.pid
        yield from process.children()


def _processes(installation: Installation) -> str:
    """What a list of them shows."""
    return "\n".join(_of_process(pid, "cmdline") for pid in _pids(installation))


def _environments(installation: Installation) -> str:
    """Without the variables in which somebody gave us secrets."""
    entries = [entry for pid in _pids(installation) for entry in _of_process(pid, "environ").split("\0")]
    return "\n".join(entry for entry in entries if entry.partition("=")[0] not in SECRETS)


def _of_process(pid: int, name: str) -> str:
    with suppress(OSError):  # it has ended meanwhile
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    return ""
