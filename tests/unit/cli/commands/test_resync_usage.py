"""What `resync` and `verify` say to who names no integration, or what does not go together."""

from __future__ import annotations

from typing import Any, cast

import pytest
from typer.testing import CliRunner

from workers.cli.app import app
from workers.cli.commands.resync import Choice
from workers.errors import WrongUsage


@pytest.mark.parametrize("command", ["resync", "verify"])
def test_who_names_no_integration_is_shown_the_command_that_was_meant(command: str) -> None:
    with pytest.raises(WrongUsage, match=f"as in `segsync {command} crm --segment 7`"):
        Choice(None, [], every=False, needed=False).segments(cast("Any", None), command)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("crm --segment 7 --accept removals=5", "--accept 'removals=5' says yes to no run; expected --confirm RUN"),
        ("--list --accept adds=1", "expected --confirm RUN beside it"),
        ("--cancel 3 --accept adds=1", "expected --confirm RUN beside it"),
        ("--list --cancel 3", "--list and --cancel do not go together"),
        ("--confirm 3 --segment 7 --accept adds=1", "--confirm stands without --segment; expected --confirm RUN"),
        ("crm --list", "--list stands without K; expected --list"),
        ("crm --all --cancel 3", "--cancel stands without K, --all; expected --cancel RUN"),
    ],
)
def test_what_does_not_go_together_is_not_passed_over(words: str, said: str) -> None:
    """Who accepts numbers for a new run would think that they hold; it would ask again, or be taken for careful."""
    told = CliRunner().invoke(app, ["resync", *words.split()])
    assert isinstance(told.exception, WrongUsage)
    assert said in str(told.exception)
