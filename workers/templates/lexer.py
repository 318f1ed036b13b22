"""Reads SQL text as far as delimiters go: where literals, identifiers and comments begin and end.

The text comes in stretches, since tags stand between them. What is known at a tag is a State; the rules
for the borders make sure that no delimiter and no word is cut in two by a tag, for there the text that
will really stand in the statement is not yet known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from workers.templates.progress import Progress
from workers.templates.regions import BLOCK_COMMENT, IDENTIFIER, LINE_COMMENT, Region
from workers.templates.words import is_called, names_type, odd_character, odd_mistake

if TYPE_CHECKING:
    import re

    from workers.templates.dialect import Dialect

WORD = "w"
QUOTE = "'"

_QUOTES = "'\"`"
_GLUE = {"-": "-", "/": "*/", "&": _QUOTES, "@": _QUOTES, "#": "! ", "]": "]", ":": "="}
"""Signs -> what would make another token of them."""

_DOUBLE_LOOKALIKES = "\u201c\u201d\u201e\u2033\uff02"

_BEFORE_NAMES = ".@#"
"""Signs behind which databases read a name, and no literal's prefix."""


class State(NamedTuple):
    """What is known of the SQL between two characters.

    region   the literal, identifier or comment it is in; None outside of all
    tail     what the text ends in: WORD, QUOTE (a literal's end), a sign, or "" (a blank, bracket or comma)
    last     the last token, where it matters: "literal", "holds" (a literal with a placeholder), "escape" (a
             prefixed literal), "typed" (DATE, TIMESTAMP, …), "introducer" (_utf8mb4), else ""
    start    whether the statement has not begun yet: only blanks and comments so far
    fresh    whether the region was opened by the very last character
    touched  whether the region's quote stood directly after a word
    before   `last` as it was when the region was opened
    holds    whether a placeholder stands in the region
    progress what has been read of the statement
    opened   where the region was opened: (stretch, index), for messages and for what is inserted there
    """

    region: Region | None = None
    tail: str = ""
    last: str = ""
    start: bool = True
    fresh: bool = False
    touched: bool = False
    before: str = ""
    holds: bool = False
    progress: Progress = Progress()
    opened: tuple[int, int] = (0, 0)


class Listener(Protocol):
    """Who is told what the lexer finds; `at` is an index in the stretch."""

    def mistake(self, at: int, what: str) -> None:
        """Something that cannot stand here."""

    def word(self, at: int, word: str, state: State, *, called: bool | None) -> State:
        """A word outside of all regions, in small letters. Gives the state after it.

        called  whether a bracket follows, behind blanks and comments; None where a tag or the end does
        """

    def name(self, at: int, name: str, state: State, *, called: bool | None) -> State:
        """An identifier in quotes, without them. Gives the state after it."""

    def sign(self, sign: str, state: State) -> State:
        """Any other sign outside of all regions. Gives the state after it."""

    def semicolon(self, at: int, state: State) -> None:
        """A `;` outside of all regions."""


class Lexer:
    """Reads stretches in one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def read(self, state: State, text: str, stretch: int, listener: Listener) -> State:
        """The state after `text`. `stretch` is the number of this text among the query's."""
        self._border(state, text, listener)
        at = 0
        while at < len(text):
            if state.region is None:
                at, state = self._outside(state, text, at, stretch, listener)
            else:
                at, state = self._inside(state, text, at, stretch, listener)
        return state

    def _border(self, state: State, text: str, listener: Listener) -> None:
        if state.region is not None or not text or not state.tail:
            return
        first = text[0]
        if state.tail == QUOTE and (_is_word(first) or first in _QUOTES + ".\\"):
            listener.mistake(0, f"{first!r} directly after a tag: put a blank or an operator between them")
        elif state.tail == WORD and (_is_word(first) or first in _QUOTES + "&@#"):
            listener.mistake(0, f"{first!r} here and the word before the tag would join: put a blank between them")
        elif first in _GLUE.get(state.tail, ""):
            listener.mistake(0, f"{state.tail!r} before the tag and {first!r} would join: put a blank between them")

    def _outside(self, state: State, text: str, at: int, stretch: int, listener: Listener) -> tuple[int, State]:
        match = self._dialect.top.match(text, at)
        assert match is not None  # noqa: S101 - the pattern's last part matches any character
        kind = match.lastgroup or ""
        if kind.startswith("region"):
            return match.end(), self._open(state, match, stretch, listener)
        if kind.startswith("refused"):
            what = self._dialect.refused[int(kind.removeprefix("refused"))][1]
            listener.mistake(at, what.format(dialect=self._dialect.name))
            return match.end(), _after_refused(state, match)
        return match.end(), self._plain(kind, state, match, stretch, listener)

    def _plain(self, kind: str, state: State, match: re.Match[str], stretch: int, listener: Listener) -> State:
        if kind == "blank":
            return state._replace(tail="")
        if kind in ("line", "block"):
            region = LINE_COMMENT if kind == "line" else BLOCK_COMMENT
            return state._replace(region=region, tail="", opened=(stretch, match.start()))
        if kind == "semicolon":
            listener.semicolon(match.start(), state)
            return State()
        if kind == "word":
            return self._word(state, match, listener)
        sign = match[0]
        if not sign.isascii():
            listener.mistake(match.start(), odd_mistake(sign))
        state = listener.sign(sign, state)
        last = "typed" if sign == ")" and self._dialect.plain else ""  # numeric(10, 2) '…'
        return state._replace(tail="" if sign in "(),[]{}" else sign, last=last, start=state.start and sign == "(")

    def _word(self, state: State, match: re.Match[str], listener: Listener) -> State:
        word = match[0].lower()
        if odd := odd_character(match[0], ascii_only=self._dialect.ascii_words):
            listener.mistake(match.start() + match[0].index(odd), odd_mistake(odd))
        called = is_called(match.string, match.end())
        state = listener.word(match.start(), word, state, called=called)
        return state._replace(tail=WORD, last=self._last(word, state), start=False)

    def _last(self, word: str, state: State) -> str:
        if self._dialect.introducers and word.startswith("_"):
            return "introducer"
        if word == "interval" and self._dialect.units:
            return word
        if self._dialect.plain:
            return names_type(word, state.last, self._dialect.plain)
        return "typed" if word in self._dialect.typed else ""

    def _open(self, state: State, match: re.Match[str], stretch: int, listener: Listener) -> State:
        kind = (match.lastgroup or "").removeprefix("region")
        region = self._dialect.regions[int(kind)][1]
        if not isinstance(region, Region):
            region = region(match[0])
        if state.tail and state.tail in _BEFORE_NAMES and match[0][0].isalpha():
            listener.mistake(
                match.start(), f"a literal with a prefix directly after a `{state.tail}`: put a blank between"
            )
        if state.last == "escape" and not region.refuse:
            listener.mistake(match.start(), "a literal directly after a prefixed one would join it; write one literal")
        if state.last == "holds" and region.name != IDENTIFIER:
            listener.mistake(
                match.start(), "a literal directly after a placeholder; put a comma or an operator between"
            )
        if region.name != IDENTIFIER:
            state = listener.sign(QUOTE, state)
        return state._replace(
            region=region,
            fresh=match.end() == len(match.string),
            touched=state.tail == WORD,
            before=state.last,
            holds=False,
            start=False,
            opened=(stretch, match.start()),
        )

    def begins(self, text: str) -> bool:
        """Whether there is more in a statement than blanks and comments."""
        at, state = 0, State()
        while at < len(text) and state.start:
            if state.region is None:
                at, state = self._outside(state, text, at, 0, _NOBODY)
            else:
                at, state = self._inside(state, text, at, 0, _NOBODY)
        return not state.start

    def _inside(self, state: State, text: str, at: int, stretch: int, listener: Listener) -> tuple[int, State]:
        region = state.region
        assert region is not None  # noqa: S101 - the caller has looked
        match = region.body.match(text, at)
        end = match.end() if match else at
        if region.comment and region.close and "/*" in text[at : end + 1]:  # with the end's `*`: `/*/` is both
            listener.mistake(at, "a comment inside a comment: databases differ in where it ends")
        if not region.comment:
            self._check_lookalikes(text, at, end, listener)
        if region.name == IDENTIFIER and state.opened[0] == stretch and end < len(text):
            state = self._named(state, text, end, listener)
        if end == len(text):
            self._check_end(region, text, listener)
            return end, state._replace(fresh=False)
        if region.escapes and text[end] == "\\":
            listener.mistake(end, "a backslash directly before a tag would escape what the tag writes; write it twice")
            return end + 1, state._replace(fresh=False)
        return end + len(region.close or ""), _closed(state, region, names_types=bool(self._dialect.plain))

    def _check_lookalikes(self, text: str, at: int, end: int, listener: Listener) -> None:
        for index, character in enumerate(text[at:end] if self._dialect.lookalikes else "", at):
            if character in self._dialect.lookalikes or character in _DOUBLE_LOOKALIKES:
                what = (
                    f"U+{ord(character):04X} in a literal or a name: a server in an older character set makes a quote "
                )
                listener.mistake(index, what + "of it; write it by its number, as in UNISTR('\\2019')")

    def _named(self, state: State, text: str, end: int, listener: Listener) -> State:
        """Tells of an identifier that has ended: what it is called, without its quotes."""
        close = (state.region.close if state.region else "") or ""
        start = state.opened[1]
        if text[start] in "uU":
            listener.mistake(start, 'a name in U&"…" spells characters by their numbers; write the name itself')
        name = text[start:end].lstrip("uU&")[1:].replace(close * 2, close)
        return listener.name(start, name, state, called=is_called(text, end + len(close)))

    def _check_end(self, region: Region, text: str, listener: Listener) -> None:
        """What ends or nests a region must not be cut in two either: `*` before a tag and `/` after it would end it."""
        if region.name == IDENTIFIER:
            listener.mistake(len(text) - 1, "a tag inside a name: names stand whole on each side of a tag")
        close = region.close or ""
        if close == "*/" and text.endswith("/"):
            listener.mistake(len(text) - 1, "'/' directly before a tag could begin a comment in it")
        begun = next((close[:length] for length in range(1, len(close)) if text.endswith(close[:length])), "")
        if begun:
            listener.mistake(len(text) - len(begun), f"{begun!r} directly before a tag could end {region.name} with it")


class _Nobody:
    """Listens to what has been checked before."""

    def mistake(self, at: int, what: str) -> None:
        pass

    def word(self, at: int, word: str, state: State, *, called: bool | None) -> State:  # noqa: ARG002 - the protocol's
        return state

    def name(self, at: int, name: str, state: State, *, called: bool | None) -> State:  # noqa: ARG002 - the protocol's
        return state

    def sign(self, sign: str, state: State) -> State:  # noqa: ARG002 - the protocol's names
        return state

    def semicolon(self, at: int, state: State) -> None:
        pass


_NOBODY = _Nobody()


def _closed(state: State, region: Region, *, names_types: bool) -> State:
    if region.comment:
        return state._replace(region=None, tail="", fresh=False, opened=(0, 0))
    last = "holds" if state.holds else "escape" if region.refuse else "literal"
    if region.name == IDENTIFIER:
        last = "typed" if names_types else ""  # "my type" '…'
    return State(None, "]" if region.close == "]" else QUOTE, last, start=False, progress=state.progress)


def _after_refused(state: State, match: re.Match[str]) -> State:
    """Goes on as the author meant it, so that one slip makes one mistake."""
    if match[0] == "//":
        return state._replace(region=LINE_COMMENT, tail="")
    if match[0].startswith("/*"):
        return state._replace(region=BLOCK_COMMENT, tail="")
    return state._replace(tail="", last="", start=False)


def _is_word(character: str) -> bool:
    return character.isalnum() or character in "_$" or ord(character) >= 0x80  # noqa: PLR2004 - not ASCII
