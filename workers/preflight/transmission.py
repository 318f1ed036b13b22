"""What leaves the house (`segsync fields`): the data that each integration transmits, whence it is, and how it is sent.

Read from the configuration alone: nobody is asked, and no data is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.connectors.sql.vendors import VENDORS
from workers.templates.transmitted import SentAs

if TYPE_CHECKING:
    from workers.integrations import Integration
    from workers.settings import Settings
    from workers.settings.connectors import ConnectorSettings
    from workers.templates.transmitted import Transmitted

IN_WORDS: Final = {
    SentAs.PLAIN: "not hashed",
    SentAs.SHA256: "hashed (SHA256)",
    SentAs.MD5: "hashed (MD5)",
    SentAs.DECIDES: "not sent; decides what is",
}
"""Manners, for people."""
NAMES: Final = {
    "": "the whole profile",
    "segment_id": "the segment's id",
    "segment_name": "the segment's name",
    "event_time": "the event's time",
    "sequence": "the operation's number",
}
"""What is no field of a profile, for people."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """What segsync shows the target to be let in; never its value.

    name  as in the connector's settings
    what  for people: "Password of the database user"
    """

    name: str
    what: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One thing that is transmitted.

    name    a profile's field, or "segment_id", "segment_name", "event_time", "sequence"; "" for a whole profile
    of      "profile", "segment" or "event"
    manner  "plain", "sha256", "md5", or "decides": what is sent depends on it, and it is not sent itself
    by      the queries that tell it, as in "add"
    """

    name: str
    of: str
    manner: SentAs
    by: list[str]


@dataclass(frozen=True, slots=True)
class Transmission:
    """What one integration transmits, and to whom.

    key, name  the integration's
    connector  its key
    target     the kind of target, as people write it: "PostgreSQL"
    """

    key: str
    name: str
    connector: str
    target: str
    active: bool
    scope: str
    authorization: list[Authorization]
    transmitted: list[Sent]


def transmissions(settings: Settings) -> list[Transmission]:
    """One for each integration, by key."""
    return [_of(each, settings.connectors[each.connector]) for _, each in sorted(settings.integrations.items())]


def _of(integration: Integration, connector: ConnectorSettings) -> Transmission:
    vendor = VENDORS[connector.dialect]
    login = [Authorization("url", "Database user"), Authorization("password", "Database user's password")]
    return Transmission(
        key=integration.key,
        name=integration.name,
        connector=connector.key,
        target=vendor.name,
        active=integration.active,
        scope=integration.scope.words,
        authorization=login if vendor.has_server else [],
        transmitted=_by_queries(integration),
    )


def _by_queries(integration: Integration) -> list[Sent]:
    """What all queries tell: profiles' fields before the rest, each in order of appearance."""
    found: dict[Transmitted, list[str]] = {}
    for kind, query in integration.queries.items():
        for each in query.told:
            found.setdefault(each, []).append(kind.value)
    order = ("profile", "segment", "event")
    return [
        Sent(each.name, each.of, each.manner, by)
        for each, by in sorted(found.items(), key=lambda item: order.index(item[0].of))
    ]
