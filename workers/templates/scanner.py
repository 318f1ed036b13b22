"""From a query's text to pieces: SQL text, and tags cut into tokens.

A tag begins where `{` is followed, after blanks, by `$`, `*` or a letter; everything else is SQL text, so
that `'{"a":1}'`, `'{1,2}'` and `{}` need no escape.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple

from workers.errors import Mistake
from workers.templates.nodes import Text

MAX_LENGTH = 100_000
"""Characters of a query; what is longer is no query, and would take long to read."""
MAX_TAGS = 3_000
"""Tags of a query: each becomes code, which takes Python up to 30 KB to compile, so that no query takes 100 MB."""
MAX_MISTAKES = 50
"""Mistakes that are told of one query."""

TAG = re.compile(r"\{[ \t\n]*(?=[$*]|[^\W\d_])")
"""What a tag begins with."""
_SIGNED = re.compile(
    r"\{[ \t\n]*(?P<sign>(?:[!?&|+~^=<>@%(.:;/#`-]|[^\w\x00-\x7f]){1,9})[ \t\n]*"
    r"(?:\$[^\W\d]|lead[ \t\n]*[.\[]|(?:segment_id|segment_name|event_time|sequence|for|if|elseif|else|end|autocomma"
    r"|batch_in)\b)"
)
"""What looks like a tag that begins with a sign: to the database it would be text, without anyone's word."""

_END_LITERAL = re.compile(r"\{[ \t\n]*end[ \t\n]*\}")
_LITERAL = re.compile(r"literal[ \t\n]*\}")
_TOKEN = re.compile(
    r"""(?P<blank>[ \t\n]+)
    |(?P<string>"(?:[^"\\]|\\.)*+"|'(?:[^'\\]|\\.)*+')
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?!\w))
    |(?P<name>\$?[^\W\d]\w*)
    |(?P<sign>:=|==|!=|<>|<=|>=|[=<>().,\[\]])
    |(?P<end>\})""",
    re.VERBOSE | re.DOTALL,
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_WORDS_FOR_SIGNS = (
    "conditions are joined by words: `and`, `or`, `not`; functions stand before their value: {lower $lead.email}"
)
_NO_SIGNS = (
    'texts go in quotes, odd field names in brackets as in $lead["e-mail"], braces of SQL between {literal} and {end}'
)
_UNESCAPE = re.compile(r"\\([\"'\\])")


class Token(NamedTuple):
    """One token of a tag: kind "string", "number", "name", "sign" or "end"; a string is unquoted."""

    kind: str
    text: str
    place: int


class Tag(NamedTuple):
    """One tag: its tokens, the last of kind "end", and the place of its `{`."""

    tokens: list[Token]
    place: int
    doubled: bool
    """Written with two braces, `{{…}}`."""
    broken: bool = False
    """What could not be read of it was said; its tokens end before that."""


@dataclass
class Source:
    """A query's text with its places, and the mistakes found in it so far."""

    text: str
    where: str
    mistakes: list[Mistake] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Line breaks are made one, so that no dialect's idea of a line's end differs from ours."""
        self.text = self.text.removeprefix("\ufeff").replace("\r\n", "\n")
        self._lines = [0, *(match.end() for match in re.finditer("\n", self.text))]
        self._seen: set[tuple[int, str]] = set()

    def mistake(self, place: int, what: str) -> None:
        """Notes a mistake once; a hostile text cannot make more than MAX_MISTAKES of them."""
        if (place, what) not in self._seen and len(self.mistakes) < MAX_MISTAKES:
            self._seen.add((place, what))
            self.mistakes.append(self._at(place, what))

    def warn(self, place: int, what: str) -> None:
        """Notes what is allowed and probably not meant."""
        if (place, what) not in self._seen:
            self._seen.add((place, what))
            self.warnings.append(self._at(place, what))

    def _at(self, place: int, what: str) -> Mistake:
        line = bisect_right(self._lines, place)
        return Mistake(self.where, what, line, place - self._lines[line - 1] + 1)


def scan(source: Source) -> list[Text | Tag]:
    """The pieces of a query's text, in order. Mistakes go to `source`."""
    text = source.text
    if len(text) > MAX_LENGTH:
        source.mistake(0, f"a query has at most {MAX_LENGTH:,} characters, this one {len(text):,}")
        return []
    for match in _CONTROL.finditer(text):
        source.mistake(match.start(), f"the character U+{ord(match[0]):04X} cannot stand in a query; take it out")
    return _Scanner(source).pieces()


class _Scanner:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._pieces: list[Text | Tag] = []

    def pieces(self) -> list[Text | Tag]:
        at, tags = 0, 0
        while match := TAG.search(self._text, at):
            self._add_text(at, match.start())
            at = self._tag(match)
            tags += 1
            if tags > MAX_TAGS:
                self._source.mistake(match.start(), f"a query has at most {MAX_TAGS:,} tags")
                return []
        self._add_text(at, len(self._text))
        return self._pieces

    def _add_text(self, start: int, end: int, *, literal: bool = False) -> None:
        if start >= end:
            return
        for match in () if literal else _SIGNED.finditer(self._text, start, end):
            remedy = _WORDS_FOR_SIGNS if match["sign"][0] in "&|!" else _NO_SIGNS
            self._source.mistake(match.start(), f"no tag begins with {match['sign']!r}; {remedy}")
        if self._pieces and isinstance(last := self._pieces[-1], Text):
            last.starts.append((len(last.text), start))
            last.text += self._text[start:end]
        else:
            self._pieces.append(Text(self._text[start:end], [(0, start)]))

    def _tag(self, match: re.Match[str]) -> int:
        if self._text.startswith("*", match.end()):
            return self._comment(match)
        if literal := _LITERAL.match(self._text, match.end()):
            return self._literal(match.start(), literal.end())
        return self._tokens(match)

    def _comment(self, match: re.Match[str]) -> int:
        end = self._text.find("*}", match.end() + 1)
        if end < 0:
            self._source.mistake(match.start(), "this comment is not closed; end it with `*}`")
            return len(self._text)
        return end + 2

    def _literal(self, place: int, start: int) -> int:
        match = _END_LITERAL.search(self._text, start)
        if match is None:
            self._source.mistake(place, "this {literal} is not closed; end it with {end}")
            return len(self._text)
        self._add_text(start, match.start(), literal=True)
        return match.end()

    def _tokens(self, match: re.Match[str]) -> int:
        tokens: list[Token] = []
        at = match.end()
        while token := _TOKEN.match(self._text, at):
            at = token.end()
            kind = token.lastgroup or ""
            if kind != "blank":
                tokens.append(Token(kind, _unquoted(kind, token[0]), token.start()))
            if kind == "end":
                self._pieces.append(Tag(tokens, match.start(), self._doubled(match.start(), at)))
                return at
        return self._broken(match.start(), at, tokens)

    def _doubled(self, start: int, end: int) -> bool:
        return self._text[start - 1 : start] == "{" and self._text[end : end + 1] == "}"

    def _broken(self, place: int, at: int, tokens: list[Token]) -> int:
        end = self._text.find("}", at)
        if at >= len(self._text) or end < 0:
            self._source.mistake(place, "this tag is not closed with `}`; braces of SQL go between {literal} and {end}")
            return len(self._text)
        remedy = _WORDS_FOR_SIGNS if self._text[at] in "&|!" else _NO_SIGNS
        self._source.mistake(at, f"{self._text[at]!r} cannot stand in a tag; {remedy}")
        self._pieces.append(Tag(tokens, place, doubled=False, broken=True))
        return end + 1


def _unquoted(kind: str, text: str) -> str:
    return _UNESCAPE.sub(r"\1", text[1:-1]) if kind == "string" else text
