"""`segsync connect`: a person lets an ad account be used."""

from __future__ import annotations

import secrets
import sys

import typer

from workers.cli.exit_status import FINE
from workers.cli.output import print_json
from workers.cli.people import caller
from workers.control.connecting import connect_account
from workers.errors import WrongUsage
from workers.settings import load
from workers.settings.spelling import in_line
from workers.targets import opened_account


def run(key: str, code: str | None, *, moves: bool = False, as_json: bool) -> int:
    """Keeps the tokens that a code gives, tries them, and has what waited for them tried at once."""
    with opened_account(load(), key) as account:
        connector = account.connector
        connector.store.upgrade()
        page = connector.way.consent.url(secrets.token_urlsafe(8))
        if page and code is None:
            code = _ask(page)
        connect_account(account, code or "", caller(), moves=moves)
    if as_json:
        print_json({"connector": key, "connected": True})
    else:
        typer.echo(in_line(f"{key} is connected: {connector.platform.name} takes the token"))
        if moves:
            typer.echo("audiences of the account before, if it was another, and whom they have stay there; delete them")
    return FINE


def _ask(page: str) -> str:
    """The code that a person pastes."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise WrongUsage(f"no --code, and nobody to ask; open {page} and give what it shows")
    typer.echo(f"Open this page, allow the access, and paste the code that it shows:\n\n  {page}\n", err=True)
    return str(typer.prompt("Code", hide_input=True, err=True))
