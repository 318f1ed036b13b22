"""`segsync console password` and `segsync console token`: secrets are made here, and only their hashes are kept."""

from __future__ import annotations

import getpass
import secrets
import sys
from typing import TYPE_CHECKING, Final

import typer

from workers.cli.exit_status import FINE
from workers.errors import WrongUsage
from workers.settings.console import USER_RULE, May, Role, hash_of_token, is_user_name
from workers.settings.spelling import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

SHORTEST_PASSWORD: Final = 10
"""Characters: with the bound on guesses, what nobody guesses who has not seen it."""
LONGEST_PASSWORD: Final = 1_000
"""Characters: more are hashed for nothing."""
TOKEN_BYTES: Final = 32
"""Random: nobody guesses one of 2^256."""


def password(name: str, role: str) -> int:
    """Prints `[console.users.NAME]`, to be put into the file."""
    _check_name(name)
    words = [each.word for each in Role]
    if role not in words:
        raise WrongUsage(f"--role {role[:60]!r}: is no role{nearest(role, words)}")
    text = _asked()
    if not SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD:
        raise WrongUsage(
            f"the password has {len(text):,} characters; expected {SHORTEST_PASSWORD} to {LONGEST_PASSWORD:,}"
        )
    # 20 ms, and only in the extra [console].
    from workers.settings.passwords import hash_of_password  # noqa: PLC0415

    typer.echo(f'[console.users.{_quoted(name)}]\npassword = "{hash_of_password(text)}"\nrole = "{role}"')
    return FINE


def token(name: str, may: Sequence[str]) -> int:
    """Prints the token where it is seen, and `[console.tokens.NAME]`, to be put into the file."""
    _check_name(name)
    words = [str(each.value) for each in May]
    for word in may:
        if word not in words:
            raise WrongUsage(f"--may {word[:60]!r}: is nothing that a token may{nearest(word, words)}")
    text = secrets.token_urlsafe(TOKEN_BYTES)
    typer.echo(f"the token, which is shown this once: {text}", err=True)
    listed = ", ".join(f'"{word}"' for word in dict.fromkeys(may))
    typer.echo(f'[console.tokens.{_quoted(name)}]\nhash = "{hash_of_token(text)}"\nmay = [{listed}]')
    return FINE


def _check_name(name: str) -> None:
    if not is_user_name(name):
        raise WrongUsage(f"{name[:60]!r} cannot be a name; expected {USER_RULE}")


def _quoted(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else f'"{name}"'


def _asked() -> str:
    """The password: typed twice on a terminal, unseen; else the first line of standard input."""
    if sys.stdin is None:
        raise WrongUsage("standard input is closed; expected a password on it")
    if not sys.stdin.isatty():
        return sys.stdin.readline().removesuffix("\n").removesuffix("\r")
    text = getpass.getpass("password: ")
    if getpass.getpass("once more: ") != text:
        raise WrongUsage("the two passwords differ; nothing was made")
    return text
