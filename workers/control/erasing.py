"""Erasing a person: what is found of them in each place, and what becomes of it (docs/erasing.md)."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

from workers.connectors.audiences.fields import CompiledFields
from workers.connectors.audiences.platforms import PLATFORMS
from workers.control.person import AccountKeys, Person
from workers.control.quarantine import UP_TO_DATE_SECONDS
from workers.control.waiting import in_intake, in_lanes, in_runs
from workers.errors import TargetError
from workers.lanes.clock import redis_ms
from workers.lanes.tending import tend_again
from workers.outcomes import UNFINISHED
from workers.quarantine import erasing as of_quarantine
from workers.quarantine import requeue
from workers.quarantine.entries import Selection, pages
from workers.runtime import Runtime
from workers.settings.ad_connectors import AdConnectorSettings
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from workers.connectors.audiences.connector import AdConnector
    from workers.connectors.audiences.erasing import Eraser
    from workers.connectors.audiences.store.erasing import Holder, LeftBehind
    from workers.control.waiting import WaitingIn
    from workers.quarantine.entries import EntryDetail
    from workers.settings import LocalSettings

T = TypeVar("T")

WAITS: Final = "is left to its delivery; then erase again"
UNASKED: Final = "stays until its account can be looked at: others may have what is refused; then erase again"


@dataclass(frozen=True, slots=True)
class PlaceFound:
    """One place in which something of theirs was found, or which could not be looked at.

    where    for people: "the quarantine", "the lane of segment 7 of crm"
    found    entries, operations, members: how many
    becomes  what is done with it, or was
    left     whether it is still there after that
    """

    where: str
    found: int
    becomes: str
    left: bool = False


@dataclass(slots=True)
class Traces:
    """What was found.

    entries  ids in the quarantine
    runs     keys in Redis
    holders  by connector
    leaving  by connector: what is left of those who hold nothing any more
    waiting  what is left to its delivery, and what could not be looked at
    """

    entries: list[int] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    holders: dict[str, set[Holder]] = field(default_factory=dict)
    leaving: dict[str, LeftBehind] = field(default_factory=dict)
    waiting: list[PlaceFound] = field(default_factory=list)

    @property
    def has_anything(self) -> bool:
        """Whether there is something to erase, beside what waits."""
        theirs = any(each.theirs and not each.anybody for each in self.leaving.values())
        return bool(self.entries or self.runs or self.holders or theirs)

    def places(self) -> list[PlaceFound]:
        """What would be done about it."""
        return [*self._in_redis_and_ledger(left=True), *self._in_audiences(), *self.waiting]

    def _in_redis_and_ledger(self, *, left: bool) -> list[PlaceFound]:
        found = [("the quarantine", len(self.entries), "is emptied of it")]
        found += [("runs of resyncs", len(self.runs), "show it no more")]
        return [PlaceFound(*each, left=left) for each in found if each[1]]

    def _in_audiences(self) -> list[PlaceFound]:
        what = "leave, by the next call to the platform"
        found = [
            PlaceFound(audiences_of(key), len(each), what, left=True) for key, each in sorted(self.holders.items())
        ]
        for key, each in sorted(self.leaving.items()):
            if each.anybody or each.theirs:
                becomes = told_of_leaving(key, each.anybody) if each.anybody else "is forgotten"
                found.append(PlaceFound(left_of(key), each.theirs, becomes, left=True))
        return found

    def erased(self) -> list[PlaceFound]:
        """What is gone, beside audiences."""
        return self._in_redis_and_ledger(left=False)


def audiences_of(connector: str) -> str:
    """An ad account as a place, for people."""
    return f"the audiences of {connector}"


def left_of(connector: str) -> str:
    """What a store has of those who have left, as a place, for people."""
    return f"who has left the audiences of {connector}"


def told_of_leaving(connector: str, anybody: int) -> str:
    """Who they were is not known any more: so whoever is looked for may be among them."""
    return (
        f"{counted(anybody, 'value')}, of anybody, to be taken out by the platform; see `segsync audiences {connector}`"
    )


@contextmanager
def opened(local: LocalSettings, profiles: frozenset[str], values: frozenset[str]) -> Iterator[Erasure]:
    """A look for them in the installation that a file leads to, with connections of its own. As `Runtime` raises."""
    runtime = Runtime(local)
    try:
        yield Erasure(runtime, profiles, values)
    finally:
        runtime.targets.dispose()
        runtime.redis.close()


class Erasure:
    """Looks for people in one installation, and erases them."""

    def __init__(self, runtime: Runtime, profiles: frozenset[str], values: frozenset[str]) -> None:
        self._runtime = runtime
        integrations = runtime.applied.settings.integrations.values()
        keys = frozenset(each.key_fields for each in integrations)
        sent = (each.fields for each in integrations)
        regions = frozenset(each.region for each in sent if isinstance(each, CompiledFields) and each.region)
        self._person = Person(profiles, values, keys, regions)

    def find(self) -> Traces:
        """Looks everywhere, along the way of the data. LedgerError, redis.RedisError."""
        runtime, found = self._runtime, Traces()
        redis, keys = runtime.redis, runtime.keys
        if events := in_intake(redis, keys, self._person):
            found.waiting.append(PlaceFound("the intake", events, WAITS, left=True))
        lanes = Counter(_operations(in_lanes(redis, keys, self._is_in)))
        self._look_in_accounts(found)
        account_keys = self._account_keys(found)
        if account_keys.names:  # only now known
            lanes += Counter(_operations(in_lanes(redis, keys, partial(self._is_only_by_key, account_keys))))
        for (integration, segment), operations in sorted(lanes.items()):
            where = f"the lane of segment {segment} of {integration}"
            found.waiting.append(PlaceFound(where, operations, WAITS, left=True))
        found.runs = in_runs(redis, keys, partial(self._is_shown, account_keys))
        runtime.drain_outcomes(UP_TO_DATE_SECONDS)
        found.entries = of_quarantine.find_entries(runtime.ledger, partial(self._is_theirs, account_keys))
        return found

    def erase(self, found: Traces, by: str) -> list[PlaceFound]:
        """Erases what was found; what came of it, place by place. LedgerError, redis.RedisError."""
        runtime = self._runtime
        for name in found.runs:
            runtime.redis.hset(name, "shown", "{}")
        left = [self._leave(key, eraser, found) for key, eraser in self._accounts([])]
        stay = self._empty(found.entries, by) if found.entries else []
        runtime.ledger.rewrite()
        done = replace(found, entries=[each for each in found.entries if each not in stay]).erased()
        if stay:
            done.append(PlaceFound("the quarantine", len(stay), UNASKED, left=True))
        return [*done, *(each for each in left if each is not None), *found.waiting]

    def _look_in_accounts(self, found: Traces) -> None:
        for key, eraser in self._accounts(found.waiting):
            holders = _ask(key, partial(self._holders, eraser), found.waiting)
            if holders is None:
                continue  # that is said
            if holders:
                found.holders[key] = holders
            leaving = _ask(key, partial(eraser.leaving, self._person.plain_values), found.waiting)
            if leaving is not None:
                found.leaving[key] = leaving

    def _account_keys(self, found: Traces) -> AccountKeys:
        """Whoever is found by a value in an account has a key there, and waits elsewhere with other values."""
        names: dict[str, set[str]] = {}
        for each in (one for holders in found.holders.values() for one in holders):
            names.setdefault(each.integration, set()).add(each.profile)
        fields = {key: each.key_fields for key, each in self._runtime.applied.settings.integrations.items()}
        return AccountKeys({key: frozenset(its) for key, its in names.items()}, fields)

    def _is_in(self, _integration: str, raw: bytes) -> bool:
        return self._person.is_in(raw)

    def _is_only_by_key(self, account_keys: AccountKeys, integration: str, raw: bytes) -> bool:
        return account_keys.is_in(integration, raw) and not self._person.is_in(raw)

    def _is_shown(self, account_keys: AccountKeys, integration: str, text: str) -> bool:
        return self._person.is_named_in(text) or account_keys.is_named_in(integration, text)

    def _is_theirs(self, account_keys: AccountKeys, entry: EntryDetail) -> bool:
        person = self._person
        if entry.profile is not None and (entry.profile in person.names or person.has_value(entry.profile)):
            return True
        if entry.source == requeue.OF_AUDIENCE and account_keys.has(entry.integration, entry.profile):
            return True
        if account_keys.is_in(entry.integration, entry.payload):
            return True
        return person.is_in(entry.payload) or person.is_named_in(entry.detail)

    def _empty(self, ids: list[int], by: str) -> list[int]:
        """Drops and empties entries; returns those that stay, as nobody can tell whose they are beside.

        A value that a platform refuses has one entry, whoever has it: of another it tells still, by that one's key.
        """
        runtime = self._runtime
        entries = [each for page in pages(runtime.ledger, Selection(ids=tuple(ids))) for each in page]
        heirs, stay = self._heirs([each for each in entries if each.source == requeue.OF_AUDIENCE])
        gone = [each for each in entries if each.id not in heirs and each.id not in stay]
        # Dropped before they are empty: a retry that is on its way leads nowhere.
        unfinished = tuple(each.id for each in gone if each.state in UNFINISHED)
        if unfinished:
            requeue.drop(runtime.ledger, runtime.lanes, Selection(ids=unfinished), by)
            runtime.drain_outcomes(UP_TO_DATE_SECONDS)
        of_quarantine.empty(runtime.ledger, [each.id for each in gone])
        of_quarantine.hand_over(runtime.ledger, heirs)
        return stay

    def _heirs(self, refused: list[EntryDetail]) -> tuple[dict[int, str], list[int]]:
        """After they have left: who else has what is refused, by entry; and entries whose account cannot be asked."""
        holders: dict[str, str] = {}
        asked = set()
        for key, eraser in self._accounts([]) if refused else ():
            answer = _ask(key, partial(eraser.holders_of, [each.uid for each in refused]), [])
            if answer is not None:
                asked.add(key)
                holders |= answer
        integrations = self._runtime.applied.settings.integrations
        away = {key for key, each in integrations.items() if each.connector not in asked}
        stay = [each.id for each in refused if each.integration in away]
        return {each.id: holders[each.uid] for each in refused if each.uid in holders}, stay

    def _leave(self, key: str, eraser: Eraser, found: Traces) -> PlaceFound | None:
        runtime, holders = self._runtime, found.holders.get(key, set())
        where = audiences_of(key)
        try:
            leaving = eraser.erase(holders, redis_ms(runtime.redis))
            eraser.connector.store.rewrite()
        except TargetError as error:
            return PlaceFound(where, len(holders), f"could not be erased: {error}", left=True)
        if holders:
            tend_again(runtime.redis, runtime.keys, key, 0)
        if leaving:
            return PlaceFound(where, len(holders), told_of_leaving(key, leaving), left=True)
        return PlaceFound(where, len(holders), "have left") if holders else None

    def _accounts(self, waiting: list[PlaceFound]) -> Iterator[tuple[str, Eraser]]:
        """Each ad account with its store; one that cannot be reached is told of."""
        settings = self._runtime.applied.settings
        for key, each in sorted(settings.connectors.items()):
            if isinstance(each, AdConnectorSettings) and each.platform in PLATFORMS:
                connector = _ask(key, partial(self._runtime.targets.get, key), waiting)
                if connector is not None:
                    from workers.connectors.audiences.erasing import Eraser  # noqa: PLC0415 - loads SQLAlchemy, httpx

                    fields = [one.fields for one in settings.integrations.values() if one.connector == key]
                    yield key, Eraser(cast("AdConnector", connector), fields)

    def _holders(self, eraser: Eraser) -> set[Holder]:
        return eraser.find(self._person.names, self._person.plain_values)


def _operations(waiting: Iterable[WaitingIn]) -> dict[tuple[str, str], int]:
    return {(each.integration, each.segment): each.operations for each in waiting}


def _ask(key: str, ask: Callable[[], T], waiting: list[PlaceFound]) -> T | None:
    """What it answers; None, and a word about it, where its store or its secrets are out of reach."""
    try:
        return ask()
    except TargetError as error:
        waiting.append(PlaceFound(audiences_of(key), 0, f"could not be looked at: {error}", left=True))
        return None
