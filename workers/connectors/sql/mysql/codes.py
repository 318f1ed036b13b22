"""Codes of MySQL and MariaDB, and what each says.

The servers' references: dev.mysql.com "Server Error Message Reference", mariadb.com "MariaDB Error Code Reference";
2000 to 2999 are the client's. A reason is our sentence, never the server's: that one can quote a value
("Duplicate entry '…'").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.connectors.sql.verdicts import (
    REFUSED,
    ambiguous,
    broken_off,
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

    from workers.connectors.sql.verdicts import Verdict

LOST = ambiguous("the link to the server was lost")
TIMEOUT = ambiguous("the statement took longer than the connector's statement timeout")
ENDED = ambiguous("the session was ended by an administrator or by this lane's next deliverer")
READ_ONLY = retry("the server takes no writes now: a failover is under way, or the URL names a replica")
PASSWORD = target("the server refuses this user or password; an account that REQUIREs a certificate needs ssl_cert")
UNWANTED = broken_off("ssl_cert")
LOCKED_ACCOUNT = target("the server has locked this account")
EXPIRED = target("the account's password has expired")
RIGHT = query("the user has no right to do this")
CRASHED = target("a table is damaged and needs a repair")
DISK_FULL = retry("the server's disk is full: make room on it")
"""What waits goes on by itself once there is room: the manual's "How MySQL Handles a Full Disk"."""
FULL = retry("a table is full: its disk, its tablespace or its largest size")
"""The manual of 1114: raised for InnoDB where its disk or tablespace is full, which may pass as disks do."""
REPEATED = data("a row with this unique key is already there", Matter.UNIQUE_KEY)
NO_PARENT = data("a foreign key points at a row that is not there")
HAS_CHILDREN = data("other rows point at this row by a foreign key")
WRONG_VALUE = data("a value does not fit its column's type")
WRONG_DATE = data("a value is no date or number that the column can take")
NOT_NULL = data("a value is missing that its column needs")
CHECK = data("a row breaks a check constraint")
JSON = data("a value is no valid JSON")
GEOMETRY = data("a value is no geometry")
REGEXP = data("a regular expression is wrong, or takes too long")
SEVERAL_ROWS = data("a subquery gives several rows where one is expected")
FOREIGN_TEXT = data("a text has characters that the column's character set has not")
USED_UP = query("an AUTO_INCREMENT column or a sequence has no numbers left: give it a larger type or maximum")
COLLATIONS = query("collations or character sets do not go together: the query's, or a value's with the column's")
NO_PARTITION = data("no partition takes this row's value")
WRONG = query("the query is wrong for this database")
DEFINER = query(
    "the account that a view, trigger or procedure runs as (its DEFINER) does not exist, or may not do this"
)
NO_PARTITION_NAMED = query("the query names a partition that does not exist")
COMMITS = query("the query would commit by itself, which no query may do")

VERDICTS: Mapping[int, Verdict] = {
    # Passes by itself.
    1205: undone("another transaction held a lock for too long"),
    1213: undone("a deadlock with another transaction"),
    3058: undone("a deadlock over session locks"),
    3101: undone("the transaction conflicted with one on another node"),
    1020: undone("another transaction changed the row in the meantime"),
    3572: undone("another transaction holds a lock"),
    1040: retry("the server has too many connections"),
    1203: retry("this user has too many connections"),
    1226: retry("this user's quota, of connections at once or in an hour, is used up"),
    1047: retry("the node does not take statements now"),
    1053: retry("the server is shutting down"),
    1206: retry("the server has no memory left for locks"),
    1037: retry("the server is out of memory"),
    1038: retry("the server is out of memory for sorting"),
    1041: retry("the server is out of memory"),
    1135: retry("the server cannot make another thread"),
    1637: retry("the server has too many transactions"),
    1461: retry("the server takes no more prepared statements (max_prepared_stmt_count), by which queries are tried"),
    1021: DISK_FULL,
    1114: FULL,
    1290: READ_ONLY,
    1792: READ_ONLY,
    1836: READ_ONLY,
    2002: retry("the server cannot be reached"),
    2003: retry("the server cannot be reached"),
    2005: retry("the server's host name cannot be resolved"),
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
    4031: ambiguous("the server has closed the link for idleness"),
    1317: ENDED,
    1180: ambiguous("the server failed while it committed"),
    1969: TIMEOUT,
    3024: TIMEOUT,
    # Too large.
    1153: split("the statement is larger than the server's max_allowed_packet"),
    1390: split("the statement has too many parameters"),
    1197: split("the transaction is larger than the server's max_binlog_cache_size"),
    1436: split("the statement is too deep for the server's thread stack"),
    2020: split("the statement is larger than max_allowed_packet"),
    # The data's fault.
    1048: NOT_NULL,
    1263: NOT_NULL,
    1062: REPEATED,
    1586: REPEATED,
    1216: NO_PARENT,
    1452: NO_PARENT,
    1217: HAS_CHILDREN,
    1451: HAS_CHILDREN,
    1118: data("a row is too long for its table"),
    1264: data("a number is out of its column's range"),
    1690: data("a number is out of range"),
    1265: WRONG_VALUE,
    1366: WRONG_VALUE,
    1367: WRONG_VALUE,
    1292: WRONG_DATE,
    1411: WRONG_DATE,
    1441: WRONG_DATE,
    1525: WRONG_DATE,
    1300: data("a text is no valid UTF-8"),
    3854: data("a text cannot be converted to the column's character set"),
    1977: FOREIGN_TEXT,  # MariaDB's, of CONVERT
    3988: data("a text cannot be converted to the column's character set"),
    **dict.fromkeys((1162, 1301), data("a text is larger than the server's max_allowed_packet")),
    1365: data("a division by zero"),
    1406: data("a text is longer than its column"),
    1416: GEOMETRY,
    1526: NO_PARTITION,
    1748: NO_PARTITION,
    1022: REPEATED,
    1169: REPEATED,
    1139: REGEXP,
    **dict.fromkeys(range(3685, 3701), REGEXP),
    1172: SEVERAL_ROWS,
    1242: SEVERAL_ROWS,
    **dict.fromkeys((1321, 1339), REFUSED),
    1643: REFUSED,
    1644: REFUSED,
    1369: data("a row breaks its view's check option"),
    1918: WRONG_VALUE,
    3037: GEOMETRY,
    3055: GEOMETRY,
    3516: GEOMETRY,
    3616: data("a longitude is out of range"),
    3617: data("a latitude is out of range"),
    3643: data("a geometry is of another coordinate system than its column"),
    3819: CHECK,
    4025: CHECK,
    3140: JSON,
    3141: JSON,
    **dict.fromkeys((3143, 3153, 3154), JSON),
    1231: data("a trigger sets a variable to a value that it does not take"),
    3144: JSON,
    3146: JSON,
    3149: JSON,
    3156: JSON,
    3157: JSON,
    3158: JSON,
    3903: JSON,
    **dict.fromkeys(range(4035, 4038), JSON),
    **dict.fromkeys(range(4038, 4045), JSON),
    # The query's fault, or the table's.
    1052: query("a column's name stands for several columns"),
    1054: query("a column does not exist"),
    1064: query("the statement is no valid SQL: the query is wrong, or the values leave a part of it empty"),
    1065: query("the query came out empty"),
    1093: query("the query reads the table that it changes"),
    1104: query("the query would look at more rows than the server's max_join_size allows"),
    1175: query("the server's sql_safe_updates refuses a change without a key"),
    1100: query("the session has tables locked"),
    1103: query("a table's name is not allowed"),
    1109: query("the query names a table that it does not use"),
    1110: query("the query sets a column twice"),
    1111: query("an aggregate function stands where none may stand"),
    1128: query("a function is not known"),
    1136: query("the number of values differs from the number of columns"),
    1142: RIGHT,
    1143: RIGHT,
    1146: query("a table does not exist"),
    1148: query("the query uses what the server does not allow"),
    1166: query("a column's name is not allowed"),
    1176: query("an index does not exist"),
    1179: COMMITS,
    1191: query("there is no FULLTEXT index over these columns"),
    1193: query("a variable does not exist: the query's, or one that the session sets"),
    1221: query("two clauses of the query do not go together"),
    1222: query("the parts of a UNION have different numbers of columns"),
    1227: RIGHT,
    1235: query("the server does not support this"),
    1241: query("the number of columns is wrong"),
    1267: COLLATIONS,
    1270: COLLATIONS,
    1271: COLLATIONS,
    1273: query("a collation is not known"),
    1295: query("the statement is not supported here"),
    1305: query("a function or procedure does not exist"),
    1318: query("a procedure is called with the wrong number of arguments"),
    1336: COMMITS,
    1345: RIGHT,
    1356: query("a view is invalid, or the right to what it uses is missing"),
    1364: query("a column that has no default is not set by the query"),
    1370: RIGHT,
    1422: COMMITS,
    1449: DEFINER,
    1735: NO_PARTITION_NAMED,
    1747: NO_PARTITION_NAMED,
    **dict.fromkeys((4004, 4161), WRONG),
    1442: query("a trigger changes the table that the query changes"),
    1288: query("the table or view takes no such change"),
    1471: query("the table or view takes no such change"),
    4078: query("values of these types cannot be compared"),
    1509: COMMITS,
    1582: query("a function is called with the wrong number of arguments"),
    1630: query("a function does not exist"),
    3105: query("a generated column cannot be given a value"),
    1906: query("a generated column cannot be given a value"),
    **dict.fromkeys((3948, 4166), query("the query uses what the server does not allow")),
    167: USED_UP,
    1467: USED_UP,
    4084: USED_UP,
    # The target's fault.
    1044: target("the user has no right to this database"),
    1045: PASSWORD,
    1698: PASSWORD,
    1251: target("the server asks for a login method that the driver does not know"),
    1275: target("the server asks for a login method that the driver does not know"),
    1524: target("the server has no plugin for this account's login"),
    2054: target("the server asks for a login method that the driver does not know"),
    2059: target("the server asks for a login method that the driver does not know"),
    1046: target("the URL names no database"),
    1049: target("the database does not exist"),
    1129: target("the server has blocked this host after many failed connections: FLUSH HOSTS"),
    1130: target("the server does not accept connections from this host"),
    1820: EXPIRED,
    1862: EXPIRED,
    3118: LOCKED_ACCOUNT,
    3955: LOCKED_ACCOUNT,
    4151: LOCKED_ACCOUNT,
    1298: target(
        'the server does not know the connector\'s time zone: load its time zone tables, or use timezone = "UTC"'
    ),
    1665: target("binlog_format is STATEMENT, which excludes READ COMMITTED: set it to ROW or MIXED"),
    1016: target("the server cannot open a table's file"),
    1034: CRASHED,
    1035: CRASHED,
    1194: CRASHED,
    1195: CRASHED,
    2026: target("TLS failed"),
    3159: target("the server accepts only TLS"),
    4163: target("the server accepts only TLS"),
}
