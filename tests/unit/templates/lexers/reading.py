"""What the lexers share: a place in a text, and the simplest ways to go on from it."""

from __future__ import annotations

from typing import NamedTuple

LINE = "\n"
BLANKS = " \t\n\r\f\v"


class Token(NamedTuple):
    """A token: "word", "literal", "name", "comment", "parameter", "sign" or "broken"; a literal's text is its value."""

    kind: str
    text: str


class Reading:
    """A text that is read once, character by character."""

    blanks = BLANKS

    def __init__(self, text: str, *, whole: bool = True) -> None:
        """Whole  whether literals that the server joins are one token."""
        self.text = text
        self.whole = whole
        self.at = 0
        self.found: list[Token] = []
        self.spans: list[tuple[str, int, int]] = []

    def tokens(self) -> list[Token]:
        """All tokens."""
        while self.at < len(self.text):
            if self.here() in self.blanks:
                self.at += 1
                continue
            before = self.at
            self.found.append(self.token())
            self.spans.append((self.found[-1].kind, before, self.at))
            assert self.at > before, "a lexer that does not go on"
        return self.found

    def token(self) -> Token:
        """Reads the token that begins here."""
        raise NotImplementedError

    def here(self, ahead: int = 0) -> str:
        """The character here, or some further on; "" behind the end."""
        return self.text[self.at + ahead : self.at + ahead + 1]

    def sees(self, what: str) -> bool:
        """Whether the text goes on like this."""
        return self.text.startswith(what, self.at)

    def take(self, count: int = 1) -> str:
        """Reads some characters."""
        taken = self.text[self.at : self.at + count]
        self.at += count
        return taken

    def sign(self) -> Token:
        """One sign."""
        return Token("sign", self.take())

    def word(self, more: str) -> Token:
        """Letters, digits, what is not ASCII, and some more signs."""
        start = self.at
        while self.at < len(self.text) and (is_letter(self.here()) or self.here() in more):
            self.at += 1
        return Token("word", self.text[start : self.at])

    def line_comment(self) -> Token:
        """Up to the end of the line."""
        end = self.text.find(LINE, self.at)
        end = len(self.text) if end < 0 else end
        return Token("comment", self.take(end - self.at))

    def block_comment(self, *, nested: bool) -> Token:
        """Between `/*` and `*/`."""
        start, depth = self.at, 1
        self.take(2)
        while self.at < len(self.text):
            if self.sees("*/"):
                self.take(2)
                depth -= 1
                if not depth:
                    return Token("comment", self.text[start : self.at])
            elif nested and self.sees("/*"):
                self.take(2)
                depth += 1
            else:
                self.take()
        return Token("broken", self.text[start:])

    def quoted(self, kind: str, *, escapes: str = "", doubles: bool = True, close: str = "") -> Token:
        """What stands between two quotes, the first of which is here."""
        start = self.at
        quote = self.take()
        close = close or quote
        value = ""
        while self.at < len(self.text):
            one = self.take()
            if one == close:
                if not (doubles and self.here() == close):
                    return Token(kind, value)
                value += self.take()
            elif one == "\\" and escapes:
                value += self.escaped(self.take())
            else:
                value += one
        return Token("broken", self.text[start:])

    def escaped(self, character: str) -> str:
        """What a backslash and this character stand for."""
        return character

    def up_to(self, kind: str, end: str) -> Token:
        """All up to a text that ends it."""
        start = self.at
        found = self.text.find(end, self.at)
        if found < 0:
            self.at = len(self.text)
            return Token("broken", self.text[start:])
        self.at = found + len(end)
        return Token(kind, self.text[start:found])


def is_letter(one: str) -> bool:
    """A letter, a digit, an underscore, or anything beyond ASCII."""
    return one != "" and (one == "_" or not one.isascii() or one.isalnum())
