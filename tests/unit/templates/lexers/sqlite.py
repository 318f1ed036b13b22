"""SQLite, from "SQL As Understood By SQLite": comments, literal values, identifiers, parameters (sqlite.org)."""

from __future__ import annotations

from tests.unit.templates.lexers.reading import Reading, Token, is_letter


class Sqlite(Reading):
    """Comments do not nest, and one that is not closed ends with the text. Nothing is escaped but by doubling."""

    def token(self) -> Token:  # noqa: PLR0911 - a kind of token each
        if self.sees("--"):
            return self.line_comment()
        if self.sees("/*"):
            comment = self.block_comment(nested=False)
            return Token("comment", comment.text)
        one = self.here()
        if one == "'":
            return self.quoted("literal")
        if one in '"`':
            return self.quoted("name")
        if one == "[":
            return self.quoted("name", close="]", doubles=False)
        if one in "xX" and self.here(1) == "'":
            self.take()
            return self.quoted("prefixed", doubles=False)
        if one == "?" or (one in "$@:#" and (is_letter(self.here(1)) or self.here(1) in ("$", ":"))):
            return self._parameter()
        return self.word("$") if is_letter(one) or one == "$" else self.sign()

    def _parameter(self) -> Token:
        """`?5`, `:a`, `@a`, and `$a::b(…)`, whose bracket belongs to its name."""
        start = self.at
        self.take()
        while is_letter(self.here()) or self.here() == "$" or self.sees("::"):
            self.take(2 if self.sees("::") else 1)
        if self.here() == "(" and self.at > start + 1:
            while self.here() not in ("", " ", "\t", "\n", ")"):
                self.take()
            self.take(1 if self.here() == ")" else 0)
        return Token("parameter", self.text[start : self.at])
