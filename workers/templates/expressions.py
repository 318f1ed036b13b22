"""Reads the expression of a tag: values, functions and conditions.

    or   := and ('or' and)*          and := not ('and' not)*          not := 'not' not | comparison
    comparison := value [('='|'=='|'equal'|'!='|'<>'|'<'|'<='|'>'|'>='|'contains'|'in') value]
    value := text | number | true | false | null | path | f(value …) | f value … | '(' or ')'
    path  := ($name | lead) ('.' name | '[' number ']' | '[' text ']')* | segment_id | …

A function without brackets takes the values that follow, none of which may be such a function itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.events.numerals import Numeral
from workers.templates.functions import FUNCTIONS, check_call
from workers.templates.nodes import Call, Compare, Const, Expression, Logic, Not, Steps
from workers.templates.scope import BUILTINS, FOREIGN, NamesInReach, UnknownName, suggestion

if TYPE_CHECKING:
    from collections.abc import Callable

    from workers.templates.scanner import Token

MAX_DEPTH = 30
"""Brackets and calls within one another, so that no text exhausts the reader's stack."""
MAX_PARTS = 200
"""Parts of a chain of `and` or `or`; nobody needs as many, and each becomes code."""
MAX_DIGITS = 100
"""Characters of a number that is written in a template."""

_OPERATORS = {
    "=": "=",
    "==": "=",
    "equal": "=",
    "!=": "!=",
    "<>": "!=",
    "<": "<",
    "<=": "<=",
    ">": ">",
    ">=": ">=",
    "contains": "contains",
    "in": "in",
}
_WORDS = {"true": True, "false": False, "null": None}
_RESERVED = {"and", "or", "not", "equal", "contains", "in"}


class BadTag(Exception):
    """A tag that cannot be read; says where and what was expected."""

    def __init__(self, place: int, what: str) -> None:
        self.place = place
        self.what = what
        super().__init__(what)


class Tokens:
    """A tag's tokens, read one after the other."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> Token:
        """The token to be read next; the last one is always of kind "end"."""
        return self._tokens[self._at]

    @property
    def after(self) -> Token:
        """The token after the next one."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Reads one token; the end can be read for ever."""
        token = self.next
        if token.kind != "end":
            self._at += 1
        return token

    def accept(self, *texts: str) -> Token | None:
        """Reads the next token if it is one of these names or signs."""
        if self.next.kind in ("name", "sign") and self.next.text in texts:
            return self.take()
        return None

    def expect(self, *texts: str) -> Token:
        """Reads one of these names or signs; anything else is a mistake."""
        token = self.accept(*texts)
        if token is None:
            raise BadTag(self.next.place, f"expected {' or '.join(map(repr, texts))}, got {shown(self.next)}")
        return token

    def finish(self, what: str) -> None:
        """Makes sure that the tag ends here."""
        if self.next.kind != "end":
            what = f"expected {{{what}}} to end with `}}` here, got {shown(self.next)}{self._remedy()}"
            raise BadTag(self.next.place, what)

    def _remedy(self) -> str:
        word = self.next.text
        if self.next.kind != "name" or word.lower() not in _RESERVED:
            return ""
        if word == "not":
            return "; `not` stands before what it turns round: `not $lead.x in $lead.list`"
        return "" if word.islower() else f"; the language's words are in small letters: `{word.lower()}`"


def shown(token: Token) -> str:
    """A token as messages quote it."""
    return "the tag's end" if token.kind == "end" else repr(token.text)


class Reader:
    """Reads expressions from a tag's tokens, with the names of a scope."""

    def __init__(self, tokens: Tokens, scope: NamesInReach) -> None:
        self._tokens = tokens
        self._scope = scope
        self._depth = 0

    def expression(self) -> Expression:
        """Reads one expression, as far as it goes."""
        return self._chain("or", lambda: self._chain("and", self._opposite))

    def _chain(self, word: str, part: Callable[[], Expression]) -> Expression:
        parts = [part()]
        while token := self._tokens.accept(word):
            parts.append(part())
            if len(parts) > MAX_PARTS:
                raise BadTag(token.place, f"a condition has at most {MAX_PARTS} parts")
        return parts[0] if len(parts) == 1 else Logic(word, tuple(parts))

    def _opposite(self) -> Expression:
        opposites = 0
        while self._tokens.accept("not"):
            opposites += 1
        part = self._comparison()
        return Not(part) if opposites % 2 else part

    def _comparison(self) -> Expression:
        left = self._value()
        token = self._tokens.accept(*_OPERATORS)
        if token is None:
            return left
        right = self._value()
        if second := self._tokens.accept(*_OPERATORS):
            raise BadTag(second.place, "comparisons do not chain; join them with `and`")
        return Compare(_OPERATORS[token.text], left, right)

    def _value(self) -> Expression:
        token = self._tokens.take()
        if token.kind == "string":
            return Const(token.text)
        if token.kind == "number":
            return _number(token)
        if token.kind == "name" and token.text not in _RESERVED:
            return self._named(token)
        if token.text == "(" and token.kind == "sign":
            return self._bracketed(token)
        raise BadTag(token.place, f"expected a value, got {shown(token)}")

    def _bracketed(self, opening: Token) -> Expression:
        self._deeper(opening)
        value = self.expression()
        self._tokens.expect(")")
        self._depth -= 1
        return value

    def _deeper(self, token: Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BadTag(token.place, f"brackets go at most {MAX_DEPTH} deep")

    def _named(self, token: Token) -> Expression:
        try:
            return self._resolved(token)
        except UnknownName as error:
            raise BadTag(token.place, str(error)) from None

    def _resolved(self, token: Token) -> Expression:
        name = token.text
        if name.startswith("$"):
            return self._scope.variable(name[1:], self._steps())
        if name == "lead":
            return self._scope.lead(self._steps())
        if name in BUILTINS:
            return self._scope.builtin(name)
        if name in _WORDS:
            return Const(_WORDS[name])
        if name in FUNCTIONS:
            return self._call(token)
        raise UnknownName(self._unknown(name))

    def _unknown(self, name: str) -> str:
        if name in FOREIGN:
            return f"`{name}` is not known to segment queries; a profile's fields are under `lead`"
        if name in ("batch_in", "autocomma"):
            return f"{{{name}}} is a tag of its own and no value"
        known = [*BUILTINS, "lead", *FUNCTIONS, "batch_in", "autocomma", "for", "if", "else", "elseif", "end"]
        hint = suggestion(name, known) if len(name) > 1 else "a field is `lead.Field` or `$lead.Field`"
        stop = "" if hint.endswith("?") else "."
        return f"unknown name {name!r}; {hint}{stop} Braces that are SQL's own go between {{literal}} and {{end}}"

    def _steps(self) -> Steps:
        steps: list[str | int] = []
        while sign := self._tokens.accept(".", "["):
            token = self._tokens.take()
            steps.append(_dotted(token) if sign.text == "." else _indexed(token))
            if sign.text == "[":
                self._tokens.expect("]")
        return tuple(steps)

    def _call(self, token: Token) -> Expression:
        opening = self._tokens.accept("(")
        arguments = self._listed(opening) if opening else self._following()
        if opening and len(arguments) == 1:
            # `f (a) b`: the brackets were those of the first value.
            arguments += self._following()
        wrong = check_call(token.text, arguments)
        if wrong:
            raise BadTag(token.place, wrong)
        return Call(token.text, tuple(arguments))

    def _listed(self, opening: Token) -> list[Expression]:
        self._deeper(opening)
        arguments: list[Expression] = []
        while not self._tokens.accept(")"):
            arguments.append(self.expression())
            self._tokens.accept(",")
        self._depth -= 1
        return arguments

    def _following(self) -> list[Expression]:
        arguments: list[Expression] = []
        while self._starts_value(self._tokens.next):
            self._reject_bare_call(self._tokens.next)
            arguments.append(self._value())
            self._tokens.accept(",")
        return arguments

    def _starts_value(self, token: Token) -> bool:
        if token.kind == "name":
            return token.text not in _RESERVED
        return token.kind in ("string", "number") or (token.kind == "sign" and token.text == "(")

    def _reject_bare_call(self, token: Token) -> None:
        if token.kind == "name" and token.text in FUNCTIONS and self._tokens.after.text != "(":
            raise BadTag(token.place, f"put brackets round the inner function, as in `({token.text} …)`")


def _number(token: Token) -> Const:
    if len(token.text) > MAX_DIGITS:
        raise BadTag(token.place, f"a number in a template has at most {MAX_DIGITS} characters")
    return Const(int(token.text) if token.text.lstrip("-").isdigit() else Numeral(token.text))


def _dotted(token: Token) -> str:
    if token.kind == "name" and not token.text.startswith("$"):
        return token.text
    what = f"expected a field's name after the dot, got {shown(token)}"
    item = f"; an item of a list is [{token.text}]" if token.text.isdigit() else '; odd names: ["e-mail"]'
    raise BadTag(token.place, what + item)


def _indexed(token: Token) -> str | int:
    if token.kind == "string":
        return token.text
    if token.kind == "number" and token.text.isdigit() and len(token.text) <= len("999999999"):
        return int(token.text)
    raise BadTag(token.place, f"expected a number from 0 or a quoted name in the brackets, got {shown(token)}")
