"""The ad accounts of an installation in numbers, for `status`, `stats`, `errors` and Prometheus.

Only their stores and Redis are asked, no platform, and no token is needed: whoever may see the ledger may see them.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.budgets import RedisBudget
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.audiences.records import LOGIN_SOON_MS
from workers.errors import SettingsError, TargetError
from workers.monitoring.need import Need
from workers.settings.ad_connectors import AdConnectorSettings
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from redis import Redis
    from sqlalchemy import Connection

    from workers.connectors.audiences.store.numbers import CallSum, FailedCalls, WaitingAudience
    from workers.lanes.keys import Keys
    from workers.settings import Settings

SOMEONE: Final = "someone"
"""What an audience waits for that goes on only when a person has mended something."""


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """One ad account, over all its audiences.

    accepted     identifiers that the platform took, ever; applied: of these, known to be done
    pending      on their way, or accepted and not known to be done; owed: not sent yet
    rejected     that it refused, ever; left_out: values that could not be normalised, ever
    waiting      how many audiences wait for what: "data" (the platform's minimum), "budget", "its turn",
                 "the platform", "someone"
    budget_in_s  seconds until an addition may be sent; 0: now
    login_ends   when a person must consent again; None for never
    """

    connector: str
    platform: str
    audiences: int
    accepted: int
    applied: int
    pending: int
    owed: int
    rejected: int
    left_out: int
    waiting: Mapping[str, int]
    budget_in_s: float
    login_ends: datetime | None


@dataclass(slots=True)
class AccountsFound:
    """The accounts, what needs someone, and what could not be read."""

    accounts: list[AccountStatus] = field(default_factory=list)
    needs: list[Need] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def read_accounts(redis: Redis, keys: Keys, settings: Settings, now: int) -> AccountsFound:
    """All of them at `now`, Redis milliseconds; a store that is away only leaves its numbers out. redis.RedisError."""
    found = AccountsFound()
    for each in _accounts(settings):
        platform = PLATFORMS[each.platform]
        try:
            with _reading(each) as connection:
                from workers.connectors.audiences.store import numbers  # noqa: PLC0415 - loads SQLAlchemy

                told, waiting = numbers.numbers_of(connection, each.key), numbers.waiting(connection, each.key)
        except (TargetError, SettingsError, ImportError) as error:
            found.unread.append(f"ad account {each.key}: {error}")
            continue
        budget = RedisBudget(redis, keys.budget(each.key), keys.nothing, platform.budget)
        ends = datetime.fromtimestamp(told.login_ends_ms / 1000, UTC) if told.login_ends_ms else None
        counts = {name: getattr(told, name) for name in told._fields if name != "login_ends_ms"}
        status = AccountStatus(
            connector=each.key,
            platform=platform.name,
            waiting=dict(Counter(one.waits.partition(" (")[0] for one in waiting)),
            budget_in_s=budget.left_in() / 1000,
            login_ends=ends,
            **counts,
        )
        found.accounts.append(status)
        found.needs += _needs(status, waiting, now, platform.remedy(each.key))
    return found


def calls_of(
    settings: Settings, since: datetime, until: datetime
) -> Iterator[tuple[str, list[CallSum], list[FailedCalls]]]:
    """Of each account the calls that ended in a time: by what they did, and those that failed by cause.

    A store that is away is passed over: `status` says so.
    """
    start, end = round(since.timestamp() * 1000), round(until.timestamp() * 1000)
    for each in _accounts(settings):
        try:
            with _reading(each) as connection:
                from workers.connectors.audiences.store import numbers  # noqa: PLC0415 - as above

                sums = numbers.call_sums(connection, each.key, start, end)
                failed = numbers.failed_calls(connection, each.key, start, end)
        except (TargetError, SettingsError, ImportError):
            continue
        yield each.key, sums, failed


def _accounts(settings: Settings) -> list[AdConnectorSettings]:
    found = (each for _, each in sorted(settings.connectors.items()) if isinstance(each, AdConnectorSettings))
    return [each for each in found if each.platform in PLATFORMS]


@contextmanager
def _reading(account: AdConnectorSettings) -> Iterator[Connection]:
    from workers.connectors.audiences.store.database import Store  # noqa: PLC0415 - loads SQLAlchemy

    store = Store(account.store_at(os.environ))
    try:
        store.upgrade()
        with store.reading() as connection:
            yield connection
    finally:
        store.close()


def _needs(account: AccountStatus, waiting: list[WaitingAudience], now: int, remedy: str) -> Iterator[Need]:
    key = account.connector
    if account.login_ends is not None and account.login_ends.timestamp() * 1000 - now < LOGIN_SOON_MS:
        yield Need(
            f"{key} login",
            f"the login of {key} with {account.platform} ends {account.login_ends:%Y-%m-%d}, and its audiences wait "
            f"from then on; {remedy}",
        )
    stuck = [each for each in waiting if each.waits == SOMEONE]
    if stuck:
        first = stuck[0]
        yield Need(
            f"{key} audiences",
            f"{counted(len(stuck), 'audience')} of {key} cannot go on, that of segment {first.segment} of "
            f"{first.integration} for: {first.code}: {first.reason}; `segsync audiences {key}` shows them",
        )
