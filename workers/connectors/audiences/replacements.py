"""The steps of a replacement that are no call with rows: how it begins, and how another list takes its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.audiences.store import replacing
from workers.connectors.audiences.store.work import Resting
from workers.connectors.audiences.wire import CallFailed, Fault

if TYPE_CHECKING:
    from workers.connectors.audiences.one_login import Login
    from workers.connectors.audiences.store.audiences import Audience


def begin(login: Login, audience: Audience, now_ms: int) -> Resting:
    """Everybody is owed to the platform anew; costs no write. CallFailed."""
    if login.platform.replaces == "list":
        with login.store.changing() as connection:
            replacing.begin_list(connection, audience, now_ms)
        return Resting(now_ms)
    try:
        handle = login.wire.begin_replacing(audience)
    except CallFailed as failed:
        if failed.fault is not Fault.REFUSED:
            raise
        with login.store.changing() as connection:
            replacing.end(connection, audience.id, replacing.NOT_DONE)
        return Resting(now_ms)
    with login.store.changing() as connection:
        replacing.begin(connection, audience.id, handle, now_ms)
    return Resting(now_ms)


def finish_list(login: Login, audience: Audience, now_ms: int) -> Resting:
    """The list before goes; may be done again where nobody heard of it. CallFailed."""
    login.wire.take_out_the_rest(audience)
    with login.store.changing() as connection:
        replacing.end(connection, audience.id, "")
    return Resting(now_ms)
