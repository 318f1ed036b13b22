"""Members whose row is spelled otherwise: the target itself is asked whether it takes two keys for one (rule 47).

No fold says that: the one that there is goes as far as all databases together do (delivery/key_folding.py). So nobody
is asked about but where a unique key is over the key alone, in columns that take more than equal texts for equal; and
a target that does not answer is not taken at anybody's word.
"""

from __future__ import annotations

import json
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

from workers.connectors.sql.unique_keys import place_of, why_not_by_key
from workers.delivery.key_folding import fold_key_far
from workers.errors import TargetError
from workers.integrations import Ordering, named_insert
from workers.resync.keys_on_disk import line_of, read_lines
from workers.resync.planning import listing_of
from workers.resync.profiles import keys_of_rows
from workers.templates import RowProblem
from workers.templates.dialects import DIALECTS
from workers.templates.literals import finisher, value_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from workers.connectors.inspection import Table
    from workers.connectors.sql.listing import Lister
    from workers.delivery.key_folding import Key
    from workers.integrations import Integration
    from workers.resync.keys_on_disk import KeyDifference
    from workers.resync.reaching import TargetWay
    from workers.templates.row_naming import Insert

    Batch = Mapping[Key, Key]

MOST_ASKED: Final = 20_000
"""Members that are missing and asked about: of a target that lacks more than that, none is."""
AT_ONCE: Final = 500
"""Keys of one question."""
MOST_REFUSED: Final = 50
"""Questions that a target may refuse, as where a column of numbers is asked for a text: halves are asked then."""


def find_folded(
    found: KeyDifference, integration: Integration, segment: str, way: TargetWay, keep: Callable[[], None]
) -> None:
    """Takes out of what is missing whoever has a row that is spelled otherwise, and that row out of what may be one's.

    keep  as in `compare`
    """
    listed = integration.members is not None and way.examine is not None
    if not listed or found.repeated or not found.rows or not 0 < found.missing <= MOST_ASKED:
        return
    owners: dict[bytes, bytes] = {}
    with suppress(TargetError):  # what was answered until then holds
        for member, row in _answers(found, integration, segment, way, keep):
            owners[line_of(member)] = line_of(row)
    if owners:
        _note(found, owners.keys(), set(owners.values()))


def _answers(
    found: KeyDifference, integration: Integration, segment: str, way: TargetWay, keep: Callable[[], None]
) -> Iterator[tuple[Key, Key]]:
    """Members beside the row that each has. TargetError, also after some."""
    keep()
    dialect = _folding_dialect(integration, way)
    if not dialect:
        return
    question, refused = _Question(dialect, listing_of(integration, segment), len(integration.key_fields)), 0
    batches = list(_batches(tuple(json.loads(line)) for line in read_lines(found.missing_file)))
    lister = way.open()
    try:
        while batches:
            keep()
            batch = batches.pop()
            try:
                rows = question.ask(lister, batch.values())
            except TargetError:
                refused += 1
                if refused > MOST_REFUSED:
                    raise
                lister.close()
                lister = way.open()
                batches += _halves(batch)
                continue
            yield from ((batch[fold], row) for row in rows if (fold := fold_key_far(row)) in batch)
    finally:
        lister.close()


def _folding_dialect(integration: Integration, way: TargetWay) -> str:
    """The target's dialect, where two keys that it takes for one have no more than one row; "" else. TargetError."""
    insert = named_insert(integration.queries)
    if insert is None or integration.ordering is Ordering.EXACT or way.examine is None:
        return ""
    with closing(way.examine()) as session:
        schema, name = place_of(insert, session.dialect)
        table = session.table(schema, name) if name else None
        if table is None or why_not_by_key(table, insert, integration.key_fields, types=False):
            return ""
        return session.dialect if _takes_more_for_equal(table, insert, integration.key_fields) else ""


def _takes_more_for_equal(table: Table, insert: Insert, key: Sequence[str]) -> bool:
    taking = {column.lower() for column, fields in insert.columns.items() if fields.intersection(key)}
    return any(
        column.merges and (not insert.columns or name.lower() in taking) for name, column in table.columns.items()
    )


def _batches(keys: Iterable[Key]) -> Iterator[dict[Key, Key]]:
    """Keys by their folds, of each no two in one batch: the row that comes back says whose it is by its own."""
    rounds: list[dict[Key, Key]] = []
    known: dict[Key, int] = {}
    for key in keys:
        fold = fold_key_far(key)
        number = known[fold] = known.get(fold, -1) + 1
        if number == len(rounds):
            rounds.append({})
        rounds[number][fold] = key
        if len(rounds[number]) == AT_ONCE:
            yield rounds[number]
            rounds[number] = {}
    yield from filter(None, rounds)


def _halves(batch: Batch) -> list[dict[Key, Key]]:
    """[] of one key: what the target cannot be asked for is as good as missing."""
    items, half = list(batch.items()), len(batch) // 2
    return [dict(items[:half]), dict(items[half:])] if half else []


class _Question:
    """Which rows of a segment the target takes for one of some keys.

    listing  the statement that lists them
    """

    def __init__(self, dialect: str, listing: str, width: int) -> None:
        known = DIALECTS[dialect]
        self._literal, self._finish = value_writer(known, "'", key=True), finisher(known)
        self._names = [f"k{number}" for number in range(1, width + 1)]
        names = ", ".join(self._names)
        listing = listing.rstrip().removesuffix(";")
        self._begin = f"WITH segsync_rows ({names}) AS (\n{listing}\n) SELECT {names} FROM segsync_rows WHERE "

    def ask(self, lister: Lister, keys: Iterable[Key]) -> list[Key]:
        """The rows' keys. TargetError."""
        texts = [written for key in keys if (written := self._written(key))]
        if not texts:
            return []
        pages = lister.pages(self._begin + self._condition(texts))
        return [key for page in pages for key in keys_of_rows(page.rows) if key is not None]

    def _condition(self, keys: Sequence[Sequence[str]]) -> str:
        """By a list where that is possible: not every planner makes one of as many comparisons."""
        if len(self._names) == 1:
            return f"{self._names[0]} IN ({', '.join(text for (text,) in keys)})"
        return " OR ".join(f"({' AND '.join(map('{} = {}'.format, self._names, key))})" for key in keys)

    def _written(self, key: Key) -> list[str]:
        """The key as literals; [] where no statement can hold it."""
        with suppress(RowProblem):
            return [self._finish(self._literal(text, name)) for name, text in zip(self._names, key, strict=True)]
        return []


def _note(found: KeyDifference, members: Iterable[bytes], rows: set[bytes]) -> None:
    folded = set(members)
    found.folded = len(folded)
    found.missing -= _take_out(found, "missing", found.missing_file, folded)
    found.spelled -= _take_out(found, "spelled", found.spelled_file, rows)
    for line in sorted(folded):
        found.show("folded", line)


def _take_out(found: KeyDifference, what: str, path: Path, gone: set[bytes]) -> int:
    """Lines that are no difference, out of a file of these; how many there were."""
    found.shown.pop(what, None)
    draft, many = path.with_name(f"{path.name}-left"), 0
    with draft.open("wb") as out:
        for line in read_lines(path):
            if line in gone:
                many += 1
            else:
                out.write(line + b"\n")
                found.show(what, line)
    draft.replace(path)
    return many
