"""Targets behind the one door, of which a test knows who stands in them and what was done in them, in order."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy.engine import make_url

from tests.integration.connectors.audiences.accounts import ACCOUNTS
from tests.integration.connectors.audiences.rig import SECRET
from tests.servers.process import free_port
from tests.servers.rows import Database
from workers.connectors import connect
from workers.connectors.audiences.connector import AdConnector, AdPlace
from workers.connectors.audiences.target import AdTarget
from workers.connectors.contract import Group, SegmentEvent, Shipment
from workers.connectors.memory import MemoryConnector
from workers.connectors.sql.vendors import VENDORS
from workers.errors import ErrorClass, TargetError
from workers.templates import QueryKind, Row, compile_query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from redis import Redis

    from tests.integration.connectors.audiences.accounts import Account
    from workers.connectors.contract import Connector, Session, Target
    from workers.connectors.identifiers import Fields
    from workers.connectors.sql.link import Link
    from workers.templates import Query

PATIENCE = 30.0
"""Seconds; more than any test needs."""
TOO_LONG = "secret" * 20
NO_TEXT = "secret\ud800"
"""Half a surrogate pair, which no store of ad accounts can hold."""
ADD = "INSERT INTO people (name) VALUES {for $x = $batch}('{$x.Name}'){autocomma}{end}"
BY_ORACLE = (
    "INSERT INTO people (name) {for $i, $x = $batch}{if $i > 0} UNION ALL {end}SELECT '{$x.Name}' FROM dual {end}"
)
NOW_MS = 1_790_000_000_000


class Person(NamedTuple):
    """`contract.Member`."""

    sequence: str
    key: tuple[str, ...]
    row: Row


class Refusing:
    """A fence that refuses when it is asked for the `at`th time, and notes that it was asked."""

    def __init__(self, steps: list[str], at: int = 0) -> None:
        self.steps = steps
        self.at = at
        self.asked: list[float] = []

    def __call__(self, seconds: float = 0.0) -> None:
        self.asked.append(seconds)
        self.steps.append("fence")
        if len(self.asked) == self.at:
            raise TargetError(ErrorClass.RETRY, "lease", "the lane is another's")


@dataclass
class Door:
    """One target, in which nobody stands yet.

    name        as in the tests' names
    present     the names of those who stand in it, sorted
    bad         a name that it refuses as the profile's fault
    nowhere     another connector, to a target that is not there; None where a test cannot make one
    fields      what an ad account is sent
    undoes      it takes back what it has executed
    steps       "begin" once it has its lane's lock, "execute", "commit", and "fence" by whoever asks
    """

    name: str
    connector: Connector
    present: Callable[[], list[str]]
    bad: str = TOO_LONG
    nowhere: Callable[[], Connector] | None = None
    fields: Fields | None = None
    undoes: bool = True
    queries: Mapping[QueryKind, Query] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    lane: str = field(default_factory=lambda: f"lane {secrets.token_hex(5)}")
    opened: list[Session] = field(default_factory=list)
    _number: int = 0

    def open(self) -> Session:
        """A session, which does not outlast the test, even where that fails."""
        self.opened.append(self.connector.open())
        return self.opened[-1]

    def fence(self, refuses_at: int = 0) -> Refusing:
        return Refusing(self.steps, refuses_at)

    def shipment(self, *groups: tuple[str, list[str]], lane: str = "", **more: Any) -> Shipment:
        """Adds and removes by name, in this order: ("add", ["ann", "bob"]). "" is somebody without a name."""
        first = self._number + 1
        shipped = tuple(Group(QueryKind(kind), tuple(map(self._person, names))) for kind, names in groups)
        sequences = f"{first:027d}", f"{self._number:027d}"
        place = ("buyers", "7", "VIP", self.lane + lane)
        return Shipment(*place, *sequences, self.queries, shipped, patience=PATIENCE, fields=self.fields, **more)

    def event(self, kind: str) -> Shipment:
        self._number += 1
        event = SegmentEvent(QueryKind(kind), f"{self._number:027d}", 0, self._number)
        return replace(self.shipment(), first=event.sequence, last=event.sequence, event=event)

    def deliver(self, shipment: Shipment) -> None:
        """By a session of its own, with nobody in the way."""
        session = self.open()
        session.deliver(shipment, self.fence())
        session.close()

    def _person(self, name: str) -> Person:
        self._number += 1
        profile = {"Name": name, "email": f"{self._number}@example.com"} if name else {"Other": "x"}
        return Person(f"{self._number:027d}", (name,), Row(dict(profile), 0, self._number))


def compiled(dialect: str, add: str = ADD) -> dict[QueryKind, Query]:
    """The queries that keep `people`."""
    texts = {
        QueryKind.ADD: add,
        QueryKind.REMOVE: 'DELETE FROM people WHERE name IN ({batch_in "Name"})',
        QueryKind.CLEAR: "DELETE FROM people WHERE 1 = 1",
    }
    return {
        kind: compile_query(text, dialect=dialect, kind=kind, batch=kind.has_profiles, key=("Name",))
        for kind, text in texts.items()
    }


def memory_door() -> Door:
    """Who stands in it follows from the statements that it remembers."""

    def respond(statement: str) -> int:
        if TOO_LONG in statement:
            raise TargetError(ErrorClass.ISOLATE, "memory data", "too long", detail=statement)
        return len(_quoted(statement))

    def present() -> list[str]:
        names: set[str] = set()
        for statement in (each for one in connector.committed for each in one.statements):
            told = _quoted(statement)
            names = names | told if statement.startswith("INSERT") else names - (told or names)
        return sorted(names)

    connector = MemoryConnector(respond=respond)
    return Door("memory", connector, present, queries=compiled("sqlite"), steps=connector.calls)


def _quoted(statement: str) -> set[str]:
    return set(re.findall(r"'([^']*)'", statement))


def sql_door(name: str, target: Target) -> Iterator[Door]:
    """A database with an empty table `people`."""
    with Database(target) as database:
        connector = connect(target)
        read = f"SELECT name FROM people{' FINAL' * (name == 'clickhouse')}"
        door = Door(
            name,
            connector,
            lambda: sorted(str(found) for (found,) in database.rows(read)),
            nowhere=None if name == "oracle" else lambda: connect(_nowhere(target)),
            undoes=VENDORS[target.dialect].position is not None,
            queries=compiled(target.dialect, BY_ORACLE if name == "oracle" else ADD),
        )
        connector._connect = _noted(connector._connect, door.steps)
        yield door
        for session in door.opened:
            session.discard()
        connector.dispose()


def _nowhere(target: Target) -> Target:
    url = make_url(target.url)
    there = url.set(port=free_port()) if url.host else url.set(database=f"{url.database}.gone")
    return replace(target, url=there.render_as_string(hide_password=False))


def _noted(make: Callable[[], Link], steps: list[str]) -> Callable[[], Link]:
    """Links that note what they have done."""

    def noting(link: Link, step: str, name: str) -> None:
        do = getattr(link, name)

        def noted(*arguments: Any) -> Any:
            answer = do(*arguments)
            if [step] != steps[-1:] or step == "execute":  # SQLite takes several locks as it takes one
                steps.append(step)
            return answer

        setattr(link, name, noted)

    def made() -> Link:
        link = make()
        for name in ("begin", "execute", "commit", "rollback"):
            noting(link, name, name)
        noting(link, "begin", "begin_together")
        return link

    return made


def ads_door(
    file: Path, redis: Redis, namespace: str, account: Account = ACCOUNTS["yandex"], url: str = "http://127.0.0.1:9"
) -> Iterator[Door]:
    """An ad account with a store of its own, in this file; nothing is sent anywhere but to this URL."""
    store = f"sqlite:///{file}"
    target = AdTarget(account.key, account.platform, account.settings, store, SECRET, url)

    def made(target: AdTarget) -> AdConnector:
        place = AdPlace(
            redis=redis,
            budget_key=f"{namespace}:budget",
            looks_key=f"{namespace}:looks",
            nothing=f"{namespace}:nothing",
            stores_key=f"{namespace}:stores",
            clock=lambda: NOW_MS,
            owner="the test",
        )
        return AdConnector(target, place)

    def present() -> list[str]:
        with connector.store.reading() as connection:
            return sorted(connection.execute(sa.text("SELECT DISTINCT profile FROM ads_holding")).scalars())

    connector = made(target)
    gone = replace(target, store_url=f"sqlite:///{file}.gone/store.db")
    door = Door("ads", connector, present, bad=NO_TEXT, nowhere=lambda: made(gone), fields=account.fields)
    connector.open().close()
    _note_store(connector.store._engine, door.steps)
    yield door
    connector.dispose()


def _note_store(engine: sa.Engine, steps: list[str]) -> None:
    """A file's lock is the lane's: a transaction that changes it begins with it."""

    def changes(connection: sa.Connection) -> bool:
        return cast("str", connection.get_execution_options().get("segsync_begin", "")) == "BEGIN IMMEDIATE"

    def begun(connection: sa.Connection) -> None:
        if changes(connection):
            steps.append("begin")

    def executed(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if re.match(r"INSERT INTO ads_(holding|identifier)", statement):
            steps.append("execute")

    def ended(connection: sa.Connection) -> None:
        if changes(connection):
            steps.append("commit")

    sa.event.listen(engine, "begin", begun)
    sa.event.listen(engine, "after_cursor_execute", executed)
    sa.event.listen(engine, "commit", ended)
