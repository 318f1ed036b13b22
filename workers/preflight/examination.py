"""One connector and its integrations, examined step by step; what is wrong with one hides nothing of another."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from workers.connectors.inspection import Refusal, Step, told
from workers.errors import Matter, TargetError
from workers.preflight.batch_order import exactness, merges, takes_turns
from workers.preflight.findings import Finding, judge
from workers.preflight.hints import hint, word
from workers.preflight.moving import moving_with_key
from workers.preflight.places import place
from workers.preflight.position_table import unfit
from workers.preflight.samples import A_NUMBER, SEGMENT, SEGMENTS, NoSample, Samples
from workers.preflight.seen import Seen
from workers.preflight.shapes import Unreadable, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workers.connectors.inspection import Examined, Opened, Table
    from workers.errors import Mistake
    from workers.integrations import Integration
    from workers.preflight.seen import Level
    from workers.preflight.shapes import Shape
    from workers.templates import Query, QueryKind

    Changes = Sequence[tuple[Shape, Table | None]]


@dataclass(slots=True)
class Examination:
    """What came of one connector.

    steps     of reaching it, in order
    looked    integrations whose queries were tried
    findings  of all of them
    unread    what could not be looked at, and why
    notes     what is fine, and good to know
    """

    connector: str
    dialect: str
    steps: list[Step]
    looked: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> bool:
        """Whether someone is needed before deliveries can succeed."""
        return any(step.mark == "mistake" for step in self.steps) or any(
            finding.level == "mistake" for finding in self.findings
        )


def skipped(connector: str, dialect: str, missing: Sequence[Mistake], *, malformed: bool) -> Examination:
    """A connector whose secrets or variables are missing in this environment; or whose URL is there and wrong."""
    what = "; ".join(map(str, missing))
    step = Step("reach", "mistake", what) if malformed else Step("reach", "skipped", f"not looked at: {what}")
    return Examination(connector, dialect, [step])


def examine(
    connector: str,
    opened: Opened,
    dialect: str,
    integrations: Sequence[Integration],
    sources: Mapping[tuple[str, QueryKind], str],
) -> Examination:
    """All queries of a connector's integrations against an opened target, which is closed in the end."""
    examination = Examination(connector, dialect, opened.steps)
    if opened.session is None:
        return examination
    try:
        for integration in integrations:
            _Look(opened.session, integration, sources, examination).all()
            examination.looked.append(integration.key)
    except TargetError as error:
        examination.steps.append(Step("session", "mistake", f"was lost on the way: {told(error)}"))
    finally:
        opened.session.close()
    return examination


@dataclass(frozen=True, slots=True)
class _Look:
    """One integration against one target."""

    session: Examined
    integration: Integration
    sources: Mapping[tuple[str, QueryKind], str]
    into: Examination

    def all(self) -> None:
        turns = takes_turns(self.session, self.integration)
        for kind, query in self.integration.queries.items():
            self._query(kind, query, merges=merges(self.integration, turns))
        contradictions, exact = self._exactness()
        self.into.findings += contradictions
        self.into.notes += [f"integrations.{self.integration.key}: {note}" for note in (turns, exact) if note]
        if self.integration.exactly_once:
            where = f"integrations.{self.integration.key}.exactly_once"
            whats = unfit(self.session, self.integration.key)
            self.into.findings += [Finding("mistake", where, what) for what in whats]

    def _exactness(self) -> tuple[list[Finding], str]:
        mine = f"integrations.{self.integration.key}."
        found = [each for each in self.into.findings if each.where.startswith(mine)]
        read = not any(each.startswith(mine) for each in self.into.unread)
        return exactness(self.session, self.integration, found, read=read)

    def _where(self, kind: QueryKind) -> str:
        return f"integrations.{self.integration.key}.queries.{kind}"

    def _query(self, kind: QueryKind, query: Query, *, merges: bool) -> None:
        key = self.integration.key_fields if kind.has_profiles else ()
        samples = Samples(query, key, self._segments())
        try:
            trial = self._try(samples)
        except NoSample as none:
            self.into.unread.append(f"{self._where(kind)}: no made-up profile can be rendered: {none}")
            return
        changes = self._changes(kind, trial)
        self._report(kind, trial, changes)
        if not trial.refused and not self._branches(kind, samples, trial.statements):
            self._mixed(kind, samples)
            self._bare(kind, samples)
        alike, moving = (
            ({}, {})
            if trial.refused
            else (samples.alike(), moving_with_key(samples, [shape for shape, _ in changes], self.session.dialect))
        )
        sparse = self._shapes(samples.sparse())
        numbers = {name: self._shapes(each) for name, what, each in samples.bare() if what == A_NUMBER}
        dialect = self.session.dialect
        seen = Seen(self.integration, kind, dialect, changes, trial.values, alike, moving, merges, sparse, numbers)
        found = judge(seen)
        # What is said of the key's column is said once, however many queries touch it.
        self.into.findings += [each for each in found if each not in self.into.findings]

    def _segments(self) -> tuple[str, ...]:
        """Hand-picked ids are known; of others a number and a text are tried."""
        scope = self.integration.scope
        return tuple(sorted(scope.values)[:5]) if scope.kind == "ids" else SEGMENTS

    # --- Whether the target takes it ----------------------------------------------------------------------------

    def _try(self, samples: Samples) -> _Trial:
        """The first sample that the target takes; else one that it refuses, with all that it says of it."""
        trial, types = self._trial(samples), None
        for _ in range(samples.tries):
            if types is None and trial.refused and not trial.data and any(map(_may_be_the_segment, trial.refused)):
                types = trial
            if not trial.refused or not self._better(samples, trial):
                break
            trial = self._trial(samples)
        if types is None:
            return trial
        return types if trial.refused else replace(trial, before=types)

    def _better(self, samples: Samples, trial: _Trial) -> bool:
        """Takes another value for what the target objects to; False where that cannot help."""
        for statement, refusal in trial.refused:
            if refusal.data:
                return samples.bump(samples.field_at(statement, refusal.position))
        return any(map(_may_be_the_segment, trial.refused)) and samples.bump(SEGMENT)

    def _trial(self, samples: Samples) -> _Trial:
        statements = samples.render()
        return _Trial(statements, samples.values, self._refused(statements))

    def _refused(self, statements: Sequence[str]) -> list[tuple[str, Refusal]]:
        asked = [(each, self.session.explain(each)) for each in statements if not _is_call(each)]
        return [(statement, refusal) for statement, refusal in asked if refusal]

    def _branches(self, kind: QueryKind, samples: Samples, before: Sequence[str]) -> bool:
        """Other profiles take other branches; only what is surely wrong with them counts, in each way to have them."""
        wrong = False
        for what, ways in samples.branches():
            refused = all(any(why.surely for _, why in self._refused(each)) for each in ways[1:])
            if ways and list(before) not in ways and refused:
                wrong |= self._surely(kind, ways[0], f"for a profile {what}: ")
        return wrong

    def _surely(self, kind: QueryKind, statements: Sequence[str], when: str) -> bool:
        """Whether the target surely refuses one of the statements, whatever the values; then it is told, once."""
        said = "\n".join(each.what for each in self.into.findings if each.where == self._where(kind))
        refused = [(one, why) for one, why in self._refused(statements) if why.surely and told(why.error) not in said]
        for statement, refusal in refused:
            self._refusal(kind, statement, refusal, [], when)
        return bool(refused)

    def _mixed(self, kind: QueryKind, samples: Samples) -> None:
        """In a batch, a poor profile may leave a comma too many, or a list without its end: one is told."""
        if not (self.integration.batched and kind.has_profiles):
            return
        any(self._surely(kind, each, f"in a batch with a profile {what}: ") for what, each in samples.mixed().items())

    def _bare(self, kind: QueryKind, samples: Samples) -> None:
        """What stands without quotes has the type of its value: one profile's number is another's boolean."""
        if not kind.has_profiles:
            return
        for name, what, statements in samples.bare():
            found = next((refusal for _, refusal in self._refused(statements) if refusal.surely), None)
            if found is not None:
                when = f"for a profile whose {name!r} is {what}"
                remedy = f"expected it in quotes, or {{number …{name}}} where a number is wanted"
                self._warn(kind, f"{when}: {told(found.error)}; {remedy}")

    def _report(self, kind: QueryKind, trial: _Trial, changes: Changes) -> None:
        for statement, refusal in trial.refused:
            self._refusal(kind, statement, refusal, changes)
        for _, refusal in trial.before.refused if trial.before else ():
            what = f"fails for segments whose id is a number: {told(refusal.error)}"
            self._warn(kind, f"{what}; expected '{{segment_id}}', in quotes, if there are such ids")

    def _refusal(self, kind: QueryKind, statement: str, refusal: Refusal, changes: Changes, when: str = "") -> None:
        what = f"{when}{told(refusal.error)}"
        if refusal.data:
            self._warn(kind, f"no made-up profile fits, so it could not be tried to the end: {what}")
            return
        line, column = self._place(kind, statement, refusal)
        meant = hint(refusal.name or word(statement, refusal.position), changes)
        level: Level = "mistake" if refusal.surely else "warning"
        self.into.findings.append(Finding(level, self._where(kind), f"{what}{meant}", line, column))

    def _place(self, kind: QueryKind, statement: str, refusal: Refusal) -> tuple[int | None, int | None]:
        source = self.sources.get((self.integration.key, kind), "")
        return place(source, statement, refusal.position, refusal.name) or (None, None)

    def _warn(self, kind: QueryKind, what: str) -> None:
        self.into.findings.append(Finding("warning", self._where(kind), what))

    # --- What it touches ----------------------------------------------------------------------------------------

    def _changes(self, kind: QueryKind, trial: _Trial) -> list[tuple[Shape, Table | None]]:
        changes: list[tuple[Shape, Table | None]] = []
        refused = {statement for statement, _ in trial.refused}
        for statement in trial.statements:
            try:
                shapes = read(statement, self.session.dialect)
            except Unreadable:
                # What the target refuses, too, has been told of already.
                if statement not in refused:
                    self._unread(f"{self._where(kind)}: its tables are not looked at, since sqlglot cannot read it")
                continue
            changes += [_met(shape, self.session.table(shape.schema, shape.table)) for shape in shapes]
        return changes

    def _shapes(self, statements: Sequence[str]) -> list[Shape]:
        """Of those that can be read."""
        shapes: list[Shape] = []
        for statement in statements:
            with suppress(Unreadable):
                shapes += read(statement, self.session.dialect)
        return shapes

    def _unread(self, what: str) -> None:
        if what not in self.into.unread:
            self.into.unread.append(what)


def _met(shape: Shape, table: Table | None) -> tuple[Shape, Table | None]:
    """The shape with what comes of a row that is there already, where the table decides that and not the INSERT."""
    if table is not None and table.replaces and shape.verb == "insert" and not shape.conflict:
        return replace(shape, conflict="update"), table
    return shape, table


@dataclass(frozen=True, slots=True)
class _Trial:
    """A sample's statements that were tried, its values, and the statements that were refused.

    before  an earlier sample that was refused, where another segment's id was taken
    """

    statements: list[str]
    values: Mapping[str, object]
    refused: list[tuple[str, Refusal]]
    before: _Trial | None = None

    @property
    def data(self) -> bool:
        """Whether another value may help."""
        return any(refusal.data for _, refusal in self.refused)


def _may_be_the_segment(refused: tuple[str, Refusal]) -> bool:
    """Types do not fit: a number may stand where a text is wanted."""
    return refused[1].error.matter is Matter.TYPES


def _is_call(statement: str) -> bool:
    """No target explains a call."""
    return statement.lstrip()[:4].lower() in {"call", "exec"}
