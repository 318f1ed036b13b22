"""What follows from each error of PostgreSQL.

By SQLSTATE (PostgreSQL's documentation, appendix "Error Codes"): the code itself, or else its class, the first two
characters. One code can stand for a query that is wrong and for a value that is: then the server's own source file,
which it tells with each error, says which (`_by_place`). While connecting there is none: libpq keeps it to itself, so
the texts are looked at. A reason is our sentence, never the server's: that one can quote a whole row ("Failing row
contains …").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from workers.connectors.sql.verdicts import (
    REFUSED,
    UNLISTED,
    Verdict,
    ambiguous,
    broken_off,
    data,
    query,
    retry,
    split,
    target,
    undone,
    unknown,
)
from workers.errors import ErrorClass, Matter

if TYPE_CHECKING:
    from collections.abc import Mapping

LOST = ambiguous("the link to the server was lost")
SILENT = ambiguous("the server did not answer within the connector's statement timeout")
LIMIT = split("the statement is beyond one of the server's limits")
ENCODING = data("a text cannot be represented in the database's encoding")
TYPES = query(
    "types do not fit: a literal needs a cast, or the column another type, or a value that stands without quotes is of"
    " another type than in other profiles",
    Matter.TYPES,
)
ROW_SECURITY = data("row security lets this user write no such row")
SYNTAX = data("a value is not in the language of its type or function, such as a text search's or a path's")
SEVERAL_ROWS = data("a subquery gives several rows where one is expected")
LARGE_VALUE = data("a value is larger than an index, a row or its type allows")

VERDICTS: Mapping[str, Verdict] = {
    # Passes by itself.
    "40001": undone("the transaction conflicted with another one"),
    "40P01": undone("a deadlock with another transaction"),
    "55P03": undone("another transaction held a lock for too long"),
    "55006": retry("an object is in use"),
    "57P01": retry("the session was ended by an administrator or by this lane's next deliverer"),
    "57P02": retry("another session crashed the server, which is recovering"),
    "57P03": retry("the server is starting or shutting down"),
    "57P05": retry("the server has closed the link for idleness"),
    "25P03": retry("the server has closed the transaction for idleness"),
    "25006": retry("the server takes no writes now: a failover is under way, or the URL names a replica"),
    "53100": retry("the server's disk is full: make room on it"),
    "53200": retry("the server is out of memory"),
    "53300": retry("the server, the database or the user has too many connections"),
    "72000": retry("the snapshot is too old"),
    # May have been done, or not.
    "08": LOST,
    "40003": ambiguous("the server does not know whether the statement was completed"),
    "57014": ambiguous("the statement took longer than the connector's statement timeout, or was cancelled"),
    "25P04": ambiguous("the transaction took longer than the server's transaction timeout"),
    # Too large.
    "54": LIMIT,
    "53400": LIMIT,
    # The data's fault.
    "21000": data("one statement would change the same row twice"),
    "22": data("a value does not fit"),
    "22000": data("a value does not fit"),
    "22001": data("a text is longer than its column"),
    "22003": data("a number is out of range"),
    "22007": data("a value is no date or time"),
    "22008": data("a date or time is out of range"),
    "22012": data("a division by zero"),
    "22021": ENCODING,
    "22P05": ENCODING,
    "22P02": data("a value is no literal of its column's type"),
    "22032": data("a value is no valid JSON"),
    "23": data("a row breaks a constraint"),
    "23502": data("a value is missing that its column needs"),
    "23503": data("a foreign key points at a row that is not there, or other rows point at this row"),
    "23505": data("a row with this unique key is already there", Matter.UNIQUE_KEY),
    "23514": data("a row breaks a check constraint, or no partition takes it"),
    "23P01": data("a row breaks an exclusion constraint"),
    "44000": data("a row breaks its view's check option"),
    # A trigger or function of the user's, in whatever language. Their own codes: `verdict`.
    "P0": REFUSED,
    "20000": REFUSED,
    "38": REFUSED,
    "39": REFUSED,
    # Nobody can say whose: extensions report bad values so, and the server its own mistakes; a foreign server may be
    # away, or refuse a row.
    "XX000": unknown("the server or an extension failed inside: a value may be at fault, or the server"),
    "HV": unknown("a foreign data wrapper failed: a value may be at fault, or the foreign server"),
    "HV00N": retry("a foreign server cannot be reached"),
    # The query's fault, or the table's.
    "0A": query("the server does not support this"),
    "25": query("the query does what the state of the transaction does not allow"),
    "25P02": Verdict(ErrorClass.UNKNOWN, "an earlier statement had ended the transaction"),
    "2D000": query("a procedure commits or rolls back by itself, which no query may do"),
    "2F": query("a function failed"),
    "3F000": query("a schema does not exist"),
    "42": query("the query is wrong for this database"),
    "42501": query("the user has no right to do this"),
    "42601": query("the statement is no valid SQL: the query is wrong, or the values leave a part of it empty"),
    "42702": query("a column's name stands for several columns"),
    "42703": query("a column does not exist"),
    "42804": TYPES,
    "42846": TYPES,
    "42883": query(
        "a function or operator does not exist for these types: a literal needs a cast, or a value that stands without"
        " quotes is of another type than in other profiles",
        Matter.TYPES,
    ),
    "42P18": query("the type of a literal cannot be told: it needs a cast, as an empty list or a missing value does"),
    "42P01": query("a table does not exist"),
    "42P10": query("ON CONFLICT names columns that have no unique key"),
    "55000": query("an object is not in the state that the query needs"),
    "428C9": query("a generated column cannot be given a value"),
    "2200H": query("a sequence or identity column has no numbers left: give it a larger type or maximum"),
    # The target's fault.
    "28": target("the server refuses this user or password"),
    "3D000": target("the database does not exist"),
    "57P04": target("the database was dropped"),
    "58": target("the server failed at its operating system"),
    "F0": target("the server's configuration is wrong"),
    "XX001": target("a table is damaged"),
    "XX002": target("an index is damaged"),
}


PARSERS = re.compile(r"(scan\.l|gram\.y|parser\.c|analyze\.c|parse_\w+\.c|pl_\w+\.\w+|postgres\.c)")
"""The server's source files that read SQL and PL/pgSQL; a syntax error of any other is of a type or a function."""
_OWN = (
    "00 01 02 03 08 09 0A 0B 0F 0L 0P 0Z 10 20 21 22 23 24 25 26 27 28 2B 2D 2F 34 38 39 3B 3D 3F 40 42 44"
    " 53 54 55 57 58 72 F0 HV P0 XX"
)
CLASSES = frozenset(_OWN.split())
"""The server's own classes; whatever is in none of them is a user's own code."""


def verdict(sqlstate: str | None, file: str = "", routine: str = "") -> Verdict:
    """The row of a SQLSTATE; LOST for none, which is how libpq tells that nobody answers.

    file, routine  where in the server's source the error was raised; "" where it does not say
    """
    if sqlstate is None:
        return LOST
    row = VERDICTS.get(sqlstate) or VERDICTS.get(sqlstate[:2])
    if routine == "exec_stmt_raise" and not _as_said(row):
        return REFUSED
    if row is None:
        return UNLISTED if sqlstate[:2] in CLASSES else REFUSED
    return _by_place(sqlstate, file, routine) or row


def _as_said(row: Verdict | None) -> bool:
    """A RAISE may name any code; what names one of the data's, or asks to be tried again (class 40), says enough."""
    return row is not None and (row.error_class is ErrorClass.ISOLATE or row.undone)


def _by_place(sqlstate: str, file: str, routine: str) -> Verdict | None:
    """What the source file makes of a code that stands for several things; None where the code says enough."""
    match sqlstate:
        case "42501" if routine == "ExecWithCheckOptions":
            return ROW_SECURITY
        case "42601" if file and not PARSERS.fullmatch(file):
            return SYNTAX
        case "21000" if file == "nodeSubplan.c":
            return SEVERAL_ROWS
        case "54000" if file and file != "stringinfo.c":
            return LARGE_VALUE
    return None


# In this order: one message can hold several attempts, and what a server said weighs more than that another address
# was not listening. English only: a server that speaks another language is held, and probed after some minutes.
NOT_THE_ONE = retry(
    "no server here is what the URL's target_session_attrs asks for: a failover is under way, or the URL names others"
)
HUNG_UP = retry("the server hung up; does it want TLS, or a certificate (sslcert)?")
CONNECTING = (
    ("too many clients", retry("the server has too many connections")),
    ("too many connections", retry("the database or the user has too many connections")),
    ("remaining connection slots", retry("the server has too many connections")),
    ("the database system is", retry("the server is starting or shutting down")),
    ("channel binding", target("the server does not do the channel binding that the URL asks for")),
    ("authentication method requirement", target("the server asks for another login than the URL's require_auth")),
    ("require_auth", target("the URL's require_auth names no way of logging in")),
    ("password authentication failed", target("the server refuses this user or password")),
    ("no password supplied", target("the server asks for a password, and the connector has none")),
    ("authentication failed", target("the server refuses this user")),
    ("no pg_hba.conf entry", target("the server accepts no connections from this host for this user and database")),
    ("pg_hba.conf rejects", target("the server accepts no connections from this host for this user and database")),
    ("is not permitted to log in", target("this user may not log in")),
    ("permission denied for database", target("the user has no right to this database")),
    ('role "" does not exist', target("the user does not exist")),
    ('database "" does not exist', target("the database does not exist")),
    ("hot standby mode", NOT_THE_ONE),
    ("session is read-only", NOT_THE_ONE),
    ("session is not read-only", NOT_THE_ONE),
    ("GSSAPI", target("the GSSAPI encryption that the URL asks for cannot be had")),
    ("alert", broken_off("sslcert")),
    ("unexpected eof", broken_off("sslcert")),
    (
        "private key file",
        target("TLS failed: expected in sslkey the key of sslcert, in PEM, without a password, for its owner alone"),
    ),
    ("certificate", target("TLS failed: a certificate is missing, wrong or not to be trusted")),
    ("SSL", target("TLS failed")),
    ("Connection refused", retry("the server does not listen at this address")),
    ("No such file or directory", retry("the server does not listen at this address")),
    ("resolve host", retry("the server's host name cannot be resolved")),
    ("translate host name", retry("the server's host name cannot be resolved")),
    ("No route to host", retry("the server cannot be reached")),
    ("Network is unreachable", retry("the server cannot be reached")),
    ("timeout", retry("the server did not answer within the connector's connect timeout")),
    ("timed out", retry("the server did not answer within the connector's connect timeout")),
    ("server closed the connection", HUNG_UP),
    ("Connection reset", HUNG_UP),
)


def connecting(message: str) -> Verdict:
    """The verdict on a connection that did not come about, by libpq's message."""
    # A host may be called "database".
    said = re.sub(r'"[^"]*"', '""', message)
    return next((verdict for part, verdict in CONNECTING if part in said), UNLISTED)
