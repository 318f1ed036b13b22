"""A reader with the way to its sources and targets, and a place on this host's disk."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from workers.connectors import open_lister
from workers.connectors.audiences.target import AdTarget
from workers.connectors.sql.vendors import vendor_of
from workers.lanes.bell import ring
from workers.lanes.lease import RESYNC
from workers.lanes.runs import ReadingLost
from workers.resync.folder import folder_of
from workers.resync.places import Apart, Places, lease_again
from workers.resync.reaching import Reach
from workers.resync.reader import ResyncReader
from workers.resync.schedule import Schedule
from workers.routing.leaving import Leaving

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.connectors.inspection import Examined
    from workers.connectors.sql.listing import Lister
    from workers.lanes import Lanes
    from workers.lanes.lease import Held, Leases
    from workers.settings import Settings


def read(
    lanes: Lanes, leases: Leases, settings: Settings, environ: Mapping[str, str], token: str, seconds: float
) -> None:
    """One turn of the reader, unless another process has its lease; `token` is the permit that this came with.

    Raises Stale and redis.RedisError.
    """
    with ExitStack() as stack, suppress(ReadingLost):
        places = Places(leases, lanes, stack)

        def reader(held: Held) -> ResyncReader:
            folder = folder_of(lanes.namespace, lanes.installation)
            return ResyncReader(lanes, held, settings, doors_of(settings, environ), folder, places)

        apart = None
        with leases.hold(RESYNC, token) as held:
            if held is not None:
                Leaving(lanes, settings.integrations, settings.default_database, leases).clear(seconds)
                Schedule(lanes, settings).ask()
                turned = reader(held)
                turned.turn(seconds)
                apart = turned.apart
        if apart is not None:
            _read_apart(apart, lanes, leases, reader)


def _read_apart(apart: Apart, lanes: Lanes, leases: Leases, reader: Callable[[Held], ResyncReader]) -> None:
    """Reads while others move all other runs on, and then says what was found."""
    ring(lanes.redis, lanes.keys)
    try:
        outcome = apart.read(lanes)
        with lease_again(leases, apart.keeper(lanes)) as held:
            reader(held).conclude(apart.work.run.id, apart.place, outcome)
    finally:
        apart.forget_if_over()


def doors_of(settings: Settings, environ: Mapping[str, str]) -> Reach:
    """The ways to all sources and targets, their secrets from this process's environment."""
    return Reach(
        lambda source: open_lister(source.resolve(environ)),
        lambda feed: feed.resolve(environ),
        lambda connector: open_lister(settings.connectors[connector].resolve(environ)),
        lambda *place: _audience(settings, environ, *place),
        lambda connector: _examined(settings, environ, connector),
    )


def _examined(settings: Settings, environ: Mapping[str, str], connector: str) -> Examined:
    target = settings.connectors[connector].resolve(environ)
    assert not isinstance(target, AdTarget)  # noqa: S101 - asked for of databases alone
    return vendor_of(target.dialect).examine(target)


def _audience(settings: Settings, environ: Mapping[str, str], connector: str, key: str, segment: str) -> Lister:
    target = settings.connectors[connector].resolve(environ)
    assert isinstance(target, AdTarget)  # noqa: S101 - asked for of ad accounts alone
    # Loads SQLAlchemy, which a resync of tables may not need.
    from workers.connectors.audiences.listing import MemberLister, SegmentPlace  # noqa: PLC0415 - start-up time

    width = len(settings.integrations[key].key_fields)
    return MemberLister(target.store_url, SegmentPlace(connector, key, segment, width))
