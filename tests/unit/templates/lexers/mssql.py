"""SQL Server, from "Constants", "Database Identifiers", "Comment", "Backslash (Line Continuation)" (Transact-SQL)."""

from __future__ import annotations

from tests.unit.templates.lexers.reading import Reading, Token, is_letter


class Mssql(Reading):
    """Comments nest; double quotes and brackets hold names; a backslash at a line's end goes, and the end with it."""

    def token(self) -> Token:  # noqa: PLR0911 - a kind of token each
        if self.sees("--"):
            return self.line_comment()
        if self.sees("/*"):
            return self.block_comment(nested=True)
        one = self.here()
        if one in "nN" and self.here(1) == "'":
            self.take()
            return self._literal("literal")
        if one == "'":
            return self._literal("narrow")
        if one == '"':
            return self.quoted("name")
        if one == "[":
            return self.quoted("name", close="]")
        return self.word("@#$") if is_letter(one) or one in "@#$" else self.sign()

    def _literal(self, kind: str) -> Token:
        found = self.quoted(kind)
        return Token(found.kind, found.text.replace("\\\r\n", "").replace("\\\n", ""))
