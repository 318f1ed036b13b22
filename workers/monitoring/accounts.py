"""How an ad account stands: its consent, its budget, its audiences, and the calls that are on their way."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from workers.connectors.audiences.records import LOGIN_SOON_MS
from workers.targets import opened_account

if TYPE_CHECKING:
    from workers.settings import Settings


@dataclass(frozen=True, slots=True)
class AudienceLine:
    """One remote list.

    accepted   identifiers that the platform took, ever; applied: of these, known to be there
    pending    accepted or on their way, and not known to be there; owed: not sent yet
    rejected   that it refused
    left_out   values that could not be normalised, ever
    replaces   how far all that is there is replaced: "asked", "begun", "ending", "refused"; "" where it is not
    waits      for what: "data (17 of 100)", "budget", "its turn", "the platform", "someone"
    """

    integration: str
    segment: str
    list: str
    name: str
    state: str
    remote: str
    members: int
    accepted: int
    applied: int
    pending: int
    owed: int
    rejected: int
    left_out: int
    unknown_removed: int
    replaces: str
    waits: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallLine:
    """A call that the platform has not finished, or the last ones that failed.

    state   "calling", "pending" (accepted, not applied yet), "failed", "undone" or "unknown" (nobody heard)
    handle  the platform's name of the job; "" where it has none
    """

    integration: str
    segment: str
    list: str
    action: str
    state: str
    handle: str
    rows: int
    made: datetime
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class AccountReport:
    """What `audiences --json` prints.

    budget_in_s  seconds until an addition may be sent; 0: now
    login_ends   when a person must consent again; None for never
    login_soon   whether that is so near that somebody should consent now; remedy: what is expected of them
    token_kept   whether there is a token; token_ends: when it is renewed at the latest; None for never
    token_reason why the last renewal failed; "" where it did not
    consents_at  where a person consents and is shown a code; "" where none is needed
    consent      as the connector's `consent` says of the people; "" where it says nothing
    """

    connector: str
    platform: str
    budget_in_s: float
    login_ends: datetime | None
    audiences: list[AudienceLine]
    login_soon: bool = False
    remedy: str = ""
    token_kept: bool = False
    token_ends: datetime | None = None
    token_reason: str = ""
    consents_at: str = ""
    consent: str = ""
    calls: list[CallLine] = field(default_factory=list)

    @property
    def needs_someone(self) -> bool:
        """Whether anything of it waits for a person."""
        return self.login_soon or any(each.waits == "someone" for each in self.audiences)


def read_account(settings: Settings, key: str, state: str = "") -> AccountReport:
    """How the account stands; `state` goes with the page where a person consents.

    WrongUsage where there is none; SettingsError with the secrets that are missing here; TargetError where its store
    or a package is; redis.RedisError.
    """
    with opened_account(settings, key) as account:
        connector = account.connector
        standings, calls = connector.standings(), connector.last_calls()
        login, now = connector.way.tokens.standing(), account.clock()
        return AccountReport(
            connector=key,
            platform=connector.platform.name,
            budget_in_s=connector.budget.left_in() / 1000,
            login_ends=_time(login.ends_ms),
            login_soon=bool(login.ends_ms) and login.ends_ms - now < LOGIN_SOON_MS,
            remedy=connector.platform.remedy(key),
            audiences=[
                AudienceLine(**{name: getattr(each, name) for name in AudienceLine.__slots__}) for each in standings
            ],
            token_kept=login.kept,
            token_ends=_time(login.expires_ms),
            token_reason=f"{login.code}: {login.reason}" if login.reason else "",
            consents_at=connector.way.consent.url(state),
            consent=str(getattr(settings.connectors[key], "options", {}).get("consent", "")),
            calls=[
                CallLine(
                    **{name: getattr(each, name) for name in CallLine.__slots__ if name != "made"},
                    made=datetime.fromtimestamp(each.made_ms / 1000, UTC),
                )
                for each in calls
            ],
        )


def _time(ms: int) -> datetime | None:
    return datetime.fromtimestamp(ms / 1000, UTC) if ms else None
