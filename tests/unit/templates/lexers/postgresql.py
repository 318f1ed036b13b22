"""PostgreSQL, from "Lexical Structure" (postgresql.org/docs/current/sql-syntax-lexical.html)."""

from __future__ import annotations

from tests.unit.templates.lexers.reading import BLANKS, Reading, Token, is_letter


class Postgresql(Reading):
    """Comments nest. Letters are ASCII's and everything beyond it; words may hold digits and `$`, but not begin so."""

    def token(self) -> Token:  # noqa: PLR0911 - a kind of token each
        if self.sees("--"):
            return self.line_comment()
        if self.sees("/*"):
            return self.block_comment(nested=True)
        one = self.here()
        if one == "'":
            return self._continued(self.quoted("literal"))
        if one == '"':
            return self.quoted("name")
        if one == "$":
            return self._dollar()
        if one.isascii() and one.isdigit():
            return self._number()
        return self._word() if is_letter(one) else self.sign()

    def _word(self) -> Token:
        """A word, unless it is a literal's prefix: one letter, or U&, with the quote directly behind it."""
        prefix = self.here().lower()
        if prefix == "e" and self.here(1) == "'":
            self.take()
            return self._continued(self.quoted("escaped", escapes="\\"), escapes="\\")
        if prefix in "nbx" and self.here(1) == "'":
            self.take()
            return self._continued(self.quoted("prefixed", doubles=prefix == "n"))
        if prefix == "u" and self.here(1) == "&" and self.here(2) in ("'", '"'):
            self.take(2)
            return self.quoted("prefixed") if self.here() == "'" else self.quoted("name")
        return self.word("$")

    def _number(self) -> Token:
        start = self.at
        while self.here() != "" and (self.here().isalnum() or self.here() in "._"):
            self.take()
        return Token("word", self.text[start : self.at])

    def _dollar(self) -> Token:
        """`$tag$ … $tag$`; a tag is a word without `$` that does not begin with a digit."""
        end = self.at + 1
        while end < len(self.text) and is_letter(self.text[end]):
            end += 1
        tag = self.text[self.at : end + 1]
        if self.text[end : end + 1] == "$" and not tag[1:2].isdigit():
            self.take(len(tag))
            return self.up_to("dollar", tag)
        return self.sign()

    def _continued(self, first: Token, escapes: str = "") -> Token:
        """Literals parted by white space with at least one line's end in it are one."""
        while first.kind != "broken" and self.whole:
            ahead = self.at
            while self.text[ahead : ahead + 1] in BLANKS and ahead < len(self.text):
                ahead += 1
            if "\n" not in self.text[self.at : ahead] or self.text[ahead : ahead + 1] != "'":
                return first
            self.at = ahead
            more = self.quoted(first.kind, escapes=escapes)
            first = Token(more.kind, first.text + more.text)
        return first
