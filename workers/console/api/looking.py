"""What is read: each as the command of its name prints it with --json."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from workers import doctor
from workers.connectors.inspection import Step
from workers.console.api.routes import ApiCall, ApiRoute, Parameter
from workers.console.turns import hurried
from workers.control.pause import known_integration
from workers.errors import WrongUsage
from workers.ledger.past_acts import PastAct, list_acts
from workers.ledger.tables import STATES
from workers.monitoring import status, whereabouts
from workers.monitoring.lane_list import NearStatus, read_near
from workers.monitoring.periods import moment
from workers.monitoring.states import IntegrationStatus
from workers.monitoring.whereabouts import Whereabouts
from workers.monitoring.whole import Status
from workers.preflight.transmission import Transmission, transmissions
from workers.quarantine import entries as quarantine
from workers.quarantine.entries import QuarantineEntry
from workers.settings import load, revisions
from workers.settings.console import May
from workers.settings.differences import Difference, compared
from workers.settings.published import what_is_applied
from workers.settings.revisions import ToldRevision
from workers.settings.segment_ids import segment_id_if_any

if TYPE_CHECKING:
    from datetime import tzinfo

UP_TO_DATE_SECONDS: Final = 5.0
"""How long outcomes that are on their way to the ledger are written down before the audit log is read."""
SINCE: Final = Parameter("since", "from when on: 24h, 1h30m, yesterday, a date or ISO 8601; 24h unless said")
INTEGRATION: Final = Parameter("integration", "only of this one")
SEGMENT: Final = Parameter("segment", "only of this one")
LIMIT: Final = Parameter("limit", "how many at most", "number")


@dataclass(frozen=True, slots=True)
class QuarantinePage:
    """Open entries in all, and the newest that fit."""

    open: int
    entries: list[QuarantineEntry]


@dataclass(frozen=True, slots=True)
class ToldDifference:
    """How two revisions differ."""

    of: int
    to: int
    differences: list[Difference]


class WhyQuestion(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which profile is looked for; posted, so that a person's id stands in no log of addresses."""

    integration: str
    segment: str | int
    profile: str | int | None = None


def _status(call: ApiCall) -> Status:
    consumers = call.site.ask if call.flag("ask") else None
    return status.read(call.site.runtime(), consumers, patience=0.0)


def _integrations(call: ApiCall) -> list[IntegrationStatus]:
    return status.read(call.site.runtime(), patience=0.0).integrations


def _near(call: ApiCall) -> NearStatus:
    runtime, key = call.site.runtime(), call.path["key"]
    known_integration(runtime.redis, runtime.keys, key)
    return read_near(runtime, key)


def _why(call: ApiCall) -> Whereabouts:
    runtime, sought = call.site.runtime(), call.body
    known_integration(runtime.redis, runtime.keys, sought.integration)
    profile = None if sought.profile is None else str(sought.profile)
    found = whereabouts.find(runtime, sought.integration, str(sought.segment), profile)
    # Also where a profile was named: by a key field, perhaps, and then its id is news.
    found.entries = [_shown(call, each) for each in found.entries]
    if found.head is not None and not call.sees:
        found.head = replace(found.head, profile=None)
    return found


def time_of(call: ApiCall, name: str, default: str, now: datetime | None = None, zone: tzinfo = UTC) -> datetime:
    """A time of the query; WrongUsage."""
    return moment(call.query.get(name) or default, name, now or datetime.now(UTC), zone)


def _quarantine(call: ApiCall) -> QuarantinePage:
    ledger, state = call.site.ledger(), call.text("state") or "open"
    if state not in (*STATES, "all"):
        raise WrongUsage(f"state {state[:60]!r}: expected one of {', '.join(STATES)}, all")
    of, at_most, asked = integration_of(call), call.number("limit", 50), None if state == "all" else state
    found = quarantine.list_entries(ledger, of, at_most, asked, call.text("code"), segment_of(call))
    return QuarantinePage(sum(quarantine.count_open(ledger).values()), [_shown(call, each) for each in found])


def integration_of(call: ApiCall) -> str | None:
    """The integration of the query, if any; UnknownIntegration."""
    name = call.text("integration")
    return None if name is None else known_integration(call.site.redis, call.site.keys, name)


def segment_of(call: ApiCall) -> str | None:
    """The segment of the query, if any; WrongUsage."""
    return segment_id_if_any(call.text("segment"))


def _entry(call: ApiCall) -> QuarantineEntry:
    return _shown(call, quarantine.without_data(quarantine.show(call.site.ledger(), call.number_in_path("id"))))


def _shown(call: ApiCall, entry: QuarantineEntry) -> QuarantineEntry:
    """Whose it is, only to who may see people's data."""
    return entry if call.sees else replace(entry, profile=None)


def _revisions(call: ApiCall) -> list[ToldRevision]:
    return revisions.listed(call.site.redis, call.site.keys)


def _diff(call: ApiCall) -> ToldDifference:
    first, second = call.number("of", 0), call.number("to", 0)
    before, after = (revisions.find(call.site.redis, call.site.keys, number).text for number in (first, second))
    return ToldDifference(first, second, compared(before, after))


def _configuration(call: ApiCall) -> dict[str, Any]:
    applied = what_is_applied(call.site.redis, call.site.keys)
    return {"revision": applied.revision, "configuration": json.loads(applied.text)}


def _fields(call: ApiCall) -> list[Transmission]:
    of = call.text("integration")
    return [each for each in transmissions(call.site.runtime().applied.settings) if of in (None, each.key)]


def _doctor(call: ApiCall) -> list[Step]:
    with call.site.turns.one():
        return list(doctor.steps(hurried(load(call.site.runtime().local.path)), call.site.ask))


def _audit(call: ApiCall) -> list[PastAct]:
    call.site.runtime().drain_outcomes(UP_TO_DATE_SECONDS)
    since, of = time_of(call, "since", "30d"), call.text("of")
    return list_acts(call.site.ledger(), since, target=of, limit=call.number("limit", 100))


def get(path: str, name: str, words: str, do: Any, answer: type | None = None, **more: Any) -> ApiRoute:  # noqa: ANN401 - as ApiRoute has them
    """A route that reads; `more` as ApiRoute has it."""
    return ApiRoute("GET", path, name, words, do, more.pop("may", May.READ), answer, **more)


_STATE = Parameter("state", f"{', '.join(STATES)} or all; open unless said")
_CODE = Parameter("code", "only with this code")
_ASK = Parameter("ask", "ask Celery's workers, too, which takes about a second", "flag")
_OF, _TO = Parameter("of", "a revision", "number", required=True), Parameter("to", "another", "number", required=True)

LOOKING: Final = (
    get("/api/status", "status", "Where everything stands", _status, Status, query=(_ASK,)),
    get("/api/integrations", "status", "Each integration's state", _integrations, IntegrationStatus, many=True),
    get("/api/integrations/{key}", "status", "One integration, with its lanes", _near, NearStatus),
    ApiRoute("POST", "/api/why", "why", "Where a profile is, and why", _why, May.READ, Whereabouts, body=WhyQuestion),
    get(
        "/api/quarantine",
        "quarantine list",
        "What could not be delivered, without its data",
        _quarantine,
        QuarantinePage,
        query=(INTEGRATION, SEGMENT, _STATE, _CODE, LIMIT),
    ),
    get("/api/quarantine/{id}", "quarantine show", "One entry, without its data", _entry, QuarantineEntry),
    get("/api/revisions", "revisions", "What was applied, when and by whom", _revisions, ToldRevision, many=True),
    get("/api/diff", "diff", "How two revisions differ", _diff, ToldDifference, query=(_OF, _TO)),
    get("/api/configuration", "diff", "What is applied, variables of secrets as they are written", _configuration),
    get(
        "/api/fields",
        "fields",
        "Which fields leave for which target",
        _fields,
        Transmission,
        many=True,
        query=(INTEGRATION,),
    ),
    get("/api/doctor", "doctor", "What would bite in production", _doctor, Step, many=True, may=May.OPERATE, kept=True),
    get(
        "/api/audit",
        "audit",
        "Who has had what done",
        _audit,
        PastAct,
        many=True,
        may=May.OPERATE,
        query=(SINCE, Parameter("of", "only what was done to this"), LIMIT),
    ),
)
