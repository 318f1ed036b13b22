"""What follows from each error of Oracle, by its number, and from those of the driver's own (DPY-…).

Source: docs.oracle.com/error-help/db. Numbers from 20000 to 20999 are a user's own (RAISE_APPLICATION_ERROR). A reason
is our sentence, never the server's: that one can quote a value.
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
    unknown,
)
from workers.errors import Matter

if TYPE_CHECKING:
    from collections.abc import Mapping

LOST = ambiguous("the link to the server was lost")
SILENT = ambiguous("the statement took longer than the connector's statement timeout, and was broken off")

_AWAY = retry("the database is starting, stopping or moving")
_LISTENER = retry("the listener knows no such service now: it is starting or moving, or the URL names another")
_CONFLICT = undone("the transaction conflicted with another one")
_LOGIN = target("the server refuses this user or password")
_LIMIT = split("the statement is beyond one of the server's limits")
_DATE = data("a value is no date or time, or out of range")
_TYPES = query("types do not fit: a literal needs a conversion, or the column another type", Matter.TYPES)
_SYNTAX = query("the statement is no valid SQL: the query is wrong, or the values leave a part of it empty")
_COUNT = query("a list of columns and its values differ in their number")
_SPACE = target("the tablespace or the quota is full")
_OLD = target("the server, or this user's password, is of a kind that the driver's thin mode does not know")
_CERTIFICATE = target("TLS failed: the server's certificate is another's than the URL says")

VERDICTS: Mapping[int, Verdict] = {
    # Passes by itself.
    60: undone("a deadlock with another transaction"),
    **dict.fromkeys((8176, 8177, 2049), _CONFLICT),
    **dict.fromkeys((54, 30006, 4021), retry("another session held a lock for too long")),
    **dict.fromkeys((18, 20), retry("the server has too many sessions")),
    **dict.fromkeys((12516, 12518, 12519, 12520), retry("the listener has no room for another session")),
    **dict.fromkeys((4068, 4061, 4065), retry("a package was compiled anew under the session")),
    **dict.fromkeys((1033, 1034, 1089, 1090, 12528, 12526, 25408), _AWAY),
    **dict.fromkeys((12505, 12514), _LISTENER),
    **dict.fromkeys((12170, 12541, 12543, 12535, 12545), retry("the listener cannot be reached")),
    1555: retry("the snapshot is too old"),
    **dict.fromkeys((4030, 4031), retry("the server has no memory for the statement now")),
    # May have been done, or not.
    **dict.fromkeys((28, 31, 1012, 1092, 2396, 3113, 3114, 3135, 12537, 12547, 12570), LOST),
    **dict.fromkeys((1013, 3136, 3156), SILENT),
    # Too large.
    **dict.fromkeys((1704, 1795, 913, 16951, 63805, 3094, 1745, 1335), _LIMIT),
    # The data's fault.
    1: data("a row with this unique key is already there", Matter.UNIQUE_KEY),
    1400: data("a value is missing that its column needs"),
    1407: data("a value is missing that its column needs"),
    1438: data("a number is out of range"),
    1426: data("a number is out of range"),
    1476: data("a division by zero"),
    **dict.fromkeys((12899, 1401, 1461, 22835), data("a text is longer than its column")),
    **dict.fromkeys((1722, 6502), data("a value is no number")),
    **dict.fromkeys((1830, 1839, 1840, 1841, 1843, 1847, 1849, 1850, 1851, 1852, 1858, 1861, 1874, 1878, 1881), _DATE),
    1427: data("a subquery gives several rows where one is expected"),
    1402: data("a row breaks its view's check option"),
    2290: data("a row breaks a check constraint"),
    2291: data("a foreign key points at a row that is not there"),
    2292: data("other rows point at this row"),
    1450: data("a value is larger than an index allows"),
    28115: data("row-level security lets this user write no such row"),
    30926: data("one statement would change the same row twice"),
    14400: data("no partition takes the row"),
    **dict.fromkeys((31011, 40441, 40587), data("a value is no valid XML or JSON")),
    # The query's fault, or the table's.
    942: query("a table does not exist, or the user has no right to it"),
    1031: query("the user has no right to do this"),
    904: query("a column does not exist"),
    918: query("a column's name stands for several columns"),
    **dict.fromkeys((947, 926, 1789), _COUNT),
    **dict.fromkeys((932, 1790), _TYPES),
    38104: query("MERGE cannot change the columns that its ON names"),
    **dict.fromkeys(
        (4043, 4042, 6550, 6553, 6575, 6576), query("a function or procedure does not exist, or is broken")
    ),
    **dict.fromkeys((4091, 4092), query("a trigger reads the table that is changed, or ends the transaction")),
    2289: query("a sequence does not exist"),
    **dict.fromkeys((32795, 54013), query("an identity or virtual column cannot be given a value")),
    1732: query("this view cannot be changed"),
    2074: query("a procedure ends the transaction, which no query may do"),
    # The target's fault.
    **dict.fromkeys((1017, 1005, 28000, 28001, 28002, 1045, 1004), _LOGIN),
    **dict.fromkeys((1536, 1652, 1653, 1654, 1658, 1691, 30036, 257, 19809, 1688), _SPACE),
    **dict.fromkeys((16000, 1456), target("the database may only be read: the URL names a standby")),
    **dict.fromkeys((1578, 1110, 376), target("a file of the database is damaged or offline")),
    1882: target("the server does not know the connector's time zone"),
}
_SYNTAXES = range(900, 1000)
"""What the parser of SQL says."""
_OWN = range(20000, 21000)

DRIVERS: Mapping[str, Verdict] = {
    "DPY-1001": LOST,
    "DPY-4011": LOST,
    "DPY-4024": SILENT,
    "DPY-4010": query("the query has a `:name` outside of quotes, which the driver takes for a parameter"),
    "DPY-6000": retry("the listener refuses the connection for now"),
    "DPY-6001": _LISTENER,
    "DPY-6003": _LISTENER,
    "DPY-6005": retry("the server cannot be reached"),
    "DPY-6002": _CERTIFICATE,
    "DPY-6006": _CERTIFICATE,
    "DPY-3001": target("the server wants Oracle's native encryption, which the thin driver has not; expected tcps"),
    "DPY-3010": _OLD,
    "DPY-3015": _OLD,
    "DPY-4027": target("the URL cannot be understood by the driver"),
}
ROLLED_BACK = 2091
"""COMMIT's own error, where a deferred constraint refuses the data; the next line says which."""
_BELOW = re.compile(r"^ORA-(\d+)", re.MULTILINE)
_SIMILAR = re.compile(r"Similar to ORA-(\d+)")


def verdict(number: int, driver: str = "", text: str = "") -> Verdict:
    """The row of an error; UNLISTED for one that the tables have not.

    number  the server's; 0 for an error of the driver's own
    driver  the driver's code, as in "DPY-4011"; it weighs more, as it stands for many of the server's
    text    the driver's sentence, which names the server's number where it has no code of its own for it, or the
            server's, of which the second line may say what the first was for
    """
    if driver:
        similar = _SIMILAR.search(text) if driver in ("DPY-6000", "DPY-6005") else None
        row = VERDICTS.get(int(similar[1])) if similar else None
        return row or DRIVERS.get(driver) or unknown("an error of the driver that segsync has no rule for")
    if number == ROLLED_BACK and (below := _BELOW.search(text, text.find("\n") + 1)):
        number = int(below[1])
    if number in _OWN:
        return REFUSED
    row = VERDICTS.get(number)
    if row is None and number in _SYNTAXES:
        return _SYNTAX
    return row or UNLISTED


# Messages that begin with names of the schema, in English, which the session is set to.
_NAME = r'"(?P<{0}>[\w$#]+)"'
_NAMES = {
    904: re.compile(rf"ORA-00904: (?:\"[\w$#]+\"\.)?{_NAME.format('column')}: invalid identifier"),
    1400: re.compile(
        rf'ORA-01400: cannot insert NULL into \("[\w$#]+"\.{_NAME.format("table")}\.{_NAME.format("column")}\)'
    ),
    12899: re.compile(
        rf'ORA-12899: value too large for column "[\w$#]+"\.{_NAME.format("table")}\.{_NAME.format("column")}'
    ),
}


def where(number: int, message: str) -> str:
    """The table's or column's name, as in "column 'email'"; empty where none can be told safely."""
    pattern = _NAMES.get(number)
    match = pattern.match(message) if pattern else None
    return ", ".join(f"{kind} {name!r}" for kind, name in match.groupdict().items()) if match else ""
