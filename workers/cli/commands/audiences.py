"""`segsync audiences`: how the audiences of an ad account stand."""

from __future__ import annotations

import typer

from workers.cli.exit_status import FINE, NEEDS_SOMEONE
from workers.cli.output import print_json, print_table
from workers.monitoring.accounts import AccountReport, read_account
from workers.settings import load
from workers.settings.spelling import plain


def run(key: str, *, as_json: bool) -> int:
    """Prints it; 1 where someone is needed."""
    report = read_account(load(), key)
    if as_json:
        print_json(report)
    else:
        _print(report)
    return NEEDS_SOMEONE if report.needs_someone else FINE


def _print(report: AccountReport) -> None:
    budget = "may write now" if not report.budget_in_s else f"may write again in {report.budget_in_s:,.0f} s"
    typer.echo(plain(f"{report.connector} ({report.platform}): {budget}"))
    if report.login_soon and report.login_ends is not None:
        typer.echo(plain(f"the login ends {report.login_ends:%Y-%m-%d}: expected `segsync connect {report.connector}`"))
    columns = ("integration", "segment", "list", "state", "members", "pending", "owed", "rejected", "waits", "reason")
    rows = [[str(getattr(each, name)) for name in columns] for each in report.audiences]
    print_table(columns, rows)
