"""An ad account behind the one door: what is delivered is in the store, and owed to the platform from then on."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workers import failpoints
from workers.connectors.audiences.budgets import RedisBudget
from workers.connectors.audiences.one_login import Login
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.rounds import Rounds
from workers.connectors.audiences.store import proving, refusal_entries, refusals, replacing, rows, work
from workers.connectors.audiences.store.audiences import begin_anew
from workers.connectors.audiences.store.database import Store
from workers.connectors.audiences.store.sealing import Seal
from workers.connectors.audiences.store.written import StoreWatch
from workers.connectors.audiences.wire import CallFailed, Fault
from workers.connectors.audiences.wires import wire_of
from workers.connectors.audiences.writing import StoreWriter, kept
from workers.errors import ErrorClass, HoldLevel, Phase, TargetError
from workers.failpoints import reach

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from redis import Redis
    from sqlalchemy import Connection

    from workers.connectors.audiences.logins import LoginTokens
    from workers.connectors.audiences.records import Platform
    from workers.connectors.audiences.store.members import Kept
    from workers.connectors.audiences.target import AdTarget
    from workers.connectors.audiences.wires import Way
    from workers.connectors.contract import Fence, Receipt, Shipment
    from workers.connectors.identifiers import Identifier
    from workers.templates.row_naming import Insert

COMMIT_SECONDS = 30.0
"""What writing a batch may take beside the wait for the audience's row."""

CALLS_SHOWN = 50
"""Calls that people are shown of a login."""


@dataclass(frozen=True, slots=True)
class AdPlace:
    """What an ad connector needs of its process.

    redis       where budgets are counted
    budget_key  of this login's; looks_key: of its calls that change nothing
    nothing     a key that is never there
    stores_key  of what is known of the stores of all connectors
    clock       Unix milliseconds, the same for all processes; redis.RedisError
    owner       this process's name
    now_ms      the budget's time, where it is not Redis's own: for tests
    """

    redis: Redis
    budget_key: str
    looks_key: str
    nothing: str
    stores_key: str
    clock: Callable[[], int]
    owner: str
    now_ms: Callable[[], int] | None = None


class AdConnector:
    """`contract.Connector` for one login."""

    def __init__(self, target: AdTarget, place: AdPlace) -> None:
        self.key = target.key
        self.platform = PLATFORMS[target.platform]
        self.store = Store(target.store_url, StoreWatch(place.redis, place.stores_key, place.nothing, target.key))
        self._place = place
        self._seal = Seal(target.secret)
        self.budget = RedisBudget(place.redis, place.budget_key, place.nothing, self.platform.budget, place.now_ms)
        looks = RedisBudget(place.redis, place.looks_key, place.nothing, self.platform.looks, place.now_ms)
        self.way: Way = wire_of(target, self.platform, self.store, self._seal, place.clock, place.owner, looks)
        self._writer = StoreWriter(target.key, self.platform, self._seal, target.on_delete)

    def open(self) -> AdSession:
        """As `contract.Connector.open`."""
        self.store.upgrade()
        return AdSession(self.store, self._writer, self._place.clock, self.begin_sealing)

    def probe(self) -> None:
        """As `contract.Connector.probe`: the store, the secret, the token, and the platform's smallest question."""
        self.prove_secret()
        try:
            self.way.wire.account()
        except CallFailed as failed:
            raise told_of_login(self.key, self.platform, failed) from None

    def tend(self, seconds: float) -> int | None:
        """Sends what is owed, for about so long; when something is due again (Unix ms), None for never.

        Raises TargetError where the store, the secret or the login needs someone; redis.RedisError.
        """
        self.prove_secret()
        place = self._place
        login = Login(
            connector=self.key,
            platform=self.platform,
            store=self.store,
            wire=self.way.wire,
            budget=self.budget,
            seal=self._seal,
            clock=place.clock,
            owner=f"{place.owner}:{os.getpid()}",
        )
        return Rounds(login).work(seconds)

    def prove_secret(self) -> None:
        """TargetError (HOLD) where another secret sealed what the store has of this connector, or it is away."""
        self.store.upgrade()
        with self.store.reading() as connection:
            proving.prove(connection, self.key, self._seal)

    def begin_sealing(self, connection: Connection) -> None:
        """As `prove_secret`, where something is to be written: from then on no other secret is taken."""
        proving.begin(connection, self.key, self._seal)

    def check_secret(self) -> None:
        """A new login may be sealed with a new secret, as long as no ids are sealed with the old. TargetError."""
        self.store.upgrade()
        with self.store.reading() as connection:
            proving.may_take(connection, self.key, self._seal)

    def keep_login(self, tokens: LoginTokens, account: str, *, moves: bool = False) -> None:
        """New tokens of an account in place of what was kept, and from then on their secret. As `check_secret`.

        moves  and all audiences are begun anew in it

        TargetError, too, where another process has kept those of another account meanwhile.
        """
        self.store.upgrade()
        with self.store.changing() as connection:
            proving.take(connection, self.key, self._seal)
            self.way.tokens.write(connection, tokens, account=account)
            if moves:
                begin_anew(connection, self.key, self._place.clock())

    def standings(self) -> list[work.Standing]:
        """How its audiences stand."""
        self.store.upgrade()
        with self.store.reading() as connection:
            return work.standings(connection, self.key)

    def resend(self, segment: str | None) -> int:
        """All members, of one segment or of all, are owed to the platform once more; how many identifiers."""
        self.store.upgrade()
        with self.store.changing() as connection:
            return work.owe_all(connection, self.key, segment, self._place.clock())

    def replace(self, segment: str | None) -> tuple[int, set[str]]:
        """All that the platform has is replaced, of one segment or of all: how many audiences, and what is too large.

        Nothing is, where a segment has more identifiers than `Platform.replace_most`.
        """
        self.store.upgrade()
        with self.store.changing() as connection:
            return replacing.ask(connection, self.key, segment, self._place.clock(), self.platform.replace_most)

    def refused(self, most: int) -> list[refusals.RefusedMember]:
        """What the platform does not take of members, at most so many."""
        self.store.upgrade()
        with self.store.reading() as connection:
            return refusals.list_refused(connection, self.key, most)

    def entry_changes(self, most: int, without_room: Collection[str]) -> list[refusal_entries.EntryChange]:
        """What the quarantine is not told yet of what the platform refused. TargetError where the store is away.

        without_room  integrations of which no new entry is told now
        """
        self.store.upgrade()
        with self.store.reading() as connection:
            return refusal_entries.changes(connection, self.key, most, without_room)

    def entries_told(self, done: Collection[refusal_entries.EntryChange]) -> None:
        """These are on their way to the ledger. TargetError where the store is away."""
        with self.store.changing() as connection:
            refusal_entries.told(connection, done)

    def last_calls(self) -> list[work.CallStanding]:
        """Its newest calls that are not over, or did not end well."""
        self.store.upgrade()
        with self.store.reading() as connection:
            return work.last_calls(connection, self.key, CALLS_SHOWN)

    def clock(self) -> int:
        """Unix milliseconds, the same for all processes; redis.RedisError."""
        return self._place.clock()

    def sent_along(self, companions: bytes) -> dict[str, str]:
        """What a holding has sealed, by kind. TargetError where another secret sealed it."""
        return rows.sent_along(companions, self._seal)

    def kept(self, identifier: Identifier) -> Kept:
        """An identifier as its store has it."""
        return kept(identifier, self._seal)

    def names_rows_by_key(self, insert: Insert, key: Sequence[str]) -> bool:  # noqa: ARG002 - the contract's
        """Always: the store names a profile by its key."""
        return True

    def close(self) -> None:
        """As `dispose`."""
        self.dispose()

    def dispose(self) -> None:
        """Closes the links."""
        self.way.http.close()
        self.store.close()


class AdSession:
    """`contract.Session` with the store."""

    def __init__(
        self,
        store: Store,
        writer: StoreWriter,
        clock: Callable[[], int],
        begin_sealing: Callable[[Connection], None],
    ) -> None:
        self._store = store
        self._begin_sealing = begin_sealing
        self._writer = writer
        self._clock = clock

    @property
    def takes_several(self) -> bool:
        """As `contract.Session.takes_several`: never, since a delivery only writes down what is to be sent."""
        return False

    def deliver_together(self, shipments: Sequence[Shipment], fence: Fence) -> list[Receipt]:
        """As `contract.Session.deliver_together`, which nobody asks of it."""
        return [self.deliver(shipment, fence) for shipment in shipments]

    def deliver(self, shipment: Shipment, fence: Fence) -> Receipt:
        """As `contract.Session.deliver`: all of it stands in the store, or nothing."""
        fence(shipment.patience + COMMIT_SECONDS)
        try:
            with self._store.trying() if shipment.trial else self._store.changing() as connection:
                self._begin_sealing(connection)
                receipt = self._writer.write(connection, shipment, fence, self._clock())
                reach(failpoints.AFTER_EXECUTE)
                fence()
        except TargetError as error:
            error.phase = error.phase or Phase.EXECUTE
            raise
        reach(failpoints.AFTER_COMMIT)
        return replace(receipt, checked=shipment.trial)

    def close(self) -> None:
        """Nothing is kept open."""

    def discard(self) -> None:
        """Nothing is kept open."""


def told_of_login(connector: str, platform: Platform, failed: CallFailed) -> TargetError:
    """A failed look as the door's error."""
    if failed.fault is Fault.LOGIN:
        reason = f"{failed.reason}; {platform.remedy(connector)}"
        return TargetError(ErrorClass.HOLD, failed.code, reason, level=HoldLevel.CONNECTOR, phase=Phase.PROBE)
    if failed.fault is Fault.REFUSED:
        return TargetError(ErrorClass.HOLD, failed.code, failed.reason, level=HoldLevel.CONNECTOR, phase=Phase.PROBE)
    return TargetError(ErrorClass.RETRY, failed.code, failed.reason, phase=Phase.PROBE)
