"""From a source's rows to profiles, and from a target's rows to keys. Pure.

A column is a field; `a.b` is the field `b` within `a`. Numbers keep their digits, times are ISO 8601, and what a
driver gives as an object stays one.
"""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec

from workers.errors import SegsyncError
from workers.events.profiles import id_problem, profile
from workers.templates import QueryKind, Row, RowProblem, key_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workers.delivery.key_folding import Key
    from workers.integrations import Integration

ID = "_id"


class UnfitSource(SegsyncError):
    """What a source gives cannot be a list of members; the message says what to write instead."""


def _plain(value: object) -> object:
    """What msgspec has no word for."""
    if isinstance(value, memoryview):
        return text_of_bytes(bytes(value))
    return str(value)


def _written(value: object) -> object:
    """What JSON has no number for is null, as a float's NaN is: the profile would be no JSON, and its member untold."""
    if isinstance(value, bytes):
        return text_of_bytes(value)
    return None if isinstance(value, Decimal) and not value.is_finite() else value


def text_of_bytes(data: bytes) -> str:
    """Bytes of a column as text: UTF-8 where they are that, else Base64."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return base64.b64encode(data).decode()


_encode = msgspec.json.Encoder(enc_hook=_plain, decimal_format="number").encode


_PLAIN = frozenset((int, str, float, bool, type(None)))
"""What stands in JSON as it is, whatever it holds: a float's NaN is null there."""


class Shaper:
    """Makes profiles of the rows of one statement.

    columns  as the source spells them; UnfitSource where `_id` is not among them
    """

    def __init__(self, columns: Sequence[str]) -> None:
        if ID not in columns:
            shown = ", ".join(map(repr, columns[:20]))
            raise UnfitSource(f"its members have the columns {shown}; expected one that is named {ID!r}")
        if len(set(columns)) != len(columns):
            raise UnfitSource("two columns of its members have one name; expected each to be another field")
        self._at = columns.index(ID)
        self._columns = list(columns)
        self._paths = [column.split(".") if "." in column else [column] for column in columns]
        self._is_flat = not any("." in column for column in columns)
        begun: set[str] = set()
        for column in () if self._is_flat else columns:
            if column in begun:
                raise UnfitSource(
                    f"the column {column!r} stands behind one that lies in it, which would be lost; expected it before"
                )
            begun.update(accumulate(column.split("."), "{}.{}".format))

    def lacks(self, fields: Iterable[str]) -> list[str]:
        """Those of these top-level fields that no row has, whatever stands in it."""
        return sorted(set(fields).difference(path[0] for path in self._paths))

    def ids_of(self, rows: Sequence[Sequence[Any]]) -> list[int | str]:
        """Their `_id`s, as `id_of`."""
        at = self._at
        return [row[at] if type(row[at]) is int else self.id_of(row) for row in rows]

    def id_of(self, row: Sequence[Any]) -> int | str:
        """The row's `_id`; UnfitSource where it is neither a whole number nor a text."""
        value = row[self._at]
        if isinstance(value, bytes):
            value = text_of_bytes(value)
        if type(value) is int or isinstance(value, str):
            return value
        if value is not None and hasattr(value, "hex") and hasattr(value, "urn"):
            return str(value)  # a UUID
        raise UnfitSource(f"a member's {ID!r} is {type(value).__name__}; expected a whole number or a text")

    def profile_of(self, row: Sequence[Any]) -> bytes:
        """The profile's JSON."""
        if self._is_flat and type(row[self._at]) in (int, str) and _PLAIN.issuperset(map(type, row)):
            return _encode(dict(zip(self._columns, row, strict=True)))
        found: dict[str, Any] = {}
        for path, value in zip(self._paths, row, strict=True):
            inner = found
            for step in path[:-1]:
                inner = inner.setdefault(step, {})
                if not isinstance(inner, dict):
                    raise UnfitSource(f"the column {'.'.join(path)!r} lies in one that is no object")
            inner[path[-1]] = _written(value)
        found[ID] = self.id_of(row)
        return _encode(found)

    def _is_fit(self, value: object) -> bool:
        """Whether an `_id` needs no closer look."""
        return type(value) is int or (type(value) is str and id_problem(value) is None)

    def keys_of(self, rows: Sequence[Sequence[Any]], fields: tuple[str, ...]) -> list[Key | None]:
        """Keys as the profiles have them; None for each that is not usable (rule 47).

        Texts and whole numbers are what they are; whatever else a driver gives is what its JSON says.
        """
        if any(field not in self._columns for field in fields):
            return [key_in(self.profile_of(row), fields) for row in rows]
        places = [self._columns.index(field) for field in fields]
        if len(places) > 1:
            return [self._key(row, places, fields) for row in rows]
        # Nearly all are so: a text beside a number.
        (place,), at = places, self._at
        return [
            (row[place],)
            if type(row[place]) is str and row[place] and type(row[at]) is int
            else self._key(row, places, fields)
            for row in rows
        ]

    def _key(self, row: Sequence[Any], places: Sequence[int], fields: tuple[str, ...]) -> Key | None:
        values = [row[place] for place in places]
        if self._is_fit(row[self._at]) and all(
            (type(value) is str and value) or type(value) is int for value in values
        ):
            return tuple(map(str, values))
        return key_in(self.profile_of(row), fields)


def key_in(body: bytes, fields: tuple[str, ...]) -> Key | None:
    """The key of a profile; None where it has no usable one (rule 47)."""
    try:
        decoded = profile(body)
        return None if id_problem(str(decoded[ID])) else key_of(decoded, fields)
    except (RowProblem, msgspec.DecodeError):
        return None


def key_to_tell(body: bytes, integration: Integration) -> Key | None:
    """The key of a member; None where it has no usable one, or where nothing of it can be sent to an ad account."""
    key = key_in(body, integration.key_fields)
    if key is None or integration.fields is None:
        return key
    return key if integration.fields.record(Row(profile(body), 0, 0)).identifiers else None


def told_fields(integration: Integration) -> frozenset[str]:
    """The top-level fields of a member that its query `add` names, but those that segsync gives."""
    add = integration.queries.get(QueryKind.ADD)
    return frozenset() if add is None else add.fields - {"*", ID, "_event_time", "_sequence"}


def keys_of_rows(rows: Sequence[Sequence[Any]]) -> list[Key | None]:
    """The keys that a target's rows have; None for each of which a part is null or empty."""
    return [(row[0],) if len(row) == 1 and type(row[0]) is str and row[0] else _key_of_row(row) for row in rows]


def _key_of_row(row: Sequence[Any]) -> Key | None:
    parts = []
    for value in row:
        text = text_of_bytes(bytes(value)) if isinstance(value, (bytes, memoryview)) else str(value)
        if value is None or not text:
            return None
        parts.append(text)
    return tuple(parts)


def profile_of_key(key: Key, fields: tuple[str, ...], steps: Sequence[Sequence[str | int]]) -> bytes:
    """A profile that has nothing but its key: what is removed. `steps` are the fields' paths, without indexes."""
    found: dict[str, Any] = {ID: key[0]}
    for text, path, name in zip(key, steps, fields, strict=True):
        inner = found
        for step in path[:-1]:
            if not isinstance(step, str):
                raise UnfitSource(f"the key field {name!r} is an item of a list: no row's key can be told by it")
            inner = inner.setdefault(step, {})
        inner[str(path[-1])] = text
    return json.dumps(found).encode()
