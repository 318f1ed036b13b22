"""What leaves the house (`segsync fields`): the data that each integration transmits, whence it is, and how it is sent.

Read from the configuration alone: nobody is asked, and no data is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.connectors.audiences.fields import CompiledFields
from workers.connectors.audiences.platforms import PLATFORMS
from workers.connectors.sql.vendors import VENDORS
from workers.settings.ad_connectors import AdConnectorSettings
from workers.templates.transmitted import SentAs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workers.connectors.audiences.fields import FieldSource
    from workers.connectors.audiences.records import Platform
    from workers.integrations import Integration
    from workers.settings import Settings
    from workers.settings.connectors import AnyConnector
    from workers.templates.transmitted import Transmitted

AUDIENCE: Final = "audience"
"""What an ad account is told of a segment goes into the name of its audience."""
HOW: Final = {
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
    "consent": "the connector's `consent`",
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

    name        a profile's field, or "segment_id", "segment_name", "event_time", "sequence", "consent"; "" for a whole
                profile
    of          "profile", "segment", "event" or "connector"
    manner      "plain", "sha256", "md5", or "decides": what is sent depends on it, and it is not sent itself
    by          the queries that tell it, as in "add"; for an ad account the platform's field, as in "email"
    what        what the platform's field is, for people: "Email address"; "" for a query
    normalized  the normal form that it is brought to first; "" where it is sent as it is
    already     the profile has the hash
    """

    name: str
    of: str
    manner: SentAs
    by: list[str]
    what: str = ""
    normalized: str = ""
    already: bool = False


@dataclass(frozen=True, slots=True)
class Transmission:
    """What one integration transmits, and to whom.

    key, name  the integration's
    connector  its key
    target     the kind of target, as people write it: "PostgreSQL", "VK Ads"
    """

    key: str
    name: str
    connector: str
    target: str
    active: bool
    scope: str
    authorization: list[Authorization]
    transmitted: list[Sent]


def in_words(sent: Sent) -> tuple[str, str, str]:
    """For people: what is sent, how, and in what."""
    # A profile may have a field of the name "segment_id", too.
    name = sent.name if sent.of == "profile" and sent.name else NAMES[sent.name]
    by = ", ".join(sent.by)
    return name, _how(sent), f"{by}: {sent.what}" if sent.what else by


def _how(sent: Sent) -> str:
    how = HOW[sent.manner]
    if sent.manner is SentAs.DECIDES:
        return how
    if sent.already:
        return f"{how} in the profile already, sent as it is"
    return f"{how} after normalization" if sent.normalized else how


def transmissions(settings: Settings) -> list[Transmission]:
    """One for each integration, by key."""
    return [_of(each, settings.connectors[each.connector]) for _, each in sorted(settings.integrations.items())]


def _of(integration: Integration, connector: AnyConnector) -> Transmission:
    if isinstance(integration.fields, CompiledFields):
        platform = PLATFORMS[integration.fields.platform]
        target, login = platform.name, _login(platform, connector)
        sent = [*_by_fields(integration.fields), *_by_connector(platform, connector)]
    else:
        vendor = VENDORS[connector.dialect]
        target, sent = vendor.name, _by_queries(integration)
        login = [Authorization("url", "Database user"), Authorization("password", "Database user's password")]
        login = login if vendor.has_server else []
    return Transmission(
        key=integration.key,
        name=integration.name,
        connector=connector.key,
        target=target,
        active=integration.active,
        scope=integration.scope.words,
        authorization=login,
        transmitted=sent,
    )


def _login(platform: Platform, connector: AnyConnector) -> list[Authorization]:
    """What the connector has of the platform's settings: one that may be left out, and is, is shown to nobody."""
    assert isinstance(connector, AdConnectorSettings)  # noqa: S101 - its integration has fields
    given = {name.removesuffix("_file") for name in (*connector.options, *connector.secrets)}
    return [Authorization(each.name, each.what) for each in platform.settings if each.required or each.name in given]


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


def _by_fields(fields: CompiledFields) -> Iterator[Sent]:
    """What an ad account is sent, field by field, and what decides on it; then what its audiences are called."""
    for source in fields.sources:
        yield from _by_field(source)
    if fields.consent is not None:
        for each in fields.consent.told:
            yield Sent(each.name, each.of, SentAs.DECIDES, ["consent"], "The profile's own consent")
    yield Sent("segment_id", "segment", SentAs.PLAIN, [AUDIENCE])
    yield Sent("segment_name", "segment", SentAs.PLAIN, [AUDIENCE])


def _by_connector(platform: Platform, connector: AnyConnector) -> Iterator[Sent]:
    """What is said of all people alike."""
    if said := getattr(connector, "options", {}).get("consent"):
        yield Sent("consent", "connector", SentAs.PLAIN, ["consent"], f"{platform.name} is told of everybody: {said}")


def _by_field(source: FieldSource) -> Iterator[Sent]:
    for each in source.value.told:
        if each.manner is SentAs.DECIDES:
            manner, form = SentAs.DECIDES, ""
        else:
            manner = SentAs(source.hash) if source.hash else SentAs.PLAIN
            form = "" if source.already else source.field.form
        yield Sent(each.name, each.of, manner, [source.field.name], source.field.what, form, source.already)
