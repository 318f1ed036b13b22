"""`segsync audiences`: how the audiences of an ad account stand."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.output import print_json, print_table
from workers.cli.people import caller
from workers.control.acting import recorded
from workers.errors import WrongUsage
from workers.lanes.tending import tend_again
from workers.settings import load
from workers.settings.spelling import nearest, plain
from workers.targets import open_account

DAY_MS = 86_400_000
WARN_MS = 14 * DAY_MS
"""Milliseconds before a login ends, of which a person should know."""


@dataclass(frozen=True, slots=True)
class AudienceLine:
    """One remote list.

    accepted   identifiers that the platform took, ever; applied: of these, known to be there
    pending    accepted or on their way, and not known to be there; owed: not sent yet
    rejected   that it refused
    left_out   values that could not be normalised, ever
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
    waits: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class AccountReport:
    """What `audiences --json` prints.

    budget_in_s  seconds until an addition may be sent; 0: now
    login_ends   when a person must consent again; None for never
    """

    connector: str
    platform: str
    budget_in_s: float
    login_ends: datetime | None
    audiences: list[AudienceLine]


def run(key: str, *, as_json: bool) -> int:
    """Prints it; 1 where someone is needed."""
    account = open_account(load(), key)
    with closing(account.redis), closing(account.connector):
        standings = account.connector.standings()
        ends, now = account.connector.way.tokens.ends_ms(), account.clock()
        report = AccountReport(
            connector=key,
            platform=account.connector.platform.name,
            budget_in_s=account.connector.budget.left_in() / 1000,
            login_ends=datetime.fromtimestamp(ends / 1000, UTC) if ends else None,
            audiences=[
                AudienceLine(**{name: getattr(each, name) for name in AudienceLine.__slots__}) for each in standings
            ],
        )
    soon = bool(ends) and ends - now < WARN_MS
    if as_json:
        print_json(report)
    else:
        _print(report, soon=soon)
    return NEEDS_SOMEONE if soon or any(each.waits == "someone" for each in report.audiences) else FINE


def resend(key: str, segment: str | None, *, as_json: bool) -> int:
    """Has all members told again; WrongUsage for a segment that has no audience there."""
    account = open_account(load(), key)
    with closing(account.redis), closing(account.connector):
        known = {each.segment for each in account.connector.standings()}
        if segment is not None and segment not in known:
            raise WrongUsage(f"{key} has no audience of segment {segment[:60]!r}{nearest(segment, known)}")
        what = key if segment is None else f"{key}, segment {segment}"
        with recorded(account.redis, account.keys, caller(), "audiences --resend", what):
            number = account.connector.resend(segment)
        tend_again(account.redis, account.keys, key, 0)
    if as_json:
        print_json({"connector": key, "segment": segment, "owed": number})
    else:
        typer.echo(plain(f"{number:,} identifiers are told again; `segsync audiences {key}` says how far that is"))
    return FINE


def _print(report: AccountReport, *, soon: bool) -> None:
    budget = "may write now" if not report.budget_in_s else f"may write again in {report.budget_in_s:,.0f} s"
    typer.echo(plain(f"{report.connector} ({report.platform}): {budget}"))
    if soon and report.login_ends is not None:
        typer.echo(plain(f"the login ends {report.login_ends:%Y-%m-%d}: expected `segsync connect {report.connector}`"))
    columns = ("integration", "segment", "list", "state", "members", "pending", "owed", "rejected", "waits", "reason")
    rows = [[str(getattr(each, name)) for name in columns] for each in report.audiences]
    print_table(columns, rows)
