"""Lexers written a second time, from the vendors' pages, to judge the compiler's own.

They read a finished statement from its first character to its last, as a server would: no stretches, no states at tags,
no patterns, and none of the compiler's strictness. What they have in common with it is what the databases' manuals say.
"""

from tests.unit.templates.lexers.clickhouse import Clickhouse
from tests.unit.templates.lexers.mssql import Mssql
from tests.unit.templates.lexers.mysql import Mysql
from tests.unit.templates.lexers.oracle import Oracle
from tests.unit.templates.lexers.postgresql import Postgresql
from tests.unit.templates.lexers.reading import Token
from tests.unit.templates.lexers.sqlite import Sqlite

LEXERS = {
    "mysql": Mysql,
    "postgresql": Postgresql,
    "sqlite": Sqlite,
    "mssql": Mssql,
    "oracle": Oracle,
    "clickhouse": Clickhouse,
}


def tokens(statement: str, dialect: str) -> list[Token]:
    """The statement's tokens; blanks are none, comments are."""
    return LEXERS[dialect](statement).tokens()


__all__ = ["LEXERS", "Token", "tokens"]
