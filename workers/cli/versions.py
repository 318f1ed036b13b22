"""What runs here: `segsync --version`."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Final

SHOWN: Final = ("celery", "redis", "SQLAlchemy", "psycopg", "PyMySQL")
"""Libraries whose version a report of a fault should name."""


def segsync_version() -> str:
    """Ours; "unknown" in a checkout that was never installed."""
    return _version("segsync")


def versions() -> str:
    """One line: segsync, Python, and the libraries that decide."""
    libraries = ", ".join(f"{name} {_version(name)}" for name in SHOWN)
    return f"segsync {segsync_version()} (Python {platform.python_version()}, {libraries})"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
