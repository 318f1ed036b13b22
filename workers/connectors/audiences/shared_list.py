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

    from workers.connectors.audiences.store.database import Store

LIST_KEPT_MS: Final = 300_000
"""Milliseconds for which a list is taken as it was: with Yandex 5,000 requests a day are all there are."""


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
        mine = logins.c.connector == self._connector
        with self._store.reading() as connection:
            row = connection.execute(sa.select(logins.c.listed, logins.c.listed_ms).where(mine)).first()
        if row is not None and max(since_ms, now - LIST_KEPT_MS) <= row.listed_ms <= now:
            return dict(json.loads(row.listed))
        found = ask()
        with self._store.changing() as connection:
            ours = remotes(connection, self._connector)
            kept = json.dumps({number: state for number, state in found.items() if number in ours})
            connection.execute(logins.update().where(mine).values(listed=kept, listed_ms=now))
        return found
