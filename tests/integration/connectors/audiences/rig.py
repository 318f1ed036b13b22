"""An ad connector on a fake platform: what a lane delivers to it, and the platform's time that goes by."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from workers.connectors.audiences.connector import AdConnector, AdPlace
from workers.connectors.contract import Group, Receipt, SegmentEvent, Shipment
from workers.templates import QueryKind, Row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from redis import Redis

    from tests.fakes.server import FakePlatform
    from workers.connectors.audiences.store.work import Standing
    from workers.connectors.audiences.target import AdTarget
    from workers.connectors.identifiers import Fields

SECRET = "a secret of the installation"
Profile = dict[str, str]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class Told(NamedTuple):
    """`contract.Member`."""

    sequence: str
    key: tuple[str, ...]
    row: Row


def no_fence(seconds: float = 0.0) -> None:
    """The lane is ours."""


class Rig:
    """One connector on one platform, in this process; `again` makes another as a new process would be."""

    def __init__(
        self, folder: Path, redis: Redis, namespace: str, fake: FakePlatform, target: AdTarget, fields: Fields
    ) -> None:
        self.fake = fake
        self.folder = folder
        self._redis = redis
        self._namespace = namespace
        self._target = target
        self._made: list[AdConnector] = []
        self._number = 0
        self._owner = 0
        self.fields = fields
        self.connector = self.again()

    def again(self) -> AdConnector:
        self._owner += 1
        place = AdPlace(
            redis=self._redis,
            budget_key=f"{self._namespace}:ads:{self._target.key}",
            looks_key=f"{self._namespace}:ads:{self._target.key}:looks",
            nothing=f"{self._namespace}:nothing",
            stores_key=f"{self._namespace}:stores",
            clock=self.fake.clock,
            owner=f"owner {self._owner}",
            now_ms=self.fake.clock,
        )
        self.connector = AdConnector(self._target, place)
        self._made.append(self.connector)
        return self.connector

    def close(self) -> None:
        for each in self._made:
            each.dispose()

    def deliver(self, *steps: tuple[str, Sequence[Profile]], segment: str = "7", name: str | None = "VIP") -> Receipt:
        """Adds and removes, in this order: ("add", [{"id": "1", "email": "a"}])."""
        groups = tuple(Group(QueryKind(kind), tuple(map(self._told, people))) for kind, people in steps)
        return self._ship(
            Shipment("buyers", segment, name, f"lane {segment}", "0", "9", {}, groups, fields=self.fields)
        )

    def tell(self, event: str, segment: str = "7", name: str | None = "VIP") -> Receipt:
        """A segment event."""
        one = SegmentEvent(QueryKind(event), "9", 0, 9)
        return self._ship(Shipment("buyers", segment, name, f"lane {segment}", "0", "9", {}, event=one))

    def _ship(self, shipment: Shipment) -> Receipt:
        return self.connector.open().deliver(shipment, no_fence)

    def _told(self, profile: Profile) -> Told:
        self._number += 1
        return Told(f"{self._number:027d}", (profile["id"],), Row(dict(profile), 0, self._number))

    def budget_is_used_up(self) -> None:
        """Nothing is left but what is kept for removals."""
        self.fake.advance(86_400)
        while not self.connector.budget.take():
            self.fake.advance(7.6)

    def tend(self) -> int | None:
        return self.connector.tend(60)

    def run(self, hours: float = 24, step_s: float = 60, *, work: bool = True) -> None:
        """Time goes by, as long as something is due within it."""
        ends = self.fake.now + hours * 3_600_000
        while self.fake.now < ends:
            if work:
                self.fake.work()
            due = self.tend()
            if due is None or due > ends:
                return
            self.fake.advance(max(step_s, (due - self.fake.now) / 1000 + 0.001))

    def standing(self, segment: str = "7") -> Standing:
        return next(each for each in self.connector.standings() if each.segment == segment)

    def number(self, query: str) -> int:
        """Of a query for one."""
        with self.connector.store.reading() as connection:
            return int(connection.execute(sa.text(query)).scalar_one())

    def rows(self, query: str) -> Sequence[sa.Row[tuple[object, ...]]]:
        with self.connector.store.reading() as connection:
            return connection.execute(sa.text(query)).all()


def people(numbers: Iterable[int], **more: str) -> list[Profile]:
    return [{"id": str(number), "email": f"p{number}@example.com", **more} for number in numbers]


def hashes(profiles: Iterable[Mapping[str, str]]) -> set[tuple[str, str]]:
    """What Yandex should have of them."""
    return {(kind, sha256(each[kind])) for each in profiles for kind in ("email", "phone") if each.get(kind)}
