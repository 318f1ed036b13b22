"""Which runs of resyncs are meant: of one integration, of one segment, in one state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast, get_args

from workers.errors import WrongUsage
from workers.lanes.answers import text_fields, text_of
from workers.ledger.resyncs import OUTCOMES, last_resyncs
from workers.resync.run import ResyncRun, State
from workers.settings.segment_ids import segment_id_if_any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.lanes.runs import ResyncRuns
    from workers.ledger.database import Ledger
    from workers.outcomes import Resynced

OPEN: Final = "open"
ENDED: Final = "ended"
STATES: Final = (OPEN, *(state for state in get_args(State) if state != ENDED), ENDED, *OUTCOMES)
"""What a run can be: open, and how far it is; ended, and how."""
AT_ONCE: Final = 500
"""Runs that Redis is asked of in one go."""


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What a run must be to be meant; None where it may be any.

    state  one of STATES
    """

    integration: str | None = None
    segment: str | None = None
    state: str | None = None

    @classmethod
    def of(cls, integration: str | None, segment: str | None, state: str | None) -> RunFilter:
        """As people say it; WrongUsage for what no segment and no state can be."""
        if state is not None and state not in STATES:
            raise WrongUsage(f"state {state[:60]!r}: expected one of {', '.join(STATES)}")
        return cls(integration, segment_id_if_any(segment), state)

    def find_open(self, runs: ResyncRuns, redis: Redis, keys: Keys, most: int) -> list[ResyncRun]:
        """Runs that are not over, those that have begun first; at most so many. redis.RedisError."""
        if self.state == ENDED or self.state in OUTCOMES:
            return []
        found: list[str] = []
        names = runs.open()
        for start in range(0, len(names), AT_ONCE):
            found += self._fitting(redis, keys, names[start : start + AT_ONCE])
            if len(found) >= most:
                break
        return _read(redis, keys, found[:most])

    def find_ended(self, ledger: Ledger, most: int) -> list[Resynced]:
        """Runs that are over, the newest first; at most so many. LedgerError."""
        if self.state in STATES and self.state != ENDED and self.state not in OUTCOMES:
            return []
        outcome = None if self.state == ENDED else self.state
        return last_resyncs(ledger, most, integration=self.integration, segment=self.segment, outcome=outcome)

    def fits(self, integration: str | None, segment: str | None, state: str | None) -> bool:
        """Whether an open run of this kind is meant."""
        return all(
            wanted in (None, found)
            for wanted, found in (
                (self.integration, integration),
                (self.segment, segment),
                (None if self.state == OPEN else self.state, state),
            )
        )

    def _fitting(self, redis: Redis, keys: Keys, names: Sequence[str]) -> Iterator[str]:
        if self in (RunFilter(), RunFilter(state=OPEN)):
            yield from names
            return
        pipe = redis.pipeline(transaction=False)
        for name in names:
            pipe.hmget(keys.run(name), "integration", "segment", "state")
        for name, told in zip(names, cast("list[list[bytes | None]]", pipe.execute()), strict=True):
            if self.fits(*map(text_of, told)):
                yield name


def _read(redis: Redis, keys: Keys, names: Sequence[str]) -> list[ResyncRun]:
    """Those that are still known."""
    pipe = redis.pipeline(transaction=False)
    for name in names:
        pipe.hgetall(keys.run(name))
    found = (ResyncRun.read(text_fields(each)) for each in pipe.execute())
    return [run for run in found if run is not None]
