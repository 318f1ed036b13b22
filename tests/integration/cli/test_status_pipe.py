"""`segsync status | head -1`: it ends as if all of it had been read."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.place import integration
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from tests.integration.place import Place


@pytest.mark.parametrize("reader", ["true", pytest.param("head -1", marks=pytest.mark.long)])
def test_who_reads_no_further_learns_how_it_ends(place: Place, reader: str) -> None:
    """No worker runs, so someone is needed."""
    place.publish(integration())
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m workers.cli status | {reader}"],
        env={**os.environ, "SEGSYNC_CONFIG": str(place.file)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
