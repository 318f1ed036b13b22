"""Finds the context of every placeholder, on every way through the template, before any data is there.

The walk reads the SQL text stretch by stretch with the delimiter lexer and keeps the set of all states that
can hold at a place. All of them must agree on the region (so a branch ends in the literal or comment that
it began in), and each is checked at every border between text and tags. A loop is walked until its body
adds no new state. Since values are escaped for the region they stand in and never end it, what holds for
the template's own text holds for every statement that is rendered from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.templates.forbidden_names import cut_mistake, name_mistake
from workers.templates.layout import Layout
from workers.templates.lexer import QUOTE, Lexer, State
from workers.templates.lists import Lists
from workers.templates.neighbours import AFTER, AFTER_MINUS, JOINING, PATTERN, STRUCTURE, is_structured, settled
from workers.templates.nodes import AutoComma, BatchIn, For, If, Node, Out, Text
from workers.templates.progress import after_name, after_sign, after_word, before_pattern, names_columns
from workers.templates.statements import EXECUTES, inner_mistake, verb_mistake
from workers.templates.whitespace import tidy

if TYPE_CHECKING:
    from workers.templates.dialect import Dialect
    from workers.templates.scanner import Source

States = frozenset[State]
BARE, VALUE, TEXT = "bare", "value", "text"

MAX_ROUNDS = 20
"""Walks of a loop's body until it adds no state; there are far fewer kinds of state than that."""
MAX_STEPS = 50_000
"""Nodes walked in all, once for each state that they are walked in: conditions that follow one another in odd ways
multiply those, and each loop walks its body until there are no more of them. Queries of 3,000 tags take some 31,000."""
_TOO_MUCH = "too many ways through its loops and conditions; make several queries or fewer conditions"


class _TooMuchError(Exception):
    """The walk has taken MAX_STEPS."""


def place_all(nodes: list[Node], dialect: Dialect, source: Source, allow: frozenset[str]) -> Layout:
    """Gives every placeholder its context and finds the statements' ends. Mistakes go to `source`."""
    return _Walk(dialect, source, allow).all(nodes)


class _Walk:
    def __init__(self, dialect: Dialect, source: Source, allow: frozenset[str]) -> None:
        self._dialect = dialect
        self._source = source
        self._allow = allow
        self._lexer = Lexer(dialect)
        self._layout = Layout()
        self._lists = Lists(dialect)
        self._depth = 0
        self._steps = 0
        self._text = Text("", [(0, 0)])
        self._known: dict[tuple[int, State], State] = {}
        self._numbers: dict[int, int] = {}
        self._texts: list[Text] = []

    def all(self, nodes: list[Node]) -> Layout:
        try:
            states = self._sequence(nodes, frozenset({State()}), last_round=True)
        except _TooMuchError:
            self._source.mistake(0, _TOO_MUCH)
            return self._layout
        for state in states:
            self._check_closed(state)
        self._lists.end()
        self._layout.last = {not state.start for state in states}
        return self._layout

    def _check_closed(self, state: State) -> None:
        if state.region is not None and state.region.close is not None:
            self._source.mistake(self._opened(state), f"{state.region.name} begins here and is never closed")

    def _opened(self, state: State) -> int:
        stretch, index = state.opened
        return self._texts[stretch].place(index) if self._texts else 0

    def _sequence(self, nodes: list[Node], states: States, *, last_round: bool) -> States:
        for index, node in enumerate(nodes):
            self._steps += len(states)
            if self._steps > MAX_STEPS:
                raise _TooMuchError
            following = nodes[index + 1] if index + 1 < len(nodes) else None
            previous = nodes[index - 1] if index else None
            if isinstance(node, Text):
                states = self._read(node, states)
            elif isinstance(node, Out):
                states = self._out(node, states, previous, following)
            elif isinstance(node, BatchIn):
                states = self._list(node, states)
            elif isinstance(node, AutoComma):
                states = self._comma(node, states, last_round=last_round)
            else:
                if all(state.region is None for state in states):
                    tidy(node, previous, following)
                states = self._if(node, states) if isinstance(node, If) else self._for(node, states, following)
        return states

    # Text

    def _read(self, node: Text, states: States) -> States:
        return frozenset(self._read_once(node, state) for state in states)

    def _read_once(self, node: Text, state: State) -> State:
        # A loop in a loop is walked many times, mostly in states that were seen before.
        known = self._known.get((id(node), state))
        if known is None:
            self._text = node
            if state.progress.lists.unsure and (wrong := cut_mistake(self._dialect.name, state.region, node.text)):
                self.mistake(0, wrong)
            known = self._known[id(node), state] = self._lexer.read(state, node.text, self._number(node), self)
        return known

    def _number(self, node: Text) -> int:
        if id(node) not in self._numbers:
            self._numbers[id(node)] = len(self._texts)
            self._texts.append(node)
        return self._numbers[id(node)]

    def mistake(self, at: int, what: str) -> None:
        """The lexer's mistakes, at their place in the source."""
        self._source.mistake(self._text.place(at), what)

    def word(self, at: int, word: str, state: State, *, called: bool | None) -> State:
        """Checks what statements may hold."""
        wrong = verb_mistake(word, self._dialect, self._allow) if state.start else None
        wrong = wrong or inner_mistake(word, self._dialect, self._allow, state.progress, called=called)
        wrong = wrong or self._name_mistake(word, state, called=called)
        if wrong:
            self.mistake(at, wrong)
        self._lists.saw(word, state.progress)
        return state._replace(progress=after_word(word, state.progress, first=state.start, called=called))

    def name(self, at: int, name: str, state: State, *, called: bool | None) -> State:
        """Checks what a name in quotes may be: the database looks it up as it does the bare word."""
        if wrong := self._name_mistake(name, state, called=called):
            self.mistake(at, wrong)
        elif called is not False and self._dialect.ascii_words and "\\" in name:
            self.mistake(at, "a backslash in a function's name: write the name itself")
        return state._replace(progress=after_name(state.progress, called=called))

    def _name_mistake(self, name: str, state: State, *, called: bool | None) -> str | None:
        called = False if names_columns(state.progress) else called
        return name_mistake(name, self._dialect.name, called=called, table=state.progress.lists.next)

    def sign(self, sign: str, state: State) -> State:
        """Notes how far the statement has come."""
        self._lists.saw_sign(sign, state.progress)
        progress = after_sign(sign, state.progress)
        return state._replace(progress=before_pattern(progress) if sign in self._dialect.matching else progress)

    def semicolon(self, at: int, state: State) -> None:
        """Notes a statement's end."""
        if self._depth:
            self.mistake(at, "a `;` inside {for} or {if}: whole statements stand outside; put the `;` after {end}")
        self._lists.end()
        self._layout.ends.setdefault(self._text.place(at), set()).add(not state.start)
        self._layout.cuts.setdefault(id(self._text), set()).add(at)

    # Placeholders

    def _out(self, node: Out, states: States, previous: Node | None, following: Node | None) -> States:
        region = next(iter(states)).region
        node.constant = self._dialect.one_batch and any(state.progress.verb in EXECUTES for state in states)
        if region is None:
            node.context = BARE
            return self._bare(node, states, "a placeholder", following)
        if region.refuse:
            what = region.refuse.format(dialect=self._dialect.name)
            self._source.mistake(node.place, f"a placeholder inside {region.name}: {what}")
            return states
        node.quote = region.close or ""
        before = {state.before for state in states}
        if self._fills(node, states, previous, following):
            node.context = VALUE
        else:
            node.context = TEXT
            before -= {"typed", "interval"}
            self._prefix(node, states)
        if (node.context == VALUE or self._dialect.prefix) and any(state.touched for state in states):
            self._source.mistake(node.place, "a literal directly after a word: put a blank before its quote")
        self._check_neighbours(node, before - settled(following), "a placeholder")
        self._warn_of_contents(node, states)
        return frozenset(state._replace(fresh=False, holds=True) for state in states)

    def _fills(self, node: Out, states: States, previous: Node | None, following: Node | None) -> bool:
        if not (isinstance(previous, Text) and isinstance(following, Text)):
            return False
        quote = node.quote
        closed = following.text.startswith(quote) and not following.text.startswith(quote * 2)
        if not (closed and all(state.fresh for state in states)):
            return False
        previous.cut_right = len(previous.text) - next(iter(states)).opened[1]
        following.cut_left = len(quote)
        return True

    def _prefix(self, node: Out, states: States) -> None:
        """Makes the literal around a part one that holds any character, where that takes a prefix."""
        prefix = self._dialect.prefix
        for stretch, index in {state.opened for state in states} if prefix else ():
            if self._texts[stretch].text[index] == node.quote:
                self._texts[stretch].inserts[index] = prefix

    def _bare(self, node: Out | BatchIn, states: States, what: str, following: Node | None = None) -> States:
        for state in states:
            if state.tail in JOINING:
                joined = f"{what} directly after {JOINING[state.tail]}: put a blank between them"
                self._source.mistake(node.place, joined)
            if state.start:
                self._source.mistake(node.place, f"{what} cannot begin a statement")
            if state.tail == "-" and isinstance(node, Out) and node.constant:
                self._source.mistake(node.place, f"{what} {AFTER_MINUS}")
        self._check_neighbours(node, {state.last for state in states} - settled(following), what)
        self._warn_of_contents(node, states)
        written = (self.sign(QUOTE, state) for state in states)
        return frozenset(state._replace(tail=QUOTE, last="holds", start=False, fresh=False) for state in written)

    def _check_neighbours(self, node: Out | BatchIn, last: set[str], what: str) -> None:
        for kind in sorted(last & AFTER.keys()):
            self._source.mistake(node.place, f"{what} after {AFTER[kind]}")

    def _warn_of_contents(self, node: Out | BatchIn, states: States) -> None:
        """What the text itself means to the function or the type that reads it."""
        if any(state.progress.in_pattern for state in states):
            self._source.warn(node.place, PATTERN)
        if not isinstance(node, Out) or node.context != TEXT:
            return
        if any(is_structured(node, self._texts[n].text[at + 1 :]) for n, at in {state.opened for state in states}):
            self._source.warn(node.place, STRUCTURE)

    def _list(self, node: BatchIn, states: States) -> States:
        region = next(iter(states)).region
        if region is not None:
            what = f"{{batch_in}} writes literals of its own and cannot stand inside {region.name}"
            self._source.mistake(node.place, what)
            return states
        return self._bare(node, states, "{batch_in}")

    def _comma(self, node: AutoComma, states: States, *, last_round: bool) -> States:
        region = next(iter(states)).region
        if region is not None and region.refuse:
            self._source.mistake(node.place, f"{{autocomma}} inside {region.name}")
            return states
        comma = frozenset(
            self.sign(",", s)._replace(tail="", last="", fresh=False) if s.region is None else s for s in states
        )
        return comma | states if last_round else comma

    # Blocks

    def _if(self, node: If, states: States) -> States:
        self._depth += 1
        bodies = [body for _, body in node.branches] + ([] if node.otherwise is None else [node.otherwise])
        ways = [self._sequence(body, _edge(states), last_round=True) for body in bodies]
        if node.otherwise is None:
            ways.append(_edge(states))
        self._depth -= 1
        return self._join(node, ways, "{if}")

    def _for(self, node: For, states: States, following: Node | None) -> States:
        if any(state.start for state in states):
            self._source.mistake(
                node.place,
                "a statement cannot begin with a {for}: one statement takes all of a batch, as in VALUES {for …}",
            )
        self._depth += 1
        node.in_literal = next(iter(states)).region is not None
        if not node.in_literal:
            self._lists.take(node, {state.progress.previous for state in states}, following)
        entry = _edge(states)
        for _ in range(MAX_ROUNDS):
            again = self._join(node, [entry, self._sequence(node.body, entry, last_round=False)], "{for}")
            if again == entry:
                break
            entry = again
        else:
            raise _TooMuchError
        ended = self._sequence(node.body, entry, last_round=True)
        self._depth -= 1
        return self._join(node, [entry, ended], "{for}")

    def _join(self, node: If | For, ways: list[States], what: str) -> States:
        states = frozenset(state for way in ways for state in _edge(way))
        regions = {state.region for state in states}
        if len(regions) == 1:
            return states
        kept = next(iter(ways[0])).region
        names = " and the other in ".join(sorted(r.name if r else "plain SQL" for r in regions))
        self._source.mistake(node.place, f"this {what} ends on one way in {names}; all ways must end alike")
        return frozenset(state for state in states if state.region == kept)


def _edge(states: States) -> States:
    """The states at a border to a tag: words are only words, and nothing has just been opened."""
    return frozenset(state._replace(fresh=False) if state.fresh else state for state in states)
