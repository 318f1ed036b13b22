"""How a run reaches its source and its target."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from workers.connectors.sql.vendors import VENDORS
from workers.resync.age import believe
from workers.resync.feed import FeedSource
from workers.resync.feed_doors import ask
from workers.resync.segment_list import read_segments, rows_of_answers, rows_of_database
from workers.resync.source import MemberSource
from workers.settings import ConnectorSettings
from workers.settings.feeds import FeedSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.connectors.inspection import Examined
    from workers.connectors.sql.listing import Lister
    from workers.integrations import Segment
    from workers.resync.age import Judge
    from workers.resync.source import Membership
    from workers.settings.connectors import AnyConnector
    from workers.settings.sources import AnySource, SourceSettings


class TargetWay(NamedTuple):
    """To one segment's rows in its target.

    place   where that is, as the configuration says
    open    a new session that lists them; raises TargetError
    locks   whether a deliverer that was taken for dead can be kept from doing there what it was about to
    examine a session that the target can be asked about in; raises TargetError. None where all keys are what they are
    """

    place: str
    open: Callable[[], Lister]
    locks: bool
    examine: Callable[[], Examined] | None = None


class Reach(NamedTuple):
    """How sources and targets are reached: by a new session each, a feed by its settings, resolved.

    audience  of an ad account: connector, integration, segment
    examined  of a target, what it says of itself

    TargetError, SettingsError.
    """

    source: Callable[[SourceSettings], Lister]
    feed: Callable[[FeedSettings], FeedSettings]
    target: Callable[[str], Lister]
    audience: Callable[[str, str, str], Lister]
    examined: Callable[[str], Examined]

    def members_of(self, settings: AnySource, segment: str, judge: Judge = believe) -> Membership:
        """A segment's members; `judge` as in `MemberSource`."""
        if isinstance(settings, FeedSettings):
            return FeedSource(settings, lambda after, links: ask(self.feed(settings), segment, after, links))
        return MemberSource(settings, segment, lambda: self.source(settings), judge)

    def segments_of(self, settings: AnySource) -> list[Segment]:
        """All segments that a source lists, which it does; UnfitSource, too."""
        if isinstance(settings, FeedSettings):
            listing = self.feed(settings.listing)
            rows = rows_of_answers(lambda links: ask(listing, "", None, links))
        else:
            rows = rows_of_database(settings.segments, lambda: self.source(settings))
        return read_segments(rows, settings.key)

    def way_to(self, connector: AnyConnector, integration: str, segment: str) -> TargetWay:
        """To a target; of an ad account, to its store, which has who was told."""
        if isinstance(connector, ConnectorSettings):
            locks = VENDORS[connector.address.dialect].has_transactions
            examine = partial(self.examined, connector.key)
            return TargetWay(connector.address.url, partial(self.target, connector.key), locks, examine)
        return TargetWay(connector.platform, partial(self.audience, connector.key, integration, segment), locks=True)
