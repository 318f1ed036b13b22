"""Codes of ClickHouse, and what each says.

By number (src/Common/ErrorCodes.cpp; `SELECT errorCodeToName(60)` tells their names). One code can stand for very
different things, so for some the text is looked at. A reason is our sentence, never the server's: that one can quote a
value.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.connectors.sql.verdicts import UNLISTED, ambiguous, broken_off, data, query, retry, split, target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.connectors.sql.verdicts import Verdict

LOST = ambiguous("the link to the server was lost, or it did not answer in time")
UNREACHABLE = retry("the server cannot be reached")
TLS = target("the server's certificate is not the expected one, or it speaks no TLS at this port")
UNWANTED = broken_off("client_cert")
HUNG_UP = retry("the server hung up, or did not answer in time; does it want TLS, or a certificate (client_cert)?")
FILE = target("a file that the URL names for TLS cannot be used")
TOO_LARGE = split("the statement is beyond one of the server's limits")
TIMEOUT = ambiguous("the statement took longer than the connector's statement timeout")
BUSY = retry("the server has too many statements or connections")
KEEPER = retry("the server does not reach its Keeper, or too few replicas")
READ_ONLY = retry("the table takes no writes now: a replica has lost its Keeper")
WRONG_VALUE = data("a value does not fit its column's type")
WRONG_DATE = data("a value is no date or time that the column can take")
WRONG_NUMBER = data("a value is no number that the column can take")
LOGIN = target("the server refuses this user or password")
RIGHT = query("the user has no right to do this")
SETTING = target("the user may not change the settings that segsync sends, or the server is too old to know one")
WRONG = query("the query is wrong for this database")
SYNTAX = query("the statement is no valid SQL: the query is wrong, or the values leave a part of it empty")
NO_COLUMN = query("a column does not exist")
MUTATION = query("a mutation of this table fails, and stops those behind it: see system.mutations, and KILL MUTATION")

VERDICTS: Mapping[int, Verdict] = {
    # Passes by itself.
    3: retry("the server has ended the request before its end"),
    **dict.fromkeys((202, 203, 439), BUSY),
    **dict.fromkeys((225, 285, 286, 999), KEEPER),
    201: retry("this user's quota is used up"),
    236: retry("the server has given the statement up"),
    242: READ_ONLY,
    252: retry("the table has too many parts: fewer and larger batches are expected"),
    425: retry("the server's system fails"),
    473: retry("another statement holds a lock of the table"),
    517: retry("another change of the table is under way"),
    # May have been done.
    159: TIMEOUT,
    160: TIMEOUT,
    209: LOST,
    210: LOST,
    319: ambiguous("the server does not know whether the rows were written"),
    394: ambiguous("the statement was ended by an administrator"),
    1002: ambiguous("the server failed in an unknown way"),
    341: ambiguous("the change was begun, and has not ended in time"),
    # Smaller batches pass.
    **dict.fromkeys((158, 161, 167, 168, 191, 307, 396), TOO_LARGE),
    241: split("the server has too little memory for the statement"),
    # One value.
    **dict.fromkeys((6, 26, 27, 53, 70, 117, 321), WRONG_VALUE),
    **dict.fromkeys((38, 41), WRONG_DATE),
    **dict.fromkeys((69, 72, 407), WRONG_NUMBER),
    130: data("a value is no array"),
    131: data("a text is longer than its column"),
    153: data("a division by zero"),
    190: data("arrays that belong together are of different lengths"),
    349: data("a value is missing that its column needs"),
    376: data("a value is no UUID"),
    395: data("a function refused the row (throwIf)"),
    427: data("a regular expression is wrong"),
    467: data("a value is neither true nor false"),
    469: data("a row breaks a constraint"),
    675: data("a value is no IP address"),
    676: data("a value is no IP address"),
    691: data("a value is none of the column's words (Enum)"),
    # The query.
    **dict.fromkeys((8, 10, 34, 35, 36, 42, 43, 44, 46, 48, 63, 80, 179, 184, 207, 215, 344, 352, 386, 420), WRONG),
    15: query("the query sets a column twice"),
    50: query("a type is not known"),
    **dict.fromkeys((377, 378), query("a type does not take these arguments")),
    62: SYNTAX,
    108: SYNTAX,
    20: query("there are more or fewer values than columns"),
    16: NO_COLUMN,
    47: NO_COLUMN,
    60: query("a table does not exist"),
    218: query("a table was dropped"),
    497: RIGHT,
    291: RIGHT,
    164: query("the user may only read, or may not change settings (readonly)"),
    # The target.
    **dict.fromkeys((192, 193, 194, 516), LOGIN),
    195: target("the server takes no logins from this address"),
    81: target("the database does not exist"),
    115: SETTING,
    452: SETTING,
    243: target("the disk is full"),
}

TEXTS: Mapping[int, tuple[tuple[re.Pattern[str], Verdict], ...]] = {
    62: ((re.compile(r"max.query.size", re.IGNORECASE), TOO_LARGE),),
    341: ((re.compile(r"Exception happened during execution of mutation"), MUTATION),),
}
"""Of codes that stand for several things."""

_CODE = re.compile(r"Code: (\d+)[.] DB::Exception")
_TRAILER = re.compile(r"\s*(?:\(version [^)]*(?:\([^)]*\))?[^)]*\))?\s*(?:\(for url [^)]*\))?\s*\Z")
_SAID = re.compile(r".*?Code: \d+[.] (.*)", re.DOTALL)


def code_in(body: str) -> int | None:
    """The code of an error in an answer's body."""
    found = _CODE.search(body)
    return int(found[1]) if found else None


def said(message: str) -> str:
    """The server's own sentence, out of what the driver makes of it."""
    found = _SAID.match(message)
    return _TRAILER.sub("", found[1] if found else message).strip()


def verdict(code: int, message: str) -> Verdict:
    """The row of a code, and of the message where the code says little; UNLISTED for one that the table has not."""
    special = next((row for pattern, row in TEXTS.get(code, ()) if pattern.search(message)), None)
    return special or VERDICTS.get(code, UNLISTED)


# Only of messages that begin with the name, which is of the query's own text, where no profile data can stand.
_NAMES = {
    16: re.compile(r"DB::Exception: No such column (?P<column>\w+) in table (?P<table>[\w.]+)"),
    47: re.compile(r"DB::Exception: Unknown expression (?:or function )?identifier `(?P<column>[\w.]+)`"),
    60: re.compile(r"DB::Exception: Table (?P<table>[\w.]+) does not exist"),
}


def where(code: int, message: str) -> str:
    """The table's or column's name, as in "column 'email'"; empty where none can be told safely."""
    match = _NAMES[code].match(message) if code in _NAMES else None
    return "" if match is None else ", ".join(f"{kind} {name!r}" for kind, name in match.groupdict().items())


def named(code: int, message: str) -> str:
    """The name that the server objects to; "" where it tells none."""
    match = _NAMES[code].match(message) if code in _NAMES else None
    return "" if match is None else next(iter(match.groupdict().values()))
