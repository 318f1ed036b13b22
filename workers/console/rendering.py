"""Pages from html/: everything that is put into one is escaped, and a name that is missing is an error."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from workers.settings.spelling import age

DASH: Final = "-"
"""What stands where nothing is known."""


@cache
def _environment() -> Environment:
    # Every page is HTML, whatever its file is called.
    found = Environment(
        loader=PackageLoader("workers.console", "html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "age": age,
        "number": number,
        "moment": moment,
        "seconds": seconds,
        "as_setting": as_setting,
        "pair": pair,
        "unix_moment": unix_moment,
    }
    return found


def render(template: str, **context: object) -> str:
    """The page."""
    return _environment().get_template(template).render(**context)


def number(value: int | None) -> str:
    """With thousands."""
    return DASH if value is None else f"{value:,}"


def seconds(milliseconds: float | None) -> str:
    """A duration in milliseconds, in seconds."""
    return DASH if milliseconds is None else f"{milliseconds / 1000:.2f} s"


def moment(time: datetime | str | None) -> str:
    """A time, in UTC."""
    if isinstance(time, str):
        time = datetime.fromisoformat(time) if time else None
    return DASH if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def as_setting(value: object) -> str:
    """A setting's value as JSON, which is TOML but for tables."""
    return json.dumps(value, ensure_ascii=False)


def unix_moment(milliseconds: int) -> str:
    """A time in Unix milliseconds, in UTC."""
    return moment(datetime.fromtimestamp(milliseconds / 1000, UTC))


def pair(value: str) -> tuple[str, str]:
    """A choice whose words are its value."""
    return value, value
