"""Settles the order within a batch for integrations where it depends on the target's tables (rule 15).

Where `add` is a plain INSERT, only the target knows whether another unique key, or the type of a column, can make two
profiles meet. It is asked when a lane is first served, and again after a while, since tables change; until it has
answered, nothing passes anything. Its last answer stands in Redis for compaction, whose lanes wait because the target
is away.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from workers.errors import TargetError
from workers.integrations import Ordering, named_insert

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from redis import Redis

    from workers.delivery.leases import Lease
    from workers.integrations import Integration
    from workers.lanes.keys import Keys
    from workers.templates.row_naming import Insert

ASK_EVERY_SECONDS: Final = 60.0
"""So long a unique key that somebody adds to a table may be overlooked."""
ASK_AGAIN_SECONDS: Final = 10.0
"""After a target that could not answer: whatever is wrong with it, the batch itself will tell."""


_NOTE: Final = """
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
"""
"""A full Redis refuses a bare HSET, and no lane would be delivered any more that could drain it (rule 5)."""


class _Known(NamedTuple):
    integration: Integration
    until: float


class OrderingNotes:
    """What targets have told of integrations, in Redis. Raises redis.RedisError."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._nothing = keys.nothing
        self._key = keys.orderings

    def write(self, integration: Integration, ordering: Ordering) -> None:
        """Notes it, for the queries that the integration has now."""
        self._redis.eval(_NOTE, 2, self._nothing, self._key, integration.key, f"{integration.digest} {ordering}")

    def read(self, integration: Integration) -> Ordering | None:
        """What its target has told last; None where it has not, or of other queries."""
        noted = cast("bytes | None", self._redis.hget(self._key, integration.key))
        if noted is None:
            return None
        digest, _, word = noted.decode().partition(" ")
        return Ordering(word) if digest == integration.digest else None


class Orderings:
    """What is known of the integrations of one connector.

    names_rows_by_key  as `contract.Connector.names_rows_by_key`
    notes              where its answers are written down
    patience           seconds that it may take
    """

    def __init__(
        self, names_rows_by_key: Callable[[Insert, Sequence[str]], bool], notes: OrderingNotes, patience: float
    ) -> None:
        self._ask = names_rows_by_key
        self._notes = notes
        self._patience = patience
        self._known: dict[str, _Known] = {}

    def settled(self, integration: Integration, lease: Lease) -> Integration:
        """The integration with an order that needs no further question; `lease` is that of the lane in hand.

        Raises redis.RedisError.
        """
        if integration.ordering is not Ordering.CATALOG or not integration.batched:
            return integration
        known = self._known.get(integration.key)
        if known is None or known.until <= time.monotonic():
            lease.allow(self._patience)
            known = self._known[integration.key] = self._look(integration)
        return known.integration

    def remembered(self, integration: Integration) -> Ordering:
        """The same for who can wait: as it was told last, however long ago; asked only where it never was."""
        if integration.ordering is not Ordering.CATALOG:
            return integration.ordering
        noted = self._notes.read(integration)
        if noted is not None:
            return noted
        known = self._known.get(integration.key)
        if known is None or known.until <= time.monotonic():
            known = self._known[integration.key] = self._look(integration)
        return known.integration.ordering

    def _look(self, integration: Integration) -> _Known:
        insert = named_insert(integration.queries)
        try:
            folds = insert is not None and self._ask(insert, integration.key_fields)
        except TargetError:
            return _Known(replace(integration, ordering=Ordering.STRICT), time.monotonic() + ASK_AGAIN_SECONDS)
        ordering = Ordering.FOLDED if folds else Ordering.STRICT
        self._notes.write(integration, ordering)
        return _Known(replace(integration, ordering=ordering), time.monotonic() + ASK_EVERY_SECONDS)
