"""`connect`: a person lets an ad account be used, by a command or in the console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.audiences.wire import CallFailed
from workers.control.acting import Actor, recorded
from workers.control.retry import retry
from workers.errors import SegsyncError
from workers.lanes.tending import tend_again

if TYPE_CHECKING:
    from workers.targets import OpenAccount


class NotConnected(SegsyncError):
    """The platform gave no token; the message says why."""


def connect_account(account: OpenAccount, code: str, who: Actor) -> None:
    """Keeps the tokens that a code gives, tries them, and has what waited for them tried at once.

    code  as the platform's page showed it; "" where no person is needed

    NotConnected, TargetError, redis.RedisError.
    """
    connector, key = account.connector, account.connector.key
    connector.store.upgrade()
    with recorded(account.redis, account.keys, who, "connect", key):
        use_code(account, code)


def use_code(account: OpenAccount, code: str) -> None:
    """The same for a caller who has written it down."""
    connector, key = account.connector, account.connector.key
    connector.store.upgrade()
    try:
        tokens = connector.way.consent.exchange(code.strip())
    except CallFailed as failed:
        raise NotConnected(str(failed)) from None
    connector.way.tokens.keep(tokens)
    connector.probe()
    if account.is_applied:
        retry(account.redis, account.keys, key)
        tend_again(account.redis, account.keys, key, 0)
