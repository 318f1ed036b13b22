"""Whether new tokens lead to the account that the audiences are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.store.audiences import oldest_live
from workers.connectors.audiences.wires import FreshToken

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workers.connectors.audiences.connector import AdConnector
    from workers.connectors.audiences.logins import LoginTokens
    from workers.connectors.audiences.wire import Sighting

LOOKED_FOR: Final = 3
"""Audiences that are looked for, the oldest: one may have been deleted there, and new ones a listing may lack."""


class OtherAccount(Exception):
    """The tokens lead to another account; the message says how that is known."""


def account_of(connector: AdConnector, tokens: LoginTokens) -> str:
    """Whose the tokens are, as the platform says; "" where it does not. OtherAccount, CallFailed, TargetError.

    Some platforms do not say who we are. So audiences are looked for, too: an account that has none of those that we
    have made is another one.
    """
    wire = connector.way.wire_by(FreshToken(tokens.access))
    name, kept = wire.account(), connector.way.tokens.account()
    if name and kept and name != kept:
        raise OtherAccount(f"they are of the account {name!r}, and the audiences are in {kept!r}")
    with connector.store.reading() as connection:
        known = oldest_live(connection, connector.key, LOOKED_FOR)
    if known and not any(_is_there(wire.find(each), each.remote) for each in known):
        titles = ", ".join(repr(each.title) for each in known)
        raise OtherAccount(f"the account has none of the audiences {titles}")
    return name


def _is_there(sightings: Sequence[Sighting], remote: str) -> bool:
    return any(each.remote == remote for each in sightings)
