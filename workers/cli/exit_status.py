"""The statuses that every command may end with (docs/operations.md); which failure is which: explaining.py."""

from __future__ import annotations

from typing import Final

FINE: Final = 0
"""Nobody is needed."""
NEEDS_SOMEONE: Final = 1
"""The command did what it was asked for, and someone must look at what it tells."""
WRONG: Final = 2
"""What was typed, or a file, is wrong; 2 as shells and typer have it."""
OUT_OF_REACH: Final = 3
"""Redis or the ledger does not answer, or refuses us; or the output cannot be written."""
