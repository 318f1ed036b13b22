"""What every process of a run would pay for again and again."""

from __future__ import annotations

import gc
import os
import sys

from workers.control.startup import GC_THRESHOLDS


def test_no_process_compiles_what_another_has_compiled() -> None:
    assert not sys.dont_write_bytecode
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ


def test_cycles_are_looked_for_as_rarely_as_in_workers() -> None:
    assert gc.get_threshold() == GC_THRESHOLDS
