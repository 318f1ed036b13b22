"""What follows from each error of PostgreSQL.

By SQLSTATE (PostgreSQL's documentation, appendix "Error Codes"): the code itself, or else its class, the first two
characters. While connecting there is none: libpq keeps it to itself, so the texts are looked at. A reason is our
sentence, never the server's: that one can quote a whole row ("Failing row contains …").
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
SILENT = _ambiguous("the server did not answer within the connector's statement timeout")
LIMIT = _split("the statement is beyond one of the server's limits")
ENCODING = _data("a text cannot be represented in the database's encoding")
TYPES = _query("types do not fit: a literal needs a cast, or the column another type")

VERDICTS: Mapping[str, Verdict] = {
    # Passes by itself.
    "40001": _undone("the transaction conflicted with another one"),
    "40P01": _undone("a deadlock with another transaction"),
    "55P03": _undone("another transaction held a lock for too long"),
    "55006": _retry("an object is in use"),
    "57P01": _retry("the session was ended by an administrator or by this lane's next deliverer"),
    "57P02": _retry("another session crashed the server, which is recovering"),
    "57P03": _retry("the server is starting or shutting down"),
    "57P05": _retry("the server has closed the link for idleness"),
    "25P03": _retry("the server has closed the transaction for idleness"),
    "25006": _retry("the server takes no writes now: a failover is under way, or the URL names a replica"),
    "53200": _retry("the server is out of memory"),
    "53300": _retry("the server, the database or the user has too many connections"),
    "72000": _retry("the snapshot is too old"),
    # May have been done, or not.
    "08": LOST,
    "40003": _ambiguous("the server does not know whether the statement was completed"),
    "57014": _ambiguous("the statement took longer than the connector's statement timeout, or was cancelled"),
    "25P04": _ambiguous("the transaction took longer than the server's transaction timeout"),
    # Too large.
    "54": LIMIT,
    "53400": LIMIT,
    # The data's fault.
    "21000": _data("one statement would change the same row twice"),
    "22": _data("a value does not fit"),
    "22001": _data("a text is longer than its column"),
    "22003": _data("a number is out of range"),
    "22007": _data("a value is no date or time"),
    "22008": _data("a date or time is out of range"),
    "22012": _data("a division by zero"),
    "22021": ENCODING,
    "22P05": ENCODING,
    "22P02": _data("a value is no literal of its column's type"),
    "22032": _data("a value is no valid JSON"),
    "23": _data("a row breaks a constraint"),
    "23502": _data("a value is missing that its column needs"),
    "23503": _data("a foreign key points at a row that is not there, or other rows point at this row"),
    "23505": ALREADY_THERE,
    "23514": _data("a row breaks a check constraint, or no partition takes it"),
    "23P01": _data("a row breaks an exclusion constraint"),
    "44000": _data("a row breaks its view's check option"),
    "P0001": _data("a trigger or function refused the row"),
    # The query's fault, or the table's.
    "0A": _query("the server does not support this"),
    "25": _query("the query does what the state of the transaction does not allow"),
    "25P02": Verdict(ErrorClass.UNKNOWN, "an earlier statement had ended the transaction"),
    "2D000": _query("a procedure commits or rolls back by itself, which no query may do"),
    "2F": _query("a function failed"),
    "3F000": _query("a schema does not exist"),
    "42": _query("the query is wrong for this database"),
    "42501": _query("the user has no right to do this"),
    "42601": _query("the query is no valid SQL, or more than one statement"),
    "42702": _query("a column's name stands for several columns"),
    "42703": _query("a column does not exist"),
    "42804": TYPES,
    "42846": TYPES,
    "42883": _query("a function or operator does not exist for these types"),
    "42P01": _query("a table does not exist"),
    "42P10": _query("ON CONFLICT names columns that have no unique key"),
    "55000": _query("an object is not in the state that the query needs"),
    "428C9": _query("a generated column cannot be given a value"),
    # The target's fault.
    "28": _target("the server refuses this user or password"),
    "3D000": _target("the database does not exist"),
    "53100": _target("the disk is full"),
    "57P04": _target("the database was dropped"),
    "58": _target("the server failed at its operating system"),
    "F0": _target("the server's configuration is wrong"),
    "XX001": _target("a table is damaged"),
    "XX002": _target("an index is damaged"),
}


def verdict(sqlstate: str | None) -> Verdict:
    """The row of a SQLSTATE; LOST for none, which is how libpq tells that nobody answers."""
    if sqlstate is None:
        return LOST
    return VERDICTS.get(sqlstate) or VERDICTS.get(sqlstate[:2], UNLISTED)


# In this order: one message can hold several attempts, and what a server said weighs more than that another address
# was not listening. English only: a server that speaks another language is held, and probed after some minutes.
CONNECTING = (
    ("too many clients", _retry("the server has too many connections")),
    ("too many connections", _retry("the database or the user has too many connections")),
    ("remaining connection slots", _retry("the server has too many connections")),
    ("the database system is", _retry("the server is starting or shutting down")),
    ("password authentication failed", _target("the server refuses this user or password")),
    ("no password supplied", _target("the server asks for a password, and the connector has none")),
    ("authentication failed", _target("the server refuses this user")),
    ("no pg_hba.conf entry", _target("the server accepts no connections from this host for this user and database")),
    ("pg_hba.conf rejects", _target("the server accepts no connections from this host for this user and database")),
    ("is not permitted to log in", _target("this user may not log in")),
    ("permission denied for database", _target("the user has no right to this database")),
    ('role "" does not exist', _target("the user does not exist")),
    ('database "" does not exist', _target("the database does not exist")),
    ("certificate", _target("TLS failed: a certificate is missing, wrong or not to be trusted")),
    ("SSL", _target("TLS failed")),
    ("Connection refused", _retry("the server does not listen at this address")),
    ("No such file or directory", _retry("the server does not listen at this address")),
    ("resolve host", _retry("the server's host name cannot be resolved")),
    ("translate host name", _retry("the server's host name cannot be resolved")),
    ("No route to host", _retry("the server cannot be reached")),
    ("Network is unreachable", _retry("the server cannot be reached")),
    ("timeout", _retry("the server did not answer within the connector's connect timeout")),
    ("timed out", _retry("the server did not answer within the connector's connect timeout")),
    ("server closed the connection", _retry("the server hung up")),
    ("Connection reset", _retry("the server hung up")),
)


def connecting(message: str) -> Verdict:
    """The verdict on a connection that did not come about, by libpq's message."""
    # A host may be called "database".
    said = re.sub(r'"[^"]*"', '""', message)
    return next((verdict for part, verdict in CONNECTING if part in said), UNLISTED)
