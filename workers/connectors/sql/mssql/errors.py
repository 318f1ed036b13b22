"""What follows from each error of SQL Server, by its number.

Sources: "Database Engine events and errors" and "Troubleshoot transient connection errors" (learn.microsoft.com), and
what Microsoft's own drivers take for transient. Numbers from 50000 on are a user's own (THROW, RAISERROR).
Those drivers have numbers of their own for a lost link and for a time that is up (-2, 64, 121, 233, 10054), which mean
other things when a server sends them; here these are LOST and SILENT. A reason is our sentence, never the server's:
that one can quote a value ("The duplicate key value is …").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.connectors.sql.verdicts import (
    REFUSED,
    UNLISTED,
    Verdict,
    ambiguous,
    data,
    query,
    retry,
    split,
    target,
    undone,
)
from workers.errors import Matter

if TYPE_CHECKING:
    from collections.abc import Mapping

LOST = ambiguous("the link to the server was lost")
SILENT = ambiguous("the statement took longer than the connector's statement timeout, and was cancelled")
OVERSIZE = split("the statement is larger than the server takes")

_BUSY = retry("the server or the service is busy, moving or restarting")
_COMPLEX = split("the statement is too complex for the server")
_CONFLICT = undone("the transaction conflicted with another one")
_GROWN = split("the transaction takes more of the service's resources than it allows")
_LOGIN = target("the server refuses this user or password")
_NUMBER = data("a number is out of range")
_CONVERSION = data("a value is no literal of its column's type")
_LONG = data("a text is longer than its column")
_DATE = data("a date or time is out of range")
_TYPES = query("types do not fit: a literal needs a cast, or the column another type", Matter.TYPES)
_UNIQUE = data("a row with this unique key is already there", Matter.UNIQUE_KEY)
_SYNTAX = query("the statement is no valid SQL: the query is wrong, or the values leave a part of it empty")
_COUNT = query("a list of columns and its values differ in their number")
_RIGHT = query("the user has no right to do this")
_FULL = target("the database or its log is full")
_AWAY = retry("the database is not available: it is being recovered, moved or restored, or a failover is under way")
_DISK = target("the server failed at reading or writing its files")

VERDICTS: Mapping[int, Verdict] = {
    # Passes by itself.
    1205: undone("a deadlock with another transaction"),
    1222: undone("another transaction held a lock for too long"),
    **dict.fromkeys((3960, 3961, 41301, 41302, 41305, 41325, 41839), _CONFLICT),
    **dict.fromkeys((3902, 3903), undone("the transaction was rolled back before it could be committed")),
    1204: retry("the server has no more locks"),
    **dict.fromkeys((701, 802, 8645, 8651, 8628), retry("the server has no memory for the statement now")),
    **dict.fromkeys((4221, 10928, 10929, 10936, 40143, 40166, 40197, 40501, 40540, 40613, 42108, 42109), _BUSY),
    **dict.fromkeys((49918, 49919, 49920, 40549, 10922), _BUSY),
    **dict.fromkeys((922, 924, 927, 942, 952, 976, 978, 979, 982, 983, 18401), _AWAY),
    4060: retry("the database cannot be opened: it does not exist, this user may not use it, or it is starting"),
    **dict.fromkeys((596, 6005, 6006), retry("the session was ended, or the server is shutting down")),
    **dict.fromkeys((17809, 17810, 10926), retry("the server has too many connections")),
    18461: retry("the server admits a single user, an administrator, for the time being"),
    # Too large.
    10738: split("VALUES has more than 1,000 rows"),
    8003: split("the statement has too many parameters"),
    **dict.fromkeys((191, 8618, 8621, 8623, 8631, 8632), _COMPLEX),
    **dict.fromkeys((40550, 40551, 40552, 40553), _GROWN),
    # The data's fault.
    **dict.fromkeys((2601, 2627), _UNIQUE),
    547: data("a foreign key or a check constraint refuses the row"),
    **dict.fromkeys((233, 515), data("a value is missing that its column needs")),
    **dict.fromkeys((8152, 2628), _LONG),
    **dict.fromkeys((245, 8114, 8169, 293, 235, 9803), _CONVERSION),
    **dict.fromkeys((220, 232, 237, 244, 248, 8115, 1007), _NUMBER),
    **dict.fromkeys((241, 295, 9817), data("a value is no date or time")),
    **dict.fromkeys((242, 296, 298, 517), _DATE),
    8134: data("a division by zero"),
    512: data("a subquery gives several rows where one is expected"),
    8672: data("one statement would change the same row twice"),
    **dict.fromkeys((511, 1946), data("a value is larger than an index or a row allows")),
    550: data("a row breaks its view's check option"),
    33504: data("row-level security lets this user write no such row"),
    **dict.fromkeys((13608, 13609, 13611), data("a value is no valid JSON")),
    3609: REFUSED,
    6549: REFUSED,
    # The query's fault, or the table's.
    **dict.fromkeys((229, 230, 262, 297, 300, 371, 378), _RIGHT),
    208: query("a table does not exist"),
    **dict.fromkeys((207, 4104, 1088), query("a column or table does not exist")),
    209: query("a column's name stands for several columns"),
    **dict.fromkeys((102, 105, 156, 170, 10713, 319, 103, 111, 137, 139, 178), _SYNTAX),
    **dict.fromkeys((109, 110, 120, 121, 213, 10709, 8158, 8159), _COUNT),
    **dict.fromkeys((206, 257, 402, 529, 447, 8116, 8117, 260), _TYPES),
    **dict.fromkeys((446, 448, 451, 457, 468), query("collations do not fit: a comparison needs a COLLATE")),
    **dict.fromkeys((544, 8101), query("an identity column cannot be given a value")),
    **dict.fromkeys((271, 272, 273), query("a computed column or row version cannot be given a value")),
    **dict.fromkeys((195, 201, 2812, 8144, 8145, 8146, 4121, 174), query("a function or procedure is not known so")),
    266: query("a procedure began or ended a transaction by itself, which no query may do"),
    **dict.fromkeys((3915, 3916, 3930, 3931, 3998), query("the query ended or broke the transaction that it ran in")),
    334: query("OUTPUT without INTO cannot be used on a table that has triggers"),
    **dict.fromkeys((4405, 4406, 4421), query("this view cannot be changed")),
    1934: query("an indexed view, a computed column or a filtered index needs other settings of the session"),
    # The target's fault.
    **dict.fromkeys((18450, 18452, 18456, 18470, 18486, 18487, 18488, 4064), _LOGIN),
    916: target("this user may not use the database"),
    **dict.fromkeys((40532, 40914, 40615), target("the server's firewall lets nobody in from this address")),
    **dict.fromkeys((1101, 1105, 9002, 40544), _FULL),
    **dict.fromkeys((3906, 3908), target("the database takes no changes: it is read-only, or the URL names a replica")),
    **dict.fromkeys((823, 824, 825), _DISK),
    17142: target("the server is paused"),
}
OWN = 50000
"""The first number that is a user's."""
_XML = range(9400, 9530)
"""What cannot be read as XML."""


def verdict(number: int) -> Verdict:
    """The row of an error's number; UNLISTED for one that the table has not."""
    if number >= OWN:
        return REFUSED
    if number in _XML:
        return data("a value is no valid XML")
    return VERDICTS.get(number, UNLISTED)


# Only messages that begin with names of the schema; what follows can hold a value. English, which the session is set
# to; where the server says it otherwise no name is told.
_NAMES = {
    207: re.compile(r"Invalid column name '(?P<column>\w+)'\."),
    208: re.compile(r"Invalid object name '(?P<table>[\w.#]+)'\."),
    229: re.compile(r"The \w+ permission was denied on the object '(?P<table>\w+)', database '\w+', schema '\w+'\."),
    515: re.compile(r"Cannot insert the value NULL into column '(?P<column>\w+)', table '(?P<table>[\w.]+)'; .*"),
    2628: re.compile(
        r"String or binary data would be truncated in table '(?P<table>[\w.]+)', column '(?P<column>\w+)'\. .*"
    ),
}


def where(number: int, message: str) -> str:
    """The table's or column's name, as in "column 'email'"; empty where none can be told safely."""
    pattern = _NAMES.get(number)
    match = re.match(pattern, message) if pattern else None
    return ", ".join(f"{kind} {name!r}" for kind, name in match.groupdict().items()) if match else ""
