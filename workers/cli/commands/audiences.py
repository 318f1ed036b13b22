"""`segsync audiences`: how the audiences of an ad account stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.output import print_json, print_table
from workers.cli.people import caller
from workers.control import resending
from workers.control.accepting import accept_store
from workers.control.acting import recorded
from workers.monitoring.accounts import AccountReport, read_account
from workers.settings import load
from workers.settings.spelling import in_line
from workers.targets import opened_account

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.targets import OpenAccount

MOST_REFUSED: Final = 10_000
"""Refused identifiers that are shown."""


def run(key: str, *, as_json: bool) -> int:
    """Prints it; 1 where someone is needed."""
    report = read_account(load(), key)
    if as_json:
        print_json(report)
    else:
        _print(report)
    return NEEDS_SOMEONE if report.needs_someone else FINE


def resend(key: str, segment: str | None, *, as_json: bool) -> int:
    """Has all members told again; WrongUsage for a segment that has no audience there."""
    number = _told_again(key, segment, "audiences --resend", resending.resend)
    if as_json:
        print_json({"connector": key, "segment": segment, "owed": number})
    else:
        typer.echo(in_line(f"{number:,} identifiers are told again; `segsync audiences {key}` says how far that is"))
    return FINE


def replace(key: str, segment: str | None, *, as_json: bool) -> int:
    """Has whoever is in the audiences replaced by their members; WrongUsage for a segment that has none there."""
    number = _told_again(key, segment, "audiences --replace", resending.replace)
    if as_json:
        print_json({"connector": key, "segment": segment, "audiences": number})
    else:
        typer.echo(in_line(f"{number:,} audiences are replaced; `segsync audiences {key}` says how far that is"))
    return FINE


def _told_again(key: str, segment: str | None, act: str, do: Callable[[OpenAccount, str | None], int]) -> int:
    with opened_account(load(), key) as account:
        resending.check_audience(account, segment)
        with recorded(account.redis, account.keys, caller(), act, resending.told_resend(key, segment)):
            return do(account, segment)


def accept(key: str, *, as_json: bool) -> int:
    """Takes the store as it is, and says what is to be done then."""
    settings = load()
    with opened_account(settings, key) as account:
        accept_store(account, caller())
    mine = sorted(name for name, each in settings.integrations.items() if each.connector == key)
    if as_json:
        print_json({"connector": key, "accepted": True, "resync": mine})
        return FINE
    typer.echo(in_line(f"the store of {key} is taken as it is, and deliveries go on. It lacks what was written since:"))
    for each in mine:
        typer.echo(in_line(f"  segsync resync {each} --all"))
    typer.echo("and erase again whom you have erased since it was copied (`segsync audit` says when)")
    return FINE


def refused(key: str, *, as_json: bool) -> int:
    """Prints what the platform does not take, by the profile's key and what of it: never a value."""
    with opened_account(load(), key) as account:
        found = account.connector.refused(MOST_REFUSED)
    if as_json:
        print_json([each._asdict() for each in found])
    else:
        columns = ("integration", "segment", "list", "profile", "kind", "code")
        print_table(columns, [list(each) for each in found])
        if len(found) == MOST_REFUSED:
            typer.echo(f"only the first {MOST_REFUSED:,} are shown")
    return FINE


def _print(report: AccountReport) -> None:
    budget = "may write now" if not report.budget_in_s else f"may write again in {report.budget_in_s:,.0f} s"
    typer.echo(in_line(f"{report.connector} ({report.platform}): {budget}"))
    if report.login_soon and report.login_ends is not None:
        typer.echo(in_line(f"the login ends {report.login_ends:%Y-%m-%d}; {report.remedy}"))
    columns = ("integration", "segment", "list", "state", "members", "pending", "owed", "rejected", "waits", "reason")
    rows = [[str(getattr(each, name)) for name in columns] for each in report.audiences]
    for row, each in zip(rows, report.audiences, strict=True):
        row[3] += ", is replaced" if each.replaces in ("asked", "begun", "ending") else ""
    print_table(columns, rows)
