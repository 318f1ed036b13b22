"""Where data comes to and from: connectors, ad accounts, segments and their lanes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workers.console.api.bodies import Code, OneOrAll, Reason
from workers.console.api.routes import ApiCall, ApiRoute, Parameter
from workers.console.checks import ConnectorCheck, check_connector, check_source
from workers.console.connectors import ConnectorState, read_connectors
from workers.console.failures import NotFound
from workers.console.segments import SegmentLanes, SegmentPage, find_segments, read_segment
from workers.console.sources import SourceState, read_sources
from workers.control.connecting import use_code
from workers.control.resending import replace, resend, told_resend
from workers.monitoring.accounts import AccountReport, read_account
from workers.settings.console import May
from workers.targets import opened_account

if TYPE_CHECKING:
    from workers.settings import Settings

HIGHEST_CURSOR: Final = 10**11
"""Where a page of segments may begin: beyond the buckets of any hash that Redis holds."""


@dataclass(frozen=True, slots=True)
class Resent:
    """What is told again: the account, the segment (None: all that have an audience there), how many identifiers."""

    connector: str
    segment: str | None
    owed: int


@dataclass(frozen=True, slots=True)
class Replaced:
    """What is replaced: the account, the segment (None: all that have an audience there), how many audiences."""

    connector: str
    segment: str | None
    audiences: int


def _connectors(call: ApiCall) -> list[ConnectorState]:
    return read_connectors(call.site.runtime())


def _connector(call: ApiCall) -> ConnectorState:
    key = call.path["key"]
    found = next((each for each in _connectors(call) if each.key == key), None)
    if found is None:
        raise NotFound(f"{key[:80]} is no connector of the applied configuration")
    return found


def _check(call: ApiCall) -> ConnectorCheck:
    return check_connector(call.site, call.path["key"], call.by)


def _sources(call: ApiCall) -> list[SourceState]:
    return read_sources(call.site.runtime())


def _check_source(call: ApiCall) -> ConnectorCheck:
    return check_source(call.site, call.path["key"], call.by)


def _accounts(call: ApiCall) -> list[ConnectorState]:
    return [each for each in _connectors(call) if each.is_account]


def _settings(call: ApiCall) -> Settings:
    key = call.path["key"]
    if all(each.key != key for each in _accounts(call)):
        raise NotFound(f"{key[:80]} is no ad account of the applied configuration")
    return call.site.runtime().applied.settings


def _account(call: ApiCall) -> AccountReport:
    return read_account(_settings(call), call.path["key"])


def _connect(call: ApiCall) -> AccountReport:
    settings, key = _settings(call), call.path["key"]
    with call.site.turns.one(), opened_account(settings, key) as account:
        use_code(account, call.body.code)
    return read_account(settings, key)


def _resend(call: ApiCall) -> Resent:
    segment = call.body.named
    with opened_account(_settings(call), call.path["key"]) as account:
        return Resent(call.path["key"], segment, resend(account, segment))


def _replace(call: ApiCall) -> Replaced:
    segment = call.body.named
    with opened_account(_settings(call), call.path["key"]) as account:
        return Replaced(call.path["key"], segment, replace(account, segment))


def _segments(call: ApiCall) -> SegmentPage:
    after = call.number("after", 0, 0, HIGHEST_CURSOR)
    return find_segments(call.site.runtime(), call.text("q") or "", after)


def _segment(call: ApiCall) -> SegmentLanes:
    return read_segment(call.site.runtime(), call.text("id") or "")


_Q = Parameter("q", "a part of an id or a name")
_AFTER = Parameter("after", "where it begins: `after` of the answer before; 0 there: no more", "number")
_ID = Parameter("id", "the segment", required=True)

PLACES: Final = (
    ApiRoute(
        "GET",
        "/api/connectors",
        "status",
        "Each target, what stops it and who uses it",
        _connectors,
        May.READ,
        ConnectorState,
        many=True,
    ),
    ApiRoute("GET", "/api/connectors/{key}", "status", "One of them", _connector, May.READ, ConnectorState),
    ApiRoute(
        "POST",
        "/api/connectors/{key}/check",
        "check --connect",
        "Log in, and try its queries",
        _check,
        May.OPERATE,
        ConnectorCheck,
        body=Reason,
        on="key",
        kept=True,
    ),
    ApiRoute(
        "GET",
        "/api/sources",
        "check",
        "Where segments' members are read, and who follows them",
        _sources,
        May.READ,
        SourceState,
        many=True,
    ),
    ApiRoute(
        "POST",
        "/api/sources/{key}/check",
        "check --connect",
        "Log in, and read a page of it",
        _check_source,
        May.OPERATE,
        ConnectorCheck,
        body=Reason,
        on="key",
        kept=True,
    ),
    ApiRoute("GET", "/api/accounts", "status", "Each ad account", _accounts, May.READ, ConnectorState, many=True),
    ApiRoute(
        "GET",
        "/api/accounts/{key}",
        "audiences",
        "Its consent, budget, audiences and jobs",
        _account,
        May.READ,
        AccountReport,
    ),
    ApiRoute(
        "POST",
        "/api/accounts/{key}/connect",
        "connect",
        "Let it be used, by the code that the platform showed",
        _connect,
        May.OPERATE,
        AccountReport,
        body=Code,
        on="key",
        kept=True,
    ),
    ApiRoute(
        "POST",
        "/api/accounts/{key}/resend",
        "audiences --resend",
        "Tell the platform all members again",
        _resend,
        May.OPERATE,
        Resent,
        body=OneOrAll,
        kept=True,
        told=lambda call: told_resend(call.path["key"], call.body.named),
    ),
    ApiRoute(
        "POST",
        "/api/accounts/{key}/replace",
        "audiences --replace",
        "Have whoever is in the audiences replaced by their members",
        _replace,
        May.OPERATE,
        Replaced,
        body=OneOrAll,
        kept=True,
        told=lambda call: told_resend(call.path["key"], call.body.named),
    ),
    ApiRoute(
        "GET", "/api/segments", "why", "What is known of segments", _segments, May.READ, SegmentPage, query=(_Q, _AFTER)
    ),
    ApiRoute(
        "GET", "/api/segment", "why", "One segment, and its lanes", _segment, May.READ, SegmentLanes, query=(_ID,)
    ),
)
