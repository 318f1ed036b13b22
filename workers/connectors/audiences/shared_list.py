"""What a platform's list says of all audiences of a login: asked for once, and kept for a while for all that wait.

It stands in the store, so that all processes share it: the platform counts the requests of a login.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from workers.connectors.audiences.store.audiences import remotes
from workers.connectors.audiences.store.tables import logins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection

    from workers.connectors.audiences.store.database import Store

LIST_KEPT_MS: Final = 300_000
"""Milliseconds for which a list is taken as it was: with Yandex 5,000 requests a day are all there are."""
NAMES_KEPT_MS: Final = 240_000
"""The same of names: less than an audience is left alone after a process died at it (`rounds.OWNED_MS`), so that what
that one has made is not looked for in a list that is older."""


class SharedList:
    """The list of one connector.

    clock  Unix milliseconds, the same for all processes
    """

    def __init__(self, connector: str, store: Store, clock: Callable[[], int]) -> None:
        self._connector = connector
        self._store = store
        self.clock = clock

    def states(self, since_ms: int, ask: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
        """By the platform's id how each audience is, as a list said that was asked for since then; else it is asked.

        Raises what `ask` does, and TargetError where the store is away.
        """
        now = self.clock()
        known = self._kept(max(since_ms, now - LIST_KEPT_MS), now)
        if known is not None:
            return known
        found = ask()
        with self._store.changing() as connection:
            ours = remotes(connection, self._connector)
            self._keep(connection, {number: state for number, state in found.items() if number in ours}, now)
        return found

    def names(self, ask: Callable[[], Mapping[str, str]]) -> Mapping[str, str]:
        """By the platform's id what each is called, as a list said some minutes ago; else it is asked.

        Raises as `states` does.
        """
        now = self.clock()
        known = self._kept(now - NAMES_KEPT_MS, now)
        if known is not None:
            return known
        found = ask()
        with self._store.changing() as connection:
            self._keep(connection, found, now)
        return found

    def made(self, number: str, name: str) -> None:
        """One more was made: whoever takes the list as it was finds it there. "": its id is not known, so ask again."""
        with self._store.changing() as connection:
            row = connection.execute(self._row().with_for_update()).first()
            if row is not None and row.listed_ms:
                kept = json.loads(row.listed) | ({number: name} if number else {})
                self._keep(connection, kept, row.listed_ms if number else 0)

    def _row(self) -> sa.Select[tuple[str, int]]:
        return sa.select(logins.c.listed, logins.c.listed_ms).where(logins.c.connector == self._connector)

    def _kept(self, since_ms: int, now_ms: int) -> Mapping[str, str] | None:
        with self._store.reading() as connection:
            row = connection.execute(self._row()).first()
        return dict(json.loads(row.listed)) if row is not None and since_ms <= row.listed_ms <= now_ms else None

    def _keep(self, connection: Connection, found: Mapping[str, str], at_ms: int) -> None:
        mine = logins.c.connector == self._connector
        connection.execute(logins.update().where(mine).values(listed=json.dumps(found), listed_ms=at_ms))
