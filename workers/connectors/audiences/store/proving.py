"""Proves that a process seals with the secret of what the store has already, before it reads, writes or looks for it.

Under another secret a value has another mark: it would be written down twice, and not be found by whoever erases it.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import sqlalchemy as sa

from workers.connectors.audiences.store.inserting import insert_into
from workers.connectors.audiences.store.members import MARK_BYTES
from workers.connectors.audiences.store.sealing import of_another_secret
from workers.connectors.audiences.store.tables import audiences, holdings, identifiers, logins, seals

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from workers.connectors.audiences.store.sealing import Seal


def prove(connection: Connection, connector: str, seal: Seal) -> bool:
    """TargetError (HOLD, CONNECTOR) where another secret sealed what there is of a connector; changes nothing.

    Returns whether the store has a proof, and not only something that this secret opens, or nothing at all.
    """
    known = _known(connection, connector)
    if known is None:
        _open_one(connection, connector, seal)
    elif not hmac.compare_digest(known, seal.proof):
        raise of_another_secret()
    return known is not None


def begin(connection: Connection, connector: str, seal: Seal) -> None:
    """As `prove`; from then on no other secret is taken for this connector."""
    if prove(connection, connector, seal):
        return
    _write(connection, connector, seal)


def may_take(connection: Connection, connector: str, seal: Seal) -> None:
    """TargetError where ids are sealed under another secret: in place of a login alone a new one can be kept."""
    known = _known(connection, connector)
    if known is not None and hmac.compare_digest(known, seal.proof):
        return
    one = _one_id(connection, connector)
    if one is not None:
        seal.open(one)
        if known is not None:
            raise of_another_secret()


def take(connection: Connection, connector: str, seal: Seal) -> None:
    """As `may_take`; from then on this is the connector's secret."""
    may_take(connection, connector, seal)
    connection.execute(seals.delete().where(seals.c.connector == connector))
    _write(connection, connector, seal)


def _write(connection: Connection, connector: str, seal: Seal) -> None:
    row = {"connector": connector, "proof": seal.proof}
    connection.execute(insert_into(connection, seals).values(row).on_conflict_do_nothing())
    prove(connection, connector, seal)  # another process may have been first


def _known(connection: Connection, connector: str) -> bytes | None:
    found = connection.execute(sa.select(seals.c.proof).where(seals.c.connector == connector)).scalar()
    return None if found is None else bytes(found)


def _open_one(connection: Connection, connector: str, seal: Seal) -> None:
    """Of a store that is older than its proof: one of what is sealed, if there is any."""
    asked = sa.select(logins.c.access).where(logins.c.connector == connector, logins.c.access.is_not(None))
    sealed = connection.execute(asked).scalar() or _one_id(connection, connector)
    if sealed is not None:
        seal.open(bytes(sealed))


def _one_id(connection: Connection, connector: str) -> bytes | None:
    """An id that is sealed, or what goes along with a row."""
    mine = sa.select(audiences.c.id).where(audiences.c.connector == connector)
    for column, before in (
        (identifiers.c.sealed, 0),
        (identifiers.c.companions, MARK_BYTES),
        (holdings.c.companions, MARK_BYTES),
    ):
        asked = sa.select(column).where(column.table.c.audience.in_(mine), column.is_not(None)).limit(1)
        found = connection.execute(asked).scalar()
        if found is not None:
            return bytes(found)[before:]
    return None
