"""How a query names the row of a profile: by its key alone and as it stands, or by something nobody here can judge.

A batch may run its removes before its adds only where no remove can meet an add that it passes (delivery/rounds.py).
That is known where each query compares or writes the key's fields as they are, each with a column of its own, and names
the row by nothing else. What cannot be read for sure counts as unknown, which costs speed and never a row.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from workers.templates.row_tokens import RowToken, around, brackets, sign, tokens_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from workers.templates.nodes import Node


class Name(NamedTuple):
    """A part of a table's name as written, its quotes taken off."""

    text: str
    quoted: bool = False


class Meeting(NamedTuple):
    """A field of the key and a column, in small letters, that it is compared with or written to."""

    field: str
    column: str


@dataclass(frozen=True, slots=True)
class Insert:
    """The one INSERT of plain values that a query is.

    table    its name in parts, as in crm.member
    columns  each column listed -> the profile fields whose values it takes
    values   the same where none is listed: what the first column takes, the second, and so on
    changed  columns, in small letters, that a row which is there already is given another value in than the one that
             stands for them in VALUES: `ON CONFLICT (id) DO UPDATE SET id = excluded.new_id`
    found_by the columns in which the integration's `remove` looks for the key
    bends    as `RowNaming.bends`, of `remove` too
    """

    table: tuple[Name, ...]
    columns: Mapping[str, frozenset[str]]
    values: tuple[frozenset[str], ...] = ()
    changed: frozenset[str] = frozenset()
    found_by: frozenset[Meeting] = frozenset()
    bends: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RowNaming:
    """What a query says of the rows it touches.

    plain   all of the key's fields are used, and wherever one stands it is compared with a column, or written to one,
            as it is, or through functions that keep apart what folding keeps apart; and all databases read the query
            alike
    others  profile fields that it uses beside the key
    insert  where it does nothing but insert plain values
    meets   the columns that fields of the key are compared with
    changed columns that it gives rows another value in, as `Insert.changed`
    bends   families of columns beside which some databases read another key than is written, as `RowToken.bends`
    """

    plain: bool
    others: frozenset[str]
    insert: Insert | None
    meets: frozenset[Meeting] = frozenset()
    changed: frozenset[str] = frozenset()
    bends: frozenset[str] = frozenset()


_ENDS = frozenset({",", ")", ";", "and", "or", "on", "returning", "limit", "order", ""})
_NOBODYS = frozenset({("name", ""), ("word", "null")})
_INSERTS = frozenset({"insert", "replace"})
_OTHERS = frozenset({"select", "join", "using", "table"})
_TAKEN_FROM = dict.fromkeys(_INSERTS, _OTHERS) | {"update": _OTHERS | {"from"}, "delete": _OTHERS | {"values"}}
"""How a statement begins whose rows can be told -> words with which it takes something from elsewhere."""
_MODIFIERS = frozenset({"low_priority", "high_priority", "delayed", "quick", "ignore", "or"})
"""Words between a statement's verb and INTO, FROM or its table."""
_MOST_PARTS = 2
"""A table and its other name; what a DELETE deletes, and where it finds it."""
_ALTERNATIVES = frozenset({"or", "xor", "|", "case", "between", "?", "["})
"""What may let a row through that another condition keeps out; BETWEEN has an AND that joins none."""
_BEFORE_NAME = frozenset({"where", "and", "or", "on", "(", ".", "set"})


def row_naming(nodes: list[Node], key: Iterable[str]) -> RowNaming:
    """How a parsed query names rows.

    key  the fields that identify the row, as paths
    """
    tokens = tokens_of(nodes)
    keys = frozenset(key)
    fields = frozenset[str]().union(*(token.fields for token in tokens))
    places = [(at, bracket) for at, bracket in enumerate(around(tokens)) if tokens[at].fields & keys]
    plain = all(_is_plain(tokens, at, bracket, keys) for at, bracket in places)
    plain = plain and keys <= fields and _is_by_itself(tokens, keys) and not any(one.kind == "unsure" for one in tokens)
    changed, bends = frozenset(_changed(tokens)), frozenset[str]().union(*(tokens[at].bends for at, _ in places))
    return RowNaming(plain, fields - keys, _insert(tokens), frozenset(_meetings(tokens, places)), changed, bends)


def _meetings(tokens: list[RowToken], places: list[tuple[int, int]]) -> Iterator[Meeting]:
    for at, bracket in places:
        column = _compared(tokens, at, bracket)
        if column is not None:
            yield from (Meeting(field, tokens[column].text.lower()) for field in tokens[at].fields)


def _compared(tokens: list[RowToken], at: int, bracket: int) -> int | None:
    """Where the column's name ends that this value is compared with, or set to; None where it is no such place."""
    if sign(tokens, at - 1) == "=":
        return at - 2
    return bracket - 2 if sign(tokens, bracket - 1) == "in" else None


def _is_plain(tokens: list[RowToken], at: int, bracket: int, keys: frozenset[str]) -> bool:
    """Whether the key's field at this place stands as it is, beside a column or in a row of VALUES."""
    token = tokens[at]
    if token.computed or not token.fields <= keys or sign(tokens, at + 1) not in _ENDS:
        return False
    before = sign(tokens, at - 1)
    if before not in ("=", "(", ","):
        return False
    column = _compared(tokens, at, bracket)
    if column is None:
        return _is_row(tokens, bracket)
    return _is_column(tokens, column) and (before == "=" or _is_of_values(tokens, bracket))


def _is_of_values(tokens: list[RowToken], opened: int) -> bool:
    """Whether a list holds what tags write and nothing else but '' and NULL, which are nobody's key."""
    listed = itertools.takewhile(lambda token: token.kind != ")", tokens[opened + 1 :])
    return all(token.kind in ("value", ",") or (token.kind, token.text.lower()) in _NOBODYS for token in listed)


def _is_by_itself(tokens: list[RowToken], keys: frozenset[str]) -> bool:
    """Whether each statement names rows by itself: what another table, or a list of rows, gives may be anything."""
    starts = [0, *(at + 1 for at, token in enumerate(tokens) if token.kind == ";"), len(tokens)]
    return all(_names_rows(tokens[start:end], keys) for start, end in itertools.pairwise(starts))


def _names_rows(statement: list[RowToken], keys: frozenset[str]) -> bool:
    words = [token.text for token in statement if token.kind == "word"]
    if not words:
        return True
    if words[0] not in _TAKEN_FROM or not _TAKEN_FROM[words[0]].isdisjoint(words) or _bends(words):
        return False
    if words[0] in _INSERTS:
        return keys <= _fields(statement)
    until = next((at for at in range(len(statement)) if sign(statement, at) in ("where", "set")), 0)
    return _is_one_table(statement[1:until]) and _is_in_where(statement, keys)


def _is_one_table(target: list[RowToken]) -> bool:
    """Whether it names one table, under another name at most: `m FROM member m`, and no more tables beside it."""
    rest = list(itertools.dropwhile(lambda token: token.text in _MODIFIERS, target))
    parts: list[list[str]] = [[]]
    for at, token in enumerate(rest):
        if sign(rest, at) == "from":
            parts.append([])
        elif token.kind not in ("word", "name", "."):
            return False
        elif token.kind != "." and token.text != "as":
            if sign(rest, at - 1) == ".":
                parts[-1].pop()
            parts[-1].append(token.text)
    before, names = (parts[0], parts[-1]) if len(parts) > 1 else ([], parts[0])
    return len(parts) <= _MOST_PARTS and len(before) <= 1 and 1 <= len(names) <= _MOST_PARTS and {*before} <= {*names}


def _is_in_where(statement: list[RowToken], keys: frozenset[str]) -> bool:
    """Whether WHERE leaves no row to touch whose key is another: all of the key is compared there, joined by AND."""
    where = next((at for at, one in enumerate(statement) if sign(statement, at) == "where"), len(statement))
    if not _ALTERNATIVES.isdisjoint(sign(statement, at) for at in range(where, len(statement))):
        return False
    brackets, found = around(statement), frozenset[str]()
    for at in range(where, len(statement)):
        if statement[at].fields & keys and _is_condition(statement, brackets, at, where):
            found |= statement[at].fields
    return keys <= found


def _is_condition(statement: list[RowToken], brackets: list[int], at: int, where: int) -> bool:
    """Whether all brackets around this comparison stand by themselves, and nothing turns round what they say.

    Behind each comes an AND, another bracket's end or the condition's own: `(k IN (…)) IS NOT TRUE` says the contrary.
    """
    opened = brackets[at]
    while opened > where:
        is_list = opened == brackets[at] and sign(statement, opened - 1) == "in"
        if not is_list and sign(statement, opened - 1) not in ("where", "and", "("):
            return False
        closed = next((end for end in range(at, len(statement)) if brackets[end] == brackets[opened]), len(statement))
        if sign(statement, closed + 1) not in _ENDS:
            return False
        opened = brackets[opened]
    return True


def _bends(words: list[str]) -> bool:
    """Whether MySQL's IGNORE is said, which makes 127 of 300, and 7 of '7 x', without a word.

    SQLite's `OR IGNORE` leaves a row out, and bends none.
    """
    modifiers = itertools.takewhile(_MODIFIERS.__contains__, words[1:])
    return "ignore" in modifiers and words[1] != "or"


def _is_column(tokens: list[RowToken], at: int) -> bool:
    """Whether a column's bare name ends here: nothing is computed with it."""
    if at < 1 or tokens[at].kind not in ("word", "name") or tokens[at].text == "not":
        return False
    while sign(tokens, at - 1) == "." and at > 1:
        at -= 2
    return sign(tokens, at - 1) in _BEFORE_NAME


def _is_row(tokens: list[RowToken], opened: int) -> bool:
    """Whether the bracket opens a row of VALUES; -1 is none."""
    while sign(tokens, opened - 1) == ",":
        opened -= 1
    return sign(tokens, opened - 1) in ("values", "value")


def _insert(tokens: list[RowToken]) -> Insert | None:
    words = [token.text for token in tokens if token.kind == "word"]
    if not words or words[0] not in ("insert", "replace") or {"select", "where", "exists"} & {*words}:
        return None
    if words.count("into") != 1 or words.count("values") + words.count("value") < 1:
        return None
    at = next(i for i, token in enumerate(tokens) if token.kind == "word" and token.text == "into") + 1
    table: list[Name] = []
    while at < len(tokens) and tokens[at].kind in ("word", "name"):
        table.append(Name(tokens[at].written or tokens[at].text, tokens[at].kind == "name"))
        if sign(tokens, at + 1) != ".":
            break
        at += 2
    changed = frozenset(_changed(tokens))
    if table and sign(tokens, at + 1) in ("values", "value"):
        taken = _taken(brackets(tokens, at + 2))
        return Insert(tuple(table), {}, tuple(taken), changed) if taken else None
    listed = brackets(tokens, at + 1)
    if not table or len(listed) != 1:
        return None
    names = [cell[0].text for cell in listed[0] if len(cell) == 1 and cell[0].kind in ("word", "name")]
    taken = _taken(brackets(tokens, at + 2 * len(names) + 3))
    if not len(names) == len(listed[0]) == len(taken):
        return None
    return Insert(tuple(table), dict(zip(names, taken, strict=True)), changed=changed)


def _taken(rows: list[list[list[RowToken]]]) -> list[frozenset[str]]:
    """The fields that each place takes in any row of VALUES; [] where rows differ in length, or a place is empty."""
    if len({*map(len, rows)}) != 1 or not all(cell for row in rows for cell in row):
        return []
    places = [[_fields(cell) for cell in cells] for cells in zip(*rows, strict=True)]
    if any(any(place) and not all(place) for place in places):  # a constant beside fields may be anybody's key
        return []
    return [frozenset[str]().union(*place) for place in places]


def _changed(tokens: list[RowToken]) -> Iterator[str]:
    """As `Insert.changed`: what UPDATE sets to anything else than VALUES(column), excluded.column and the like."""
    brackets, sets = around(tokens), False
    for at, token in enumerate(tokens):
        if brackets[at] < 0:
            sets = sign(tokens, at) == "update" or (sets and sign(tokens, at) not in ("where", ";"))
        is_set = sign(tokens, at + 1) == "=" or (sign(tokens, at + 1) == ":" and sign(tokens, at + 2) == "=")
        if not sets or not is_set:
            continue
        if token.kind == ")":  # (a, b) = (…)
            row = range(max(i for i in range(at) if brackets[i] == brackets[at]) + 1, at)
            yield from (tokens[i].text.lower() for i in row if tokens[i].kind in ("word", "name"))
        elif sign(tokens, at - 1) in ("update", "set", ",", "."):
            name = token.text.lower()
            if not _is_same(tokens, at + 2, name):
                yield name


def _is_same(tokens: list[RowToken], at: int, name: str) -> bool:
    """Whether all that stands here, up to a comma or the end, is the value of this column in VALUES, or as it is."""
    if sign(tokens, at) in ("values", "value") and sign(tokens, at + 1) == "(" and sign(tokens, at + 3) == ")":
        at, end = at + 2, at + 4
    elif sign(tokens, at + 1) == ".":
        at, end = at + 2, at + 3
    else:
        end = at + 1
    return at < len(tokens) and tokens[at].text.lower() == name and sign(tokens, end) in _ENDS


def _fields(cell: list[RowToken]) -> frozenset[str]:
    return frozenset[str]().union(*(token.fields for token in cell))
