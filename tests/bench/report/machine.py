"""Where and with what a run was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.rivals.rsyslog import PROGRAM, tree
from tests.bench.rivals.venvs import ROOT, NotInstallableError
from tests.bench.rivals.venvs import version as version_of_rival
from tests.servers.debian import library_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.bench.servers import Servers

QUIET = 0.5
"""A load average below which nobody else is at work."""


def about(servers: Servers, load: float, command: str, size: str) -> dict[str, str]:
    """All that a reader needs to judge the figures; `load` is the machine's before the run."""
    warnings = []
    if size != "full":
        warnings.append(f"The size was `{size}`: it shows that everything works, and is not to be quoted.")
    if load > QUIET:
        warnings.append("The machine was busy with something else: ratios are rough, and rates mean nothing.")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "command": command,
        "commit": _first(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]),
        "machine": f"{os.cpu_count()} cores of {_cpu()}, {_memory_gb():.0f} GB, Linux {platform.release()}",
        "versions": ", ".join(_versions(servers)),
        "load": f"{load:.2f}",
        "warning": " ".join(warnings),
    }


def _versions(servers: Servers) -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    for package in ("celery", "kombu", "redis", "hiredis", "psycopg", "PyMySQL", "sqlalchemy", "msgspec"):
        yield f"{package} {version(package)}"
    client = servers.redis.client()
    yield f"Redis {client.info('server')['redis_version']}"
    client.close()
    with servers.postgresql.admin() as link:
        yield f"PostgreSQL {link.info.parameter_status('server_version')}"
    for name, group, package in (
        ("the rivals' celery", "rivals", "celery"),
        ("celery-batches", "rivals", "celery-batches"),
        ("dlt", "rivals", "dlt"),
        ("target-postgres", "rival-singer", "meltanolabs-target-postgres"),
    ):
        yield f"{name} {_of_rival(group, package)}"
    yield f"rsyslog {_rsyslog()}"


def _of_rival(group: str, package: str) -> str:
    try:
        return version_of_rival(group, package)
    except (NotInstallableError, subprocess.CalledProcessError):
        return "(not there)"


def _rsyslog() -> str:
    try:
        return _first([str(tree() / PROGRAM), "-v"], {"LD_LIBRARY_PATH": library_path(tree())}).split()[1]
    except NotInstallableError:
        return "(not there)"


def _first(command: list[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return (done.stdout.splitlines() or ["unknown"])[0]


def _cpu() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else platform.machine()


def _memory_gb() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
