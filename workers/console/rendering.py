"""Pages from html/: everything that is put into one is escaped, and a name that is missing is an error."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from workers.settings.spelling import age

_CHARACTER: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
# Control characters but blanks and line ends, and changes of direction: names and keys may have any.
_OBEYED: Final = re.compile(_CHARACTER)
_OBEYED_IN_TEXT: Final = re.compile(rf"<textarea\b.*?</textarea>|<[a-zA-Z/!][^>]*>|{_CHARACTER}", re.DOTALL)
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
    """The page. What a terminal or a reader would obey is written out, but not in what a form sends back."""
    html = _environment().get_template(template).render(**context)
    return _OBEYED_IN_TEXT.sub(_written_out, html) if _OBEYED.search(html) else html


def _written_out(found: re.Match[str]) -> str:
    """A tag or a field as it is: a form must send back what was there. Of text a character by its number."""
    return found[0] if found[0].startswith("<") else found[0].encode("unicode_escape").decode()


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
