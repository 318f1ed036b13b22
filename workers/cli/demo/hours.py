"""Hours that the demo does not wait for: platforms take them between two calls, and until a call is applied.

All times in the demo's own store are moved back, and the stand-ins' clocks go on. Only while nobody is at work on an
audience, since whoever is has looked at the clock.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from redis import RedisError

from workers.connectors.audiences.store.tables import audiences, identifiers, store_metadata
from workers.errors import TargetError
from workers.lanes.bell import ring
from workers.lanes.tending import tend_again

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from workers.cli.demo.stand_ins import StandIn
    from workers.targets import OpenAccount

STEP_SECONDS: Final = 3600
"""Seconds that pass at once: no platform's next call is further away, but for those that wait for more people."""
LOOK_EVERY: Final = 0.2
"""Seconds between two looks whether anybody waits."""


class Hours:
    """Lets time go by, for accounts that share one store.

    passed  hours so far
    """

    def __init__(self, accounts: Mapping[str, OpenAccount], stand_ins: Mapping[str, StandIn]) -> None:
        self._accounts = accounts
        self._stand_ins = stand_ins
        self._looked = 0.0
        self._is_waited = False
        self.passed = 0

    def pass_on(self) -> bool:
        """An hour passes, if audiences wait and all of them for time; who is due is woken. Whether any waits."""
        if time.monotonic() - self._looked >= LOOK_EVERY:
            self._looked = time.monotonic()
            # A Redis that starts again, a store that is busy: the next look comes soon.
            with suppress(RedisError, TargetError):
                self._is_waited = self._look()
        return self._is_waited

    def _look(self) -> bool:
        account = next(iter(self._accounts.values()))
        with account.connector.store.changing() as connection:
            waiting = _waiting(connection)
            is_due = _is_due(connection, account.clock())
            passes = waiting and not is_due and not _is_owned(connection)
            if passes:
                _move_back(connection, STEP_SECONDS * 1000)
        if passes:
            self.passed += 1
            for each in self._stand_ins.values():
                each.work()
                each.advance(STEP_SECONDS)
        if passes or is_due:
            self._wake(account, forget_budgets=passes)
        return waiting

    def _wake(self, account: OpenAccount, *, forget_budgets: bool) -> None:
        for key in self._accounts:
            if forget_budgets:
                account.redis.delete(account.keys.budget(key), account.keys.looks(key))
            tend_again(account.redis, account.keys, key, 0)
        ring(account.redis, account.keys)


def _waiting(connection: Connection) -> bool:
    owed = sa.exists().where(identifiers.c.owed | identifiers.c.call.is_not(None))
    return bool(connection.execute(sa.select(owed)).scalar_one())


def _is_owned(connection: Connection) -> bool:
    return bool(connection.execute(sa.select(sa.exists().where(audiences.c.owner != ""))).scalar_one())


def _is_due(connection: Connection, now_ms: int) -> bool:
    due = (audiences.c.due_ms <= now_ms, audiences.c.owned_until_ms < now_ms)
    return bool(connection.execute(sa.select(sa.exists().where(*due))).scalar_one())


def _move_back(connection: Connection, milliseconds: int) -> None:
    for table in store_metadata.sorted_tables:
        for column in table.c:
            if column.name.endswith("_ms"):
                moved = {column.name: column - milliseconds}
                connection.execute(sa.update(table).where(column > 0).values(moved))
