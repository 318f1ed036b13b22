"""What `resync` and `verify` say to who names no integration."""

from __future__ import annotations

from typing import Any, cast

import pytest

from workers.cli.commands.resync import Choice
from workers.errors import WrongUsage


@pytest.mark.parametrize("command", ["resync", "verify"])
def test_who_names_no_integration_is_shown_the_command_that_was_meant(command: str) -> None:
    with pytest.raises(WrongUsage, match=f"as in `segsync {command} crm --segment 7`"):
        Choice(None, [], every=False, needed=False).segments(cast("Any", None), command)
