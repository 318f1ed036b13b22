"""Which statements a query may hold (rule 21): those that change rows, inside segsync's transaction.

Session and transaction words, DDL and TRUNCATE end or escape that transaction, or change what escaping
relies on; what they would do silently is found here instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.templates.regions import DYNAMIC

if TYPE_CHECKING:
    from workers.templates.dialect import Dialect
    from workers.templates.progress import Progress

_TRANSACTION = "segsync opens and ends the transaction around all statements of a batch"
_SESSION = "it changes the session that later statements use; settings belong to the connector or the database user"
_DDL = "queries change rows; tables are made beforehand, and many databases commit at DDL by themselves"

_REASONS = {
    **dict.fromkeys(("begin", "start", "commit", "rollback", "abort", "end", "savepoint", "release"), _TRANSACTION),
    **dict.fromkeys(("prepare", "lock", "unlock", "xa", "save"), _TRANSACTION),
    **dict.fromkeys(("set", "reset", "use", "discard", "pragma", "attach", "detach", "handler"), _SESSION),
    **dict.fromkeys(("listen", "unlisten", "notify", "declare"), _SESSION),
    **dict.fromkeys(("create", "alter", "drop", "rename", "comment", "grant", "revoke", "deny"), _DDL),
    **dict.fromkeys(("vacuum", "analyze", "reindex", "optimize"), _DDL),
    "truncate": "it cannot be rolled back everywhere and commits by itself in MySQL; write DELETE FROM",
}

_CALLS = frozenset({"call", "exec", "execute"})
EXECUTES = frozenset({"exec", "execute"})

# What ALTER TABLE does in ClickHouse beside changing rows.
_ALTERATIONS = frozenset(
    (
        *("add", "drop", "modify", "rename", "comment", "attach", "detach", "freeze", "unfreeze", "materialize"),
        *("clear", "move", "replace", "fetch", "order", "sample", "reset", "remove", "apply"),
    )
)


def verb_mistake(word: str, dialect: Dialect, allow: frozenset[str]) -> str | None:
    """Why no statement may begin with this word; None if one may."""
    calls = _calls(dialect)
    if word in dialect.verbs or (word in calls and "call" in allow):
        return None
    if word in calls:
        return f'{word.upper()} runs code that segsync cannot check; say allow = ["call"] in its connector if it must'
    reason = _REASONS.get(word)
    because = f": {reason}" if reason else ""
    verbs = ", ".join(verb.upper() for verb in sorted(dialect.verbs))
    return f"a statement may not begin with {word.upper()}{because} (statements here begin with {verbs})"


def inner_mistake(
    word: str, dialect: Dialect, allow: frozenset[str], progress: Progress, *, called: bool | None
) -> str | None:
    """Why this word may not stand inside a statement; None if it may."""
    reason = dialect.nowhere.get(word) or (None if called else dialect.uncalled.get(word))
    if reason and not (word in _calls(dialect) and "call" in allow):
        return f"{word.upper()} cannot stand in a query: {reason}"
    if word == "into" and not progress.into:
        return "SELECT … INTO makes a table, a file or a variable; write INSERT INTO … SELECT"
    if word == "function" and progress.previous == "into":
        return "INSERT INTO FUNCTION writes outside of the connector's database; write the table's name"
    if dialect.one_batch:
        return _batch_mistake(word, progress, called=called)
    return None if called else _alter_mistake(word, progress.alter)


def _batch_mistake(word: str, progress: Progress, *, called: bool | None) -> str | None:
    """What SQL Server would run as a statement of its own, or as another than it looks like."""
    if word in EXECUTES and called is not False:
        return f"{word.upper()} (…) cannot stand in a query: {DYNAMIC}"
    if word == "set" and not progress.set:
        return f"SET without an UPDATE before it cannot stand in a query: {_SESSION}"
    if word == "statistics" and progress.previous == "update":
        return f"UPDATE STATISTICS cannot stand in a query: {_DDL}"
    return None


def _calls(dialect: Dialect) -> frozenset[str]:
    """What calls a procedure; EXECUTE of other databases runs a prepared statement, or a text, which can do all."""
    return EXECUTES if dialect.one_batch else _CALLS - EXECUTES


def _alter_mistake(word: str, alter: str) -> str | None:
    if (alter == "alter" and word != "table") or (alter and word in _ALTERATIONS):
        return (
            f"ALTER TABLE may only UPDATE or DELETE; {word.upper()} is not for queries (a column's name: in backticks)"
        )
    return None


_COMMENTS = ("--", "#", "//")


def terminated(statement: str) -> str:
    """The statement with one `;` at its end; on a line of its own where a comment, of any dialect, could hide it.

    SQL Server's MERGE needs it, and so does a file of statements. A literal that only looks like a comment costs a
    line break.
    """
    line = statement.rpartition("\n")[2]
    if any(sign in line for sign in _COMMENTS):
        return f"{statement}\n;"
    return statement if statement.endswith(";") else f"{statement};"
