"""How a run reaches its source and its target."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from workers.resync.feed import FeedSource
from workers.resync.feed_doors import ask
from workers.resync.source import MemberSource
from workers.settings.feeds import FeedSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.connectors.sql.listing import Lister
    from workers.resync.source import Membership
    from workers.settings.sources import AnySource, SourceSettings


class Reach(NamedTuple):
    """How sources and targets are reached: by a new session each, a feed by its settings, resolved.

    TargetError, SettingsError.
    """

    source: Callable[[SourceSettings], Lister]
    feed: Callable[[FeedSettings], FeedSettings]
    target: Callable[[str], Lister]

    def members_of(self, settings: AnySource, segment: str) -> Membership:
        """A segment's members."""
        if isinstance(settings, FeedSettings):
            return FeedSource(settings, lambda after, links: ask(self.feed(settings), segment, after, links))
        return MemberSource(settings, segment, lambda: self.source(settings))
