"""How a shipment gets into a database: one transaction, its lock first, its COMMIT a round trip of its own (rule 18).

    render, begin with the lane's lock, ask the fence, see what is there already, execute, ask the fence, COMMIT

Used by every session that can run statements in transactions, whatever runs them.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from workers import failpoints
from workers.connectors.contract import Group, PositionAlarm, Receipt, Unfit
from workers.connectors.sql.positions import Reached
from workers.connectors.sql.rendering import is_idle, render
from workers.errors import Phase, TargetError
from workers.failpoints import reach
from workers.outcomes import QueryRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from workers.connectors.contract import Fence, Positions, Shipment
    from workers.connectors.sql.rendering import RenderedQuery

OVERHEAD_SECONDS = 10.0
"""What connecting anew, BEGIN and COMMIT may take beside the statements."""


class Transactions(Protocol):
    """What runs statements in transactions; see `connector.PooledSession`."""

    def begin(self, lock: str | None, patience: float) -> None:
        """Opens a transaction and holds the lane's lock."""

    def begin_together(self, locks: list[str]) -> None:
        """Opens a transaction and holds several lanes' locks; TargetError where one of them is held by another."""

    def identify(self, batch: str) -> None:
        """Told the batch's name, the same whenever the same is tried again; "" where a repetition must be done anew."""

    def execute(self, statement: str) -> int:
        """Runs one statement; the affected rows."""

    def try_out(self, statement: str) -> int:
        """As `execute`, where all is taken back at the end; a target that can take nothing back only looks at it."""

    def position(self, lane: str, integration: str) -> str:
        """How far the lane is, its row locked; "" where nothing was delivered."""

    def move_position(self, lane: str, to: str) -> None:
        """Writes it."""

    def check_deferred(self) -> bool:
        """Checks now what would be checked at COMMIT; False where the target has no word for that."""

    def commit(self) -> None:
        """Sends COMMIT."""

    def rollback(self) -> None:
        """Sends ROLLBACK."""


def deliver(
    session: Transactions, shipment: Shipment, fence: Fence, rendered: list[RenderedQuery] | None = None
) -> Receipt:
    """As `contract.Session.deliver`; `rendered` is given where that was made ready before."""
    queries = _rendered(shipment) if rendered is None else rendered
    idle = int(is_idle(shipment))
    statements = sum(len(query.statements) for query in queries or ())
    if queries is not None and not statements and shipment.positions is None:
        return Receipt(idle=idle, unsent=_unsent(queries))
    fence(shipment.patience * (statements + 2) + OVERHEAD_SECONDS)
    with _during(Phase.LOCK):
        session.begin(shipment.lane, shipment.patience)
        fence()
        session.identify(_identity(shipment))
        with _of_no_query():
            position = _position(session, shipment)
    left = _not_yet_there(session, shipment, queries, position.sequence)
    if queries is None:
        fence(shipment.patience * (sum(len(query.statements) for query in left) + 1) + OVERHEAD_SECONDS)
    run = session.try_out if shipment.trial else session.execute
    runs = tuple(_run(run, query, fence) for query in left if query.statements)
    if shipment.trial:
        with _during(Phase.EXECUTE):
            checked = session.check_deferred()
            session.rollback()
        return Receipt(runs, idle=idle, checked=checked, reached=position.sequence)
    reached = _reached(shipment, position)
    if reached != position:
        with _of_no_query():
            session.move_position(shipment.lane, str(reached))
    reach(failpoints.AFTER_EXECUTE)
    if shipment.before_commit is not None:
        shipment.before_commit()
    fence()
    with _during(Phase.COMMIT):
        session.commit()
    reach(failpoints.AFTER_COMMIT)
    return Receipt(runs, idle=idle, unsent=_unsent(left))


def deliver_together(session: Transactions, shipments: Sequence[Shipment], fence: Fence) -> list[Receipt]:
    """As `contract.Session.deliver_together`: one transaction for all lanes, their locks first."""
    with _during(Phase.RENDER):
        queries = [render(shipment) for shipment in shipments]
    statements = sum(len(query.statements) for each in queries for query in each)
    fence(shipments[0].patience * (statements + 2) + OVERHEAD_SECONDS)
    with _during(Phase.LOCK):
        session.begin_together([shipment.lane for shipment in shipments])
        fence()
    # Between the statements it need not be asked: whoever takes several lanes has transactions.
    receipts = [_receipt(session, each) for each in queries]
    reach(failpoints.AFTER_EXECUTE)
    fence()
    with _during(Phase.COMMIT):
        session.commit()
    reach(failpoints.AFTER_COMMIT)
    return receipts


def _receipt(session: Transactions, queries: list[RenderedQuery]) -> Receipt:
    runs = tuple(_run(session.execute, query, _unasked) for query in queries if query.statements)
    return Receipt(runs, unsent=_unsent(queries))


def _unsent(queries: list[RenderedQuery]) -> tuple[QueryRun, ...]:
    """Those of which nothing is sent."""
    empty = (query for query in queries if not query.statements)
    return tuple(QueryRun(query.event_type, 0, 0, 0, 0, runs=0, unsent=query.unsent) for query in empty)


def _rendered(shipment: Shipment) -> list[RenderedQuery] | None:
    """The queries; None where some cannot be rendered, and the target's position has to say whether it must be."""
    with _during(Phase.RENDER):
        try:
            return render(shipment)
        except (TargetError, MemoryError):
            if shipment.positions is None:
                raise
            return None


def _position(session: Transactions, shipment: Shipment) -> Reached:
    if shipment.positions is None:
        return Reached()
    text = session.position(shipment.lane, shipment.integration)
    try:
        position = Reached.from_text(text)
        misfit = _misfit(position, shipment.positions, shipment.first)
    except ValueError as error:
        position, misfit = Reached(), f"the target's position is none: {error}"
    if misfit and not shipment.positions.overruled:
        raise PositionAlarm(f"{misfit}; `segsync resync` of the segment goes on from here")
    return Reached() if misfit else position


def _reached(shipment: Shipment, position: Reached) -> Reached:
    """What the position is to be when the batch is there.

    It only ever grows: what is behind it is there, and a shorter batch that is tried after a longer one that was
    committed unheard must not take that back.
    """
    if shipment.positions is None or shipment.last <= position.sequence:
        return position
    return Reached(shipment.last, shipment.positions.known(shipment.last))


def _misfit(position: Reached, positions: Positions, first: str) -> str:
    """A position that no try of ours can have written means that Redis or the target lost something (rule 22).

    It never trims and never ends by itself: a person decides, or asks for a resync.

    first  of the batch: what the position says of anything before it is settled
    """
    sequence, fingerprint = position
    if sequence > positions.handed_out:
        return "the target's position is ahead of everything that was handed out to deliverers"
    if sequence and sequence < positions.settled:
        return "the target's position is behind what was delivered: has it been restored?"
    if sequence >= first:
        there = positions.known(sequence)
        if not there or (fingerprint and fingerprint != there):
            return "the target has an event, or has passed over a refused one, which Redis does not have: it lost some"
    return ""


def _not_yet_there(
    session: Transactions, shipment: Shipment, queries: list[RenderedQuery] | None, position: str
) -> list[RenderedQuery]:
    """What the target does not have yet, by its own word. Raises Unfit where some of that cannot be rendered."""
    if queries is not None and (position < shipment.first or not queries):
        return queries
    if position >= shipment.last:
        return []
    with _during(Phase.RENDER):
        try:
            return render(replace(shipment, groups=tuple(_after(group, position) for group in shipment.groups)))
        except Unfit:
            session.rollback()
            raise


def _after(group: Group, position: str) -> Group:
    return Group(group.kind, tuple(member for member in group.members if member.sequence > position))


def _identity(shipment: Shipment) -> str:
    """The batch as it is written down in its lane: what is tried again cuts the same one (docs/architecture.md).

    None where a query of the integration may take rows away: a target that knows a repeated INSERT again would leave
    it out, after a DELETE that was repeated as well.
    """
    if not all(query.only_inserts for query in shipment.queries.values()):
        return ""
    return f"{shipment.lane} {shipment.first} {shipment.last}"


def _unasked(seconds: float = 0.0) -> None:
    """A fence that lets everything through."""


def _run(run: Callable[[str], int], query: RenderedQuery, fence: Fence) -> QueryRun:
    """Asks the fence before each statement: where there are no transactions, each one is a COMMIT."""
    started, rows = time.perf_counter(), 0
    with _during(Phase.EXECUTE, query.event_type):
        for statement in query.statements:
            fence()
            rows += run(statement)
    duration_us = round((time.perf_counter() - started) * 1e6)
    return QueryRun(query.event_type, query.profiles, len(query.statements), rows, duration_us, unsent=query.unsent)


@contextmanager
def _of_no_query() -> Iterator[None]:
    """What the table of positions is refused says nothing of any profile, whatever the code."""
    try:
        yield
    except TargetError as error:
        error.phase = Phase.LOCK
        raise


@contextmanager
def _during(phase: Phase, event_type: str = "") -> Iterator[None]:
    """Says in an error what was going on, where who raised it has not."""
    try:
        yield
    except TargetError as error:
        if error.phase is None:
            error.phase = phase
        if event_type:
            error.event_type = event_type
        raise
