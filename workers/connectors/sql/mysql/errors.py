"""What follows from each error of MySQL and MariaDB.

Codes and their meaning: the servers' references (dev.mysql.com "Server Error Message Reference", mariadb.com
"MariaDB Error Code Reference"); 2000 to 2999 are the client's. A reason is our sentence, never the server's: that one
can quote a value ("Duplicate entry '…'").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.connectors.sql.verdicts import ALREADY_THERE, UNLISTED, Verdict
from workers.errors import ErrorClass, HoldLevel

if TYPE_CHECKING:
    from collections.abc import Mapping


def _retry(reason: str) -> Verdict:
    return Verdict(ErrorClass.RETRY, reason)


def _undone(reason: str) -> Verdict:
    return Verdict(ErrorClass.RETRY, reason, undone=True)


def _ambiguous(reason: str) -> Verdict:
    return Verdict(ErrorClass.AMBIGUOUS, reason)


def _split(reason: str) -> Verdict:
    return Verdict(ErrorClass.SPLIT, reason)


def _data(reason: str) -> Verdict:
    return Verdict(ErrorClass.ISOLATE, reason)


def _query(reason: str) -> Verdict:
    return Verdict(ErrorClass.HOLD, reason)


def _target(reason: str) -> Verdict:
    return Verdict(ErrorClass.HOLD, reason, HoldLevel.CONNECTOR)


LOST = _ambiguous("the link to the server was lost")
TIMEOUT = _ambiguous("the statement took longer than the connector's statement timeout")
ENDED = _ambiguous("the session was ended by an administrator or by this lane's next deliverer")
READ_ONLY = _retry("the server takes no writes now: a failover is under way, or the URL names a replica")
PASSWORD = _target("the server refuses this user or password")
LOCKED_ACCOUNT = _target("the server has locked this account")
EXPIRED = _target("the account's password has expired")
RIGHT = _query("the user has no right to do this")
CRASHED = _target("a table is damaged and needs a repair")
FULL = _target("the disk or a table is full")
NO_PARENT = _data("a foreign key points at a row that is not there")
HAS_CHILDREN = _data("other rows point at this row by a foreign key")
WRONG_VALUE = _data("a value does not fit its column's type")
WRONG_DATE = _data("a value is no date or number that the column can take")
NOT_NULL = _data("a value is missing that its column needs")
CHECK = _data("a row breaks a check constraint")
JSON = _data("a value is no valid JSON")
NO_PARTITION = _data("no partition takes this row's value")
COMMITS = _query("the query would commit by itself, which no query may do")

VERDICTS: Mapping[int, Verdict] = {
    # Passes by itself.
    1205: _undone("another transaction held a lock for too long"),
    1213: _undone("a deadlock with another transaction"),
    3058: _undone("a deadlock over session locks"),
    3101: _undone("the transaction conflicted with one on another node"),
    1020: _undone("another transaction changed the row in the meantime"),
    3572: _undone("another transaction holds a lock"),
    1040: _retry("the server has too many connections"),
    1203: _retry("this user has too many connections"),
    1226: _retry("this user's quota, of connections at once or in an hour, is used up"),
    1047: _retry("the node does not take statements now"),
    1053: _retry("the server is shutting down"),
    1206: _retry("the server has no memory left for locks"),
    1037: _retry("the server is out of memory"),
    1038: _retry("the server is out of memory for sorting"),
    1041: _retry("the server is out of memory"),
    1135: _retry("the server cannot make another thread"),
    1637: _retry("the server has too many transactions"),
    1290: READ_ONLY,
    1792: READ_ONLY,
    1836: READ_ONLY,
    2002: _retry("the server cannot be reached"),
    2003: _retry("the server cannot be reached"),
    2005: _retry("the server's host name cannot be resolved"),
    # May have been done, or not.
    0: LOST,
    2006: LOST,
    2013: LOST,
    2014: LOST,
    2027: LOST,
    2045: LOST,
    2055: LOST,
    1042: LOST,
    1043: LOST,
    1152: LOST,
    1158: LOST,
    1159: LOST,
    1160: LOST,
    1161: LOST,
    1184: LOST,
    1927: ENDED,
    4031: _ambiguous("the server has closed the link for idleness"),
    1317: ENDED,
    1180: _ambiguous("the server failed while it committed"),
    1969: TIMEOUT,
    3024: TIMEOUT,
    # Too large.
    1153: _split("the statement is larger than the server's max_allowed_packet"),
    1390: _split("the statement has too many parameters"),
    1197: _split("the transaction is larger than the server's max_binlog_cache_size"),
    1436: _split("the statement is too deep for the server's thread stack"),
    2020: _split("the statement is larger than max_allowed_packet"),
    # The data's fault.
    1048: NOT_NULL,
    1263: NOT_NULL,
    1062: ALREADY_THERE,
    1586: ALREADY_THERE,
    1216: NO_PARENT,
    1452: NO_PARENT,
    1217: HAS_CHILDREN,
    1451: HAS_CHILDREN,
    1118: _data("a row is too long for its table"),
    1264: _data("a number is out of its column's range"),
    1690: _data("a number is out of range"),
    1265: WRONG_VALUE,
    1366: WRONG_VALUE,
    1367: WRONG_VALUE,
    1292: WRONG_DATE,
    1411: WRONG_DATE,
    1441: WRONG_DATE,
    1525: WRONG_DATE,
    1300: _data("a text is no valid UTF-8"),
    3854: _data("a text cannot be converted to the column's character set"),
    3988: _data("a text cannot be converted to the column's character set"),
    1301: _data("a text is larger than the server's max_allowed_packet"),
    1365: _data("a division by zero"),
    1406: _data("a text is longer than its column"),
    1416: _data("a value is no geometry"),
    1526: NO_PARTITION,
    1748: NO_PARTITION,
    1644: _data("a trigger or procedure refused the row"),
    3819: CHECK,
    4025: CHECK,
    3140: JSON,
    3141: JSON,
    3143: JSON,
    4037: JSON,
    4038: JSON,
    # The query's fault, or the table's.
    1052: _query("a column's name stands for several columns"),
    1054: _query("a column does not exist"),
    1064: _query("the query is no valid SQL"),
    1065: _query("the query came out empty"),
    1093: _query("the query reads the table that it changes"),
    1100: _query("the session has tables locked"),
    1103: _query("a table's name is not allowed"),
    1109: _query("the query names a table that it does not use"),
    1110: _query("the query sets a column twice"),
    1111: _query("an aggregate function stands where none may stand"),
    1128: _query("a function is not known"),
    1136: _query("the number of values differs from the number of columns"),
    1142: RIGHT,
    1143: RIGHT,
    1146: _query("a table does not exist"),
    1148: _query("the query uses what the server does not allow"),
    1166: _query("a column's name is not allowed"),
    1176: _query("an index does not exist"),
    1179: COMMITS,
    1222: _query("the parts of a UNION have different numbers of columns"),
    1227: RIGHT,
    1235: _query("the server does not support this"),
    1241: _query("the number of columns is wrong"),
    1267: _query("collations cannot be compared"),
    1270: _query("collations cannot be compared"),
    1271: _query("collations cannot be compared"),
    1295: _query("the statement is not supported here"),
    1305: _query("a function or procedure does not exist"),
    1318: _query("a procedure is called with the wrong number of arguments"),
    1336: COMMITS,
    1345: RIGHT,
    1356: _query("a view is invalid, or the right to what it uses is missing"),
    1364: _query("a column that has no default is not set by the query"),
    1370: RIGHT,
    1422: COMMITS,
    1442: _query("a trigger changes the table that the query changes"),
    1288: _query("the table or view takes no such change"),
    1471: _query("the table or view takes no such change"),
    4078: _query("values of these types cannot be compared"),
    1509: COMMITS,
    1582: _query("a function is called with the wrong number of arguments"),
    1630: _query("a function does not exist"),
    3105: _query("a generated column cannot be given a value"),
    1906: _query("a generated column cannot be given a value"),
    4166: _query("the query uses what the server does not allow"),
    # The target's fault.
    1044: _target("the user has no right to this database"),
    1045: PASSWORD,
    1698: PASSWORD,
    1251: _target("the server asks for a login method that the driver does not know"),
    1275: _target("the server asks for a login method that the driver does not know"),
    1524: _target("the server has no plugin for this account's login"),
    2054: _target("the server asks for a login method that the driver does not know"),
    2059: _target("the server asks for a login method that the driver does not know"),
    1046: _target("the URL names no database"),
    1049: _target("the database does not exist"),
    1129: _target("the server has blocked this host after many failed connections: FLUSH HOSTS"),
    1130: _target("the server does not accept connections from this host"),
    1820: EXPIRED,
    1862: EXPIRED,
    3118: LOCKED_ACCOUNT,
    3955: LOCKED_ACCOUNT,
    4151: LOCKED_ACCOUNT,
    1665: _target("binlog_format is STATEMENT, which excludes READ COMMITTED: set it to ROW or MIXED"),
    1021: FULL,
    1114: FULL,
    1016: _target("the server cannot open a table's file"),
    1034: CRASHED,
    1035: CRASHED,
    1194: CRASHED,
    1195: CRASHED,
    2026: _target("TLS failed"),
    3159: _target("the server accepts only TLS"),
    4163: _target("the server accepts only TLS"),
}


def verdict(code: int) -> Verdict:
    """The row of an error code; UNLISTED for a code that the table has not."""
    return VERDICTS.get(code, UNLISTED)


# Only messages that hold names and nothing else; they must match from beginning to end, since a value
# could say anything. Names are those of the query's own text, where no profile data can stand.
_NAMES = {
    1048: re.compile(r"Column '(?P<column>\w+)' cannot be null"),
    1054: re.compile(r"Unknown column '(?P<column>[\w.]+)' in '[\w ]+'"),
    1142: re.compile(r"\w+ command denied to user \S+ for table [`']?(?P<table>[\w.`]+?)[`']?"),
    1146: re.compile(r"Table '(?P<table>[\w.]+)' doesn't exist"),
    1264: re.compile(r"Out of range value for column '(?P<column>\w+)' at row \d+"),
    1364: re.compile(r"Field '(?P<column>\w+)' doesn't have a default value"),
    1406: re.compile(r"Data too long for column '(?P<column>\w+)' at row \d+"),
}


def where(code: int, message: str) -> str:
    """The table's or column's name, as in "column 'email'"; empty where none can be told safely."""
    pattern = _NAMES.get(code)
    match = pattern.fullmatch(message) if pattern else None
    if match is None:
        return ""
    return ", ".join(f"{kind} {name.replace('`', '')!r}" for kind, name in match.groupdict().items())
