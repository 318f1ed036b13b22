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


_OTHER = (
    "expected the account that they are in, or `segsync connect {} --move`, which begins all of them anew in this one "
    "and leaves those where they are"
)


class NotConnected(SegsyncError):
    """The platform gave no token; the message says why."""


def connect_account(account: OpenAccount, code: str, who: Actor, *, moves: bool = False) -> None:
    """Keeps the tokens that a code gives, tries them, and has what waited for them tried at once.

    code   as the platform's page showed it; "" where no person is needed
    moves  to another account, in which all audiences are begun anew, is meant to be so

    NotConnected, TargetError, redis.RedisError.
    """
    connector, key = account.connector, account.connector.key
    connector.store.upgrade()
    with recorded(account.redis, account.keys, who, "connect --move" if moves else "connect", key):
        use_code(account, code, moves=moves)


def use_code(account: OpenAccount, code: str, *, moves: bool = False) -> None:
    """The same for a caller who has written it down."""
    # Loads SQLAlchemy, which an account that is open has done already.
    from workers.connectors.audiences.comparing_accounts import OtherAccount, account_of  # noqa: PLC0415

    connector, key = account.connector, account.connector.key
    connector.check_secret()  # before the code is used up
    try:
        tokens = connector.way.tokens.renew_kept() or connector.way.consent.exchange(code.strip())
        if tokens.lacks and connector.way.consent.url(""):
            raise NotConnected(f"{key}: the login lacks {', '.join(tokens.lacks)}; expected consent to all of them")
        name, other_account = account_of(connector, tokens), False
    except CallFailed as failed:
        raise NotConnected(str(failed)) from None
    except OtherAccount as other:
        if not moves:
            raise NotConnected(f"{key}: {other}; {_OTHER.format(key)}") from None
        name, other_account = "", True
    connector.keep_login(tokens, name, moves=other_account)
    connector.probe()
    if account.is_applied:
        retry(account.redis, account.keys, key)
        tend_again(account.redis, account.keys, key, 0)
