"""What a rollback leaves behind in MySQL: tables of engines without transactions, found before anything runs.

The server itself says so only afterwards (warning 1196, "Some non-transactional changed tables couldn't be rolled
back"). So a table is refused whose name stands anywhere in a statement, in a value or a comment, too: to tell these
apart would take a parser of MySQL's SQL, and a wrong guess would leave rows behind. Views, triggers and routines that
the statements name are followed. What this user may not see in information_schema, nobody can look at: triggers show
only with the right TRIGGER.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from workers.connectors.sql.mysql.link import connect
from workers.connectors.sql.verdicts import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workers.connectors.contract import Target

_NOT_OURS: Final = "NOT IN ('information_schema', 'mysql', 'performance_schema', 'sys')"
_LOOK: Final = f"""
SELECT CONCAT(COUNT(*), ';', COALESCE(GROUP_CONCAT(
    CONCAT_WS(' ', kind, HEX(place), HEX(name), CONCAT('.', HEX(text)))), '')) FROM (
SELECT 'table' AS kind, table_schema AS place, table_name AS name, engine AS text FROM information_schema.tables
WHERE table_schema {_NOT_OURS} AND table_type = 'BASE TABLE'
AND engine NOT IN (SELECT engine FROM information_schema.engines WHERE transactions = 'YES')
UNION ALL SELECT 'view', table_schema, table_name, view_definition FROM information_schema.views
WHERE table_schema {_NOT_OURS}
UNION ALL SELECT 'trigger', event_object_schema, event_object_table, action_statement FROM information_schema.triggers
WHERE event_object_schema {_NOT_OURS}
UNION ALL SELECT 'routine', routine_schema, routine_name, routine_definition FROM information_schema.routines
WHERE routine_schema {_NOT_OURS}
) AS found"""
# One text holds them all: a link's `value` reads one column of one row.
_UNCUT: Final = "SET SESSION group_concat_max_len = 1073741824"


class _Object(NamedTuple):
    """A table without transactions (its text is the engine's name), or what leads to others (its text is SQL).

    text  None where this user may not see it
    """

    kind: str
    place: str
    name: str
    text: str | None


def what_would_stay(target: Target, statements: Iterable[str]) -> str:
    """Why a rollback would not undo these statements, as a sentence; "" where it would. TargetError."""
    objects = _look(target)
    return (
        "this database has too many objects to be looked through" if objects is None else _reached(objects, statements)
    )


def _look(target: Target) -> list[_Object] | None:
    """None where the server's packet could not hold them all."""
    link = connect(target)
    try:
        count, _, listed = link.value(_UNCUT, _LOOK).partition(";")
    except Exception as error:  # noqa: BLE001 - as in a session: drivers raise more than their own errors
        raise link.judge(error, Phase.CONNECT) from None
    finally:
        link.close()
    objects = [_object(each.split(" ")) for each in listed.split(",") if each]
    return objects if len(objects) == int(count) else None


def _object(fields: list[str]) -> _Object:
    kind, place, name, *text = fields
    return _Object(kind, _text(place), _text(name), _text(text[0].removeprefix(".")) if text else None)


def _text(digits: str) -> str:
    return bytes.fromhex(digits).decode(errors="replace")


def _reached(objects: list[_Object], statements: Iterable[str]) -> str:
    """Follows names from the statements on, each at most once."""
    waiting, texts = objects, [text.lower() for text in statements]
    while texts:
        text = "\n".join(texts)
        met = [each for each in waiting if _stands_in(each.name, text)]
        for each in met:
            if each.kind == "table":
                return (
                    f"table {each.place}.{each.name} keeps what is written to it ({each.text} has no transactions), "
                    "and its name stands in a statement or in what a statement leads to"
                )
            if each.text is None:
                return f"routine {each.place}.{each.name} hides its text from this user, so nobody knows what it does"
        waiting = [each for each in waiting if each not in met]
        texts = [(each.text or "").lower() for each in met]
    return ""


def _stands_in(name: str, text: str) -> bool:
    """Whether an identifier, of any schema, stands in a text in small letters."""
    written = name.lower().replace("`", "``")
    return written in text and re.search(rf"(?<![\w$]){re.escape(written)}(?![\w$])", text) is not None
