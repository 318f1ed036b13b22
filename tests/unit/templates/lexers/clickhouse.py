"""ClickHouse, from "Syntax": spaces, comments, identifiers, literals, heredoc (clickhouse.com/docs)."""

from __future__ import annotations

from tests.unit.templates.lexers.reading import BLANKS, Reading, Token

_ESCAPED = {
    "b": "\b",
    "f": "\f",
    "r": "\r",
    "n": "\n",
    "t": "\t",
    "0": "\0",
    "a": "\a",
    "v": "\v",
    "e": "\x1b",
    "N": "",
}
_LITERALLY = "\\'\"`/="
_WIDE_BLANKS = "\x85\xa0\u1680\u180e\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"


class Clickhouse(Reading):
    """Comments nest; letters are ASCII's only; Unicode's blanks are blanks, and typographic quotes quotes."""

    blanks = BLANKS + _WIDE_BLANKS + "".join(map(chr, range(0x2000, 0x200B)))

    def token(self) -> Token:  # noqa: PLR0911 - a kind of token each
        if self.sees("--") or self.sees("//") or (self.here() == "#" and self.here(1) in (" ", "!")):
            return self.line_comment()
        if self.sees("/*"):
            return self.block_comment(nested=True)
        one = self.here()
        if one == "'":
            return self.quoted("literal", escapes="\\")
        if one in '"`':
            return self.quoted("name", escapes="\\")
        if one in "\u2018\u201c":
            return self.quoted("broken", close="\u2019" if one == "\u2018" else "\u201d", doubles=False)
        if one in "xXbB" and self.here(1) == "'":
            self.take()
            return self.quoted("prefixed", doubles=False)
        if one == "$":
            return self._heredoc()
        return self._word() if _is_word(one) else self._other(one)

    def _heredoc(self) -> Token:
        """`$tag$ … $tag$`, where it is closed and its tag is a word."""
        end = self.text.find("$", self.at + 1)
        tag = self.text[self.at : end + 1]
        if end > 0 and all(map(_is_word, tag[1:-1])) and tag in self.text[end + 1 :]:
            self.take(len(tag))
            return self.up_to("dollar", tag)
        return self._word() if _is_word(self.here(1)) else self.sign()

    def _word(self) -> Token:
        start = self.at
        while _is_word(self.here()) or self.here() == "$":
            self.take()
        return Token("word", self.text[start : self.at])

    def _other(self, one: str) -> Token:
        return self.sign() if one.isascii() else Token("broken", self.take())

    def escaped(self, character: str) -> str:
        if character in _ESCAPED:
            return _ESCAPED[character]
        return character if character in _LITERALLY else "\\" + character


def _is_word(one: str) -> bool:
    return one != "" and one.isascii() and (one.isalnum() or one == "_")
