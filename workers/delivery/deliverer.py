"""Delivery: the page to read first.

A wake-up names a connector. It claims the connector's next due lane, serves it for a turn, takes the next, and ends
when nothing is due or its time is over (docs/architecture.md). Serving a lane is one batch after the other:

    cut the batch, render its statements, execute them in one transaction, commit while the lease lasts, settle

A step that fails raises; `_failed` alone decides what happens then, and says it in the lane.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from redis import RedisError

from workers import failpoints as crashpoints
from workers.delivery import retry_policy as retrying
from workers.delivery.batching import Batch, BatchPolicy, Buffer, Rejected
from workers.delivery.leases import Heartbeat, Lease, now
from workers.delivery.records import Done, delivered, failed, set_aside
from workers.delivery.rendering import Rendered, render
from workers.delivery.retry_policy import PROBE_MS, Action, Attempt, ConnectFailed, Plan
from workers.delivery.turn import (
    Failed,
    LeaseOver,
    NoMemory,
    NoRoom,
    NothingDue,
    PositionAlarm,
    Refused,
    Result,
    TimeOver,
    Turn,
)
from workers.errors import HoldLevel, TargetError
from workers.failpoints import reach
from workers.lanes import Claimed, Idle, Lanes, Lost, More, Probe, Systemic
from workers.lanes.messages import Release, Settlement
from workers.lanes.store import LEASE_MS
from workers.outcomes import QueryRun, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workers.connectors.contract import Session
    from workers.delivery.rendering import RenderedQuery
    from workers.integrations import Integration

log = logging.getLogger(__name__)

TURN_SECONDS = 1.0
"""How long one lane is served before others get their turn."""
CONFIRM_AFTER = 0.05
"""Seconds after which a claim or settlement is confirmed: less is usual, and no failover gives a lane away faster."""
COMMIT_MARGIN = LEASE_MS / 15_000
"""Seconds a lease must have left for a COMMIT to be sent: 2 of 30."""


class Deliverer:
    """Serves the lanes of one connector, for one process working by one revision.

    connector    its key
    open_session gives a session with it, or raises TargetError
    try_to_connect connects anew and asks the smallest question, or raises TargetError
    parallelism  lanes of it served at once, over all workers
    patience     seconds to wait for a lane's session lock; also what a statement may take
    lock_prefix  names the installation in session locks, which a whole server shares (rule 19)
    """

    def __init__(
        self,
        connector: str,
        open_session: Callable[[], Session],
        try_to_connect: Callable[[], None],
        integrations: Mapping[str, Integration],
        lanes: Lanes,
        heartbeat: Heartbeat,
        *,
        parallelism: int,
        patience: float,
        lock_prefix: str,
    ) -> None:
        self._connector = connector
        self._open_session = open_session
        self._try_to_connect = try_to_connect
        self._integrations = integrations
        self._lanes = lanes
        self._heartbeat = heartbeat
        self._parallelism = parallelism
        self._patience = patience
        self._lock_prefix = lock_prefix
        self._batches = 0
        self._session: Session | None = None

    def work(self, token: str, seconds: float) -> Result:
        """Serves due lanes until none is left, the time is over or a try fails. Raises Stale and redis.RedisError."""
        self._batches, ends = 0, time.monotonic() + seconds
        try:
            while True:
                reach(crashpoints.BEFORE_CLAIM)
                sent = now()
                claimed = self._lanes.claim(self._connector, token, self._parallelism)
                if isinstance(claimed, Idle):
                    return NothingDue(self._batches)
                failure = self._probe() if isinstance(claimed, Probe) else self._serve(claimed, token, sent)
                if failure is not None:
                    return replace(failure, batches=self._batches)
                if time.monotonic() >= ends:
                    return TimeOver(self._batches)
        finally:
            self._close()

    def _serve(self, claimed: Claimed, token: str, sent: float) -> Failed | None:
        turn = self._begin_turn(claimed, token, sent)
        self._heartbeat.watch(turn.lease)
        try:
            return self._batch_after_batch(turn)
        except RedisError:
            # Redis cannot be told now. As failed: what was tried may have come through.
            lane = turn.lease.integration, turn.lease.segment
            self._heartbeat.give_back(turn.lease, Release(*lane, "failed", limit=turn.limit, suspect=turn.suspect))
            raise
        finally:
            self._heartbeat.drop(turn.lease)

    def _begin_turn(self, claimed: Claimed, token: str, sent: float) -> Turn:
        reach(crashpoints.AFTER_CLAIM)
        lease = Lease(claimed.integration, claimed.segment, f"deliver.{self._connector}", token, sent)
        hand = Buffer(claimed.done, claimed.to, claimed.clear, claimed.chunks)
        if claimed.deadly:
            hand.deliver_all()
        integration = self._integrations[claimed.integration]
        turn = Turn(
            integration,
            lease,
            hand,
            claimed.attempts,
            claimed.limit,
            claimed.suspect,
            claimed.tried_to,
            claimed.deadly,
            time.monotonic() + TURN_SECONDS,
        )
        self._look_up(turn, claimed.open, no_room=claimed.no_room)
        return turn

    def _look_up(self, turn: Turn, entries: int, *, no_room: bool) -> None:
        """What the quarantine means for the hand: whether it has room, and which operations to retry still stand.

        Those are asked for only where the lane has entries (rule 30).
        """
        turn.no_room = no_room
        retries = turn.hand.retries if entries else []
        turn.open = entries
        turn.hand.still_open = self._lanes.still_open(turn.lease.integration, turn.lease.segment, retries)

    def _batch_after_batch(self, turn: Turn) -> Failed | None:
        integration = turn.integration
        cut = BatchPolicy(integration.batch_size, integration.key_fields, integration.batched)
        goes_on: bool | Failed = True
        while goes_on is True and (batch := turn.hand.cut(cut, turn.limit)) is not None:
            started = time.time()
            if turn.deadly:
                goes_on = self._set_deadly_aside(turn, batch, started)
                continue
            try:
                rendered = render(integration, turn.lease.segment, batch)
                if rendered.rejected and batch.clears:
                    turn.hand.deliver_all()  # the clear goes to the quarantine alone, in its turn
                    continue
                if rendered.rejected and turn.no_room:
                    goes_on = self._wait_for_room(turn, batch, started)
                    continue
                runs = self._execute(turn, batch, rendered)
            except MemoryError:
                goes_on = self._failed(turn, batch, started, NoMemory(turn.attempts))
            except TargetError as error:
                goes_on = self._failed(turn, batch, started, error)
            else:
                goes_on = self._settle(turn, batch, rendered.rejected, Done(started, rendered.idle, runs))
        return goes_on if isinstance(goes_on, Failed) else None

    def _execute(self, turn: Turn, batch: Batch, rendered: Rendered) -> list[QueryRun]:
        """Runs a batch's statements in one transaction and commits it."""
        once = turn.integration.exactly_once
        if not rendered.queries and not once:
            return []
        turn.lease.allow(self._patience * (rendered.statements + 2) + 10)
        session, lane = self._open(), self._name(turn)
        session.begin(lane, self._patience)
        self._confirm(turn.lease)
        self._check_lease(turn.lease)
        if once:
            rendered = self._not_yet_there(turn, batch, rendered, session.position(lane, turn.integration.key))
        runs = [_run(turn, session, query) for query in rendered.queries]
        turn.running = ""
        if once:
            session.move_position(lane, batch.last)
        reach(crashpoints.AFTER_EXECUTE)
        self._check_lease(turn.lease)
        session.commit()
        reach(crashpoints.AFTER_COMMIT)
        return runs

    def _name(self, turn: Turn) -> str:
        """The lane, as session locks and `segsync_position` know it."""
        return f"{self._lock_prefix}/{turn.integration.key}/{turn.lease.segment}"

    @staticmethod
    def _not_yet_there(turn: Turn, batch: Batch, rendered: Rendered, position: str) -> Rendered:
        """What of a batch the target does not have yet, by its own word (rule 22).

        A position that no try of ours can have written means that Redis or the target lost something. It never
        trims and never ends by itself: a person decides.
        """
        if position > turn.hand.to:
            raise PositionAlarm("the target's position is ahead of everything that was handed out to deliverers")
        if position and position < turn.hand.settled:
            raise PositionAlarm("the target's position is behind what was delivered: has it been restored?")
        if position < batch.first or not rendered.queries:
            return rendered
        if position >= batch.last:
            return Rendered([], [], 0)
        return render(turn.integration, turn.lease.segment, batch.after(position))

    def _confirm(self, lease: Lease) -> None:
        """Asks Redis, with the lane's session lock in hand, whether the lane is still ours, if that took a while.

        A Redis that was failed over, or restarted without its last second, may have forgotten our claim and given
        the lane to another. That one waits for the lock now, or is done, and then Redis says so.
        """
        sent = now()
        if sent - lease.renewed > CONFIRM_AFTER:
            if self._lanes.renew(lease.integration, lease.segment, lease.queue, lease.token):
                lease.extend(sent)
            else:
                lease.lost = True

    @staticmethod
    def _check_lease(lease: Lease) -> None:
        if lease.left() < COMMIT_MARGIN:
            raise LeaseOver

    def _settle(
        self, turn: Turn, batch: Batch, rejected: list[Rejected], done: Done, bad: Refused | None = None
    ) -> bool | Failed:
        """Trims the lane up to the batch and records it; whether the turn goes on."""
        turn.deadly, turn.running = False, ""
        before = turn.hand.settled
        turn.hand.settle(batch)
        suspects = turn.hand.up_to(turn.suspect)
        turn.limit = retrying.next_limit(turn.limit, turn.integration.batch_size, suspects)
        turn.suspect = turn.suspect if suspects else ""
        if bad is not None and not suspects:
            turn.limit = None  # the bad profile is found, and the search is over
        records = [encode(delivered(self._connector, turn.lease, batch, len(rejected), done, turn.attempts))]
        entries, change = set_aside(turn.lease, batch, rejected, idle=done.idle > 0, has_open=turn.open > 0)
        records += [encode(entry) for entry in entries]
        sent = now()
        answer = self._lanes.settle(
            Settlement(
                integration=turn.lease.integration,
                segment=turn.lease.segment,
                settled_before=before,
                settled=batch.last,
                operations=batch.taken,
                next_ms=turn.hand.next_ms,
                held_operations=len(turn.hand),
                held_chunks=turn.hand.chunks,
                go_on=time.monotonic() < turn.ends,
                limit=turn.limit,
                suspect=turn.suspect,
                bad=bad.counts_as if bad else "",
                change=change.packed(),
                entries=len(entries),
                tried_to=turn.tried_to,
                records=records,
            )
        )
        reach(crashpoints.AFTER_SETTLE)
        self._batches += 1
        turn.attempts = 0
        match answer:
            case More():
                turn.lease.extend(sent)
                turn.hand.receive(answer.to, answer.clear, answer.chunks)
                self._look_up(turn, answer.open, no_room=answer.no_room)
                return True
            case Systemic() if bad is not None:
                return self._give_back(
                    turn,
                    batch,
                    done.started,
                    bad.as_query_fault(),
                    Plan(Action.HELD, PROBE_MS, level=HoldLevel.INTEGRATION),
                )
            case Lost():
                log.warning("%s/%s was taken over before it was settled", turn.lease.integration, turn.lease.segment)
        return False

    def _set_deadly_aside(self, turn: Turn, batch: Batch, started: float) -> bool | Failed:
        """The head of the lane has ended every process that touched it: it goes to the quarantine untouched."""
        members = [member.operation for member in (*batch.removes, *batch.adds)] + (
            [batch.event] if batch.event else []
        )
        reason = "delivering it ended the deliverer's process again and again"
        return self._pass_over(turn, batch, started, [Rejected(each, "poison", reason) for each in members])

    def _failed(self, turn: Turn, batch: Batch, started: float, error: TargetError) -> bool | Failed:
        """Decides what an error leads to, the only place that does; whether the turn goes on."""
        self._discard()
        alone = batch.alone
        tolerant = turn.integration.tolerance == "data"
        plan = retrying.plan(
            error, Attempt(batch.counted, alone is not None, turn.attempts, turn.limit, tolerant=tolerant)
        )
        if plan.action is Action.SET_ASIDE and batch.clears:
            turn.hand.deliver_all()  # as where it cannot be rendered
            return True
        if plan.action is Action.SET_ASIDE and alone is not None:
            refused = Refused(alone, error, may_be_ours=alone.sequence <= turn.tried_to)
            return self._pass_over(turn, batch, started, [*batch.rejected, refused.rejected], refused)
        return self._give_back(turn, batch, started, error, plan)

    def _pass_over(
        self, turn: Turn, batch: Batch, started: float, rejected: list[Rejected], bad: Refused | None = None
    ) -> bool | Failed:
        """Settles a batch that goes to the quarantine instead of the target; its position goes on all the same."""
        if turn.no_room:
            return self._wait_for_room(turn, batch, started)
        if turn.integration.exactly_once:
            try:
                self._execute(turn, batch, Rendered([], [], 0))
            except TargetError as error:
                self._discard()
                later = Plan(Action.LATER, retrying.backoff_ms(turn.attempts, 1.0), turn.limit)
                return self._give_back(turn, batch, started, error, later)
        return self._settle(turn, batch, rejected, Done(started), bad)

    def _wait_for_room(self, turn: Turn, batch: Batch, started: float) -> bool | Failed:
        """Holds the lane: nothing is thrown away because too much is bad (rule 31)."""
        error = NoRoom(turn.integration.max_quarantine)
        return self._give_back(
            turn, batch, started, error, Plan(Action.HELD, PROBE_MS, limit=turn.limit, level=error.level)
        )

    def _give_back(self, turn: Turn, batch: Batch, started: float, error: TargetError, plan: Plan) -> bool | Failed:
        """Writes the failure into the lane; True where a shorter batch is tried at once."""
        again = plan.action is Action.AGAIN
        connecting = plan.action is Action.CIRCUIT
        if again:
            turn.suspect, turn.limit = batch.last, plan.limit
        held = plan.level is not None
        record = failed(self._connector, turn.lease, batch, turn.attempts, started, error, turn.running, held=held)
        turn.running = ""
        delay = (
            self._lanes.circuit(self._connector, code=error.code, reason=error.reason) if connecting else plan.delay_ms
        )
        sent = now()
        kept = self._lanes.release(
            Release(
                integration=turn.lease.integration,
                segment=turn.lease.segment,
                how=_how(turn, error, again=again),
                delay_ms=delay,
                limit=plan.limit,
                suspect=turn.suspect,
                level=plan.level.value if plan.level else "",
                code=error.code,
                reason=error.reason,
                records=[encode(record)],
            )
        )
        turn.attempts += 1
        if again and kept:
            reach(crashpoints.BETWEEN_HALVES)
            turn.lease.extend(sent)
            return True
        failure = Failed(
            turn.lease.integration, turn.lease.segment, error.code, error.reason, delay / 1000, needs_help=held
        )
        log.warning("%s, next try in %.1f s", failure, failure.retry_in_s)
        return failure

    def _probe(self) -> Failed | None:
        """Tries to connect, in the name of all lanes of a connector whose circuit is open."""
        try:
            self._try_to_connect()
        except TargetError as error:
            delay = self._lanes.circuit(self._connector, code=error.code, reason=error.reason)
            return Failed(self._connector, "*", error.code, error.reason, delay / 1000, needs_help=False)
        self._lanes.circuit(self._connector)
        return None

    def _open(self) -> Session:
        if self._session is None:
            try:
                self._session = self._open_session()
            except TargetError as error:
                raise ConnectFailed(error) from error
        return self._session

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _discard(self) -> None:
        if self._session is not None:
            self._session.discard()
            self._session = None


def _how(turn: Turn, error: TargetError, *, again: bool) -> str:
    """How a lane is given back; see release.lua."""
    if again:
        return "again"
    return "untried" if isinstance(error, ConnectFailed) else "deadly" if turn.deadly else "failed"


def _run(turn: Turn, session: Session, query: RenderedQuery) -> QueryRun:
    started = time.perf_counter()
    turn.running = query.event_type
    rows = sum(session.execute(statement) for statement in query.statements)
    duration_us = round((time.perf_counter() - started) * 1e6)
    return QueryRun(query.event_type, query.profiles, len(query.statements), rows, duration_us)
