"""MySQL, from "Language Structure": String Literals, Identifiers, User Variables, Comments (dev.mysql.com/doc)."""

from __future__ import annotations

from tests.unit.templates.lexers.reading import BLANKS, Reading, Token, is_letter

_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}


class Mysql(Reading):
    """Backslashes escape in literals, be they in single or in double quotes. Comments do not nest."""

    def token(self) -> Token:
        if self.here() == "#" or (self.sees("--") and (self.here(2) == "" or self.here(2) in BLANKS)):
            return self.line_comment()
        if self.sees("/*"):
            return self._comment()
        one = self.here()
        if one in "'\"":
            return self.quoted("literal", escapes="\\")
        if one == "`":
            return self.quoted("name")
        if one == "@" and self.here(1) in ("'", '"', "`"):
            self.take()
            return self.quoted("variable", escapes="" if self.here() == "`" else "\\")
        return self._word() if is_letter(one) or one == "$" else self.sign()

    def _word(self) -> Token:
        behind_dot = self.at > 0 and self.text[self.at - 1] == "."  # where a name stands
        if self.here().lower() in "nxb" and self.here(1) == "'" and not behind_dot:
            has_digits = self.take() in "xXbB"
            return self.quoted("prefixed", escapes="" if has_digits else "\\", doubles=not has_digits)
        return self.word("$")

    def _comment(self) -> Token:
        """`/*! … */` and `/*M! … */` are run. A hint is read by a lexer of its own, which knows names in quotes."""
        if self.sees("/*!") or self.sees("/*M!"):
            return Token("broken", self.take(len(self.text)))
        if self.sees("/*+"):
            return self._hint()
        return self.block_comment(nested=False)

    def _hint(self) -> Token:
        start = self.at
        self.take(3)
        while self.at < len(self.text) and not self.sees("*/"):
            if self.here() in "'\"`":
                self.quoted("name")
            else:
                self.take()
        ended = self.take(2) == "*/"
        return Token("comment" if ended else "broken", self.text[start : self.at])

    def escaped(self, character: str) -> str:
        return _ESCAPED.get(character, character)
