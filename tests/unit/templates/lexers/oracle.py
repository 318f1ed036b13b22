"""Oracle, from "Text Literals", "Comments" and "Database Object Names and Qualifiers" (SQL Language Reference)."""

from __future__ import annotations

from tests.unit.templates.lexers.reading import Reading, Token, is_letter

_PAIRS = {"[": "]", "{": "}", "(": ")", "<": ">"}


class Oracle(Reading):
    """Comments do not nest. `q'[ … ]'` ends in its own bracket and quote."""

    def token(self) -> Token:  # noqa: PLR0911 - a kind of token each
        if self.sees("--"):
            return self.line_comment()
        if self.sees("/*"):
            return self.block_comment(nested=False)
        one = self.here()
        if one == "'":
            return self.quoted("literal")
        if one == '"':
            return self.quoted("name", doubles=False)
        prefix = "nq" if self.here().lower() == "n" and self.here(1).lower() == "q" else self.here().lower()
        if prefix in ("nq", "q") and self.here(len(prefix)) == "'":
            return self._alternative(len(prefix) + 1)
        if prefix in ("n", "u") and self.here(1) == "'":
            self.take()
            return self.quoted("prefixed")
        if one.isascii() and one.isdigit():
            return self._number()
        return self.word("$#") if is_letter(one) else self.sign()

    def _number(self) -> Token:
        """Digits, an exponent and a suffix; letters behind it begin a token of their own, as in `1from`."""
        start = self.at
        self._digits()
        if self.here().lower() == "e" and self.here(1).isdigit():
            self.take()
            self._digits()
        if self.here() != "" and self.here() in "dDfF":
            self.take()
        return Token("word", self.text[start : self.at])

    def _digits(self) -> None:
        while self.here().isascii() and self.here().isdigit():
            self.take()

    def _alternative(self, opening: int) -> Token:
        start = self.at
        self.take(opening)
        mark = self.take()
        if mark in ("", " ", "\t", "\n"):
            return Token("broken", self.text[start:])
        return self.up_to("prefixed", _PAIRS.get(mark, mark) + "'")
