"""Prometheus and promtool: on PATH, or Debian's package unpacked below `.servers/`.

Run as `python -m tests.servers.prometheus` it fetches and unpacks the package (once), so that tests need no network.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.servers.debian import install
from tests.servers.process import ServerError

FOLDER = Path(__file__).resolve().parents[2] / ".servers" / "prometheus"
REMEDY = "no Prometheus for the tests: {reason}\nPut `prometheus` and `promtool` (2.42 or later) on PATH"


@dataclass(frozen=True)
class Programs:
    """Where they are."""

    prometheus: Path
    promtool: Path


def programs() -> Programs:
    """The two programs, fetched if need be; ServerError with the remedy where that fails."""
    server, tool = shutil.which("prometheus"), shutil.which("promtool")
    if server and tool:
        return Programs(Path(server), Path(tool))
    try:
        tree = install(FOLDER, ("prometheus",), "usr/bin/prometheus")
    except (ServerError, OSError) as error:
        raise ServerError(REMEDY.format(reason=error)) from error
    return Programs(tree / "usr/bin/prometheus", tree / "usr/bin/promtool")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{programs().prometheus}\n")
    except ServerError as problem:
        sys.exit(str(problem))
