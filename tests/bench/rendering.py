"""The documented queries, rendered, beside text joined by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.json import encode

from tests.bench.measuring import Ratio, compare, timed
from tests.unit.templates.rendering import ADD, REMOVE, SEGMENT, compiled, rows
from workers.templates import QueryKind

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 200
PROFILES = [{"_id": f"61f0{i:04d}", "CustomID": f"A-{i:06d}", "email": f"user{i}@example.com"} for i in range(1000)]
SIZE = sum(len(encode(profile)) for profile in PROFILES)
"""Bytes that they came in, which a delivery knows."""


def ratios() -> Iterator[Ratio]:
    """An insert and a remove of 1,000 profiles; by hand, only quotes are doubled."""
    batch = rows(*PROFILES)
    q, qq = "'", "''"
    for dialect, text in (("mysql", ADD), ("postgresql", ADD.replace('"', "'"))):
        add = compiled(text, dialect, key=("CustomID",))
        yield compare(
            f"{dialect}: rendering an insert of 1,000, beside a join",
            lambda add=add: timed(lambda: add.render(batch, SEGMENT, SIZE)),  # type: ignore[misc]
            lambda: timed(lambda: ",".join([f"(7, '{p['CustomID'].replace(q, qq)}', NOW())" for p in PROFILES])),
            ROUNDS,
        )
    remove = compiled(REMOVE, kind=QueryKind.REMOVE, key=("CustomID",))
    yield compare(
        "mysql: rendering a remove of 1,000, beside a join",
        lambda: timed(lambda: remove.render(batch, SEGMENT, SIZE)),
        lambda: timed(lambda: ",".join([f"'{p['CustomID'].replace(q, qq)}'" for p in PROFILES])),
        ROUNDS,
    )
