"""What is delivered in one step, as a value; batching.py cuts it from a lane."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple, TypedDict

if TYPE_CHECKING:
    from workers.connectors.contract import Rejection
    from workers.integrations import Ordering
    from workers.lanes import Operation
    from workers.templates import Row, RowProblem

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """An operation that no target can take, and why; for the quarantine.

    key  its canonical key; None where it has none
    """

    operation: Operation
    code: str
    reason: str
    detail: str = ""
    key: Key | None = None

    @classmethod
    def unusable(cls, operation: Operation, problem: RowProblem) -> Rejected:
        """For what no key can be made of; the reason names the field and never its value."""
        where = f"{problem.field}: " if problem.field else ""
        return cls(operation, problem.code, where + problem.reason)

    @classmethod
    def of(cls, operation: Operation, rejection: Rejection, key: Key | None) -> Rejected:
        """For what was written down as refused."""
        return cls(operation, rejection.code, rejection.reason, rejection.detail, key)


class Keyed(NamedTuple):
    """An add or remove of a batch with its key, and its row as templates see it: a `contract.Member`."""

    operation: Operation
    key: Key
    row: Row

    @property
    def sequence(self) -> str:
        """Its operation's; made when it is asked for, which few are."""
        return self.operation.sequence


@dataclass(slots=True)
class Batch:
    """What is delivered in one transaction.

    taken        operations it takes from the lane, everything below included
    counted      of these: count towards the size
    first, last  sequences of the first and last of them
    head_ms      stream time of the first
    name         the segment's name as the lane knew it
    event        the segment event that this batch is, if it is one
    members      adds and removes to be told, in the order they came
    rejected     operations without a usable key
    aside        operations that the lane says are to go to the quarantine: nobody is told of them
    merged       operations superseded within the batch by a later one of their key
    moot         operations that the clear which the batch ends with makes pointless, and retried ones that something
                 came after
    retried      what it takes that comes out of the quarantine, whatever came of it
    distinct     whether no two of its members can be one row: known without a look at each
    """

    first: str
    last: str
    head_ms: int
    name: str | None
    taken: int = 0
    counted: int = 0
    event: Operation | None = None
    members: list[Keyed] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    aside: list[Rejected] = field(default_factory=list)
    merged: int = 0
    moot: int = 0
    retried: list[Operation] = field(default_factory=list)
    distinct: bool = False

    @property
    def clears(self) -> bool:
        """Whether operations are moot on the word of the clear that it ends with."""
        return self.event is not None and self.moot > 0

    @property
    def alone(self) -> Operation | None:
        """The one operation that the target is to be told of, if it is only one."""
        if self.event is not None:
            return self.event
        return self.members[0].operation if len(self.members) == 1 else None

    @property
    def runs_something(self) -> bool:
        """Whether there is anything to tell a target at all."""
        return self.event is not None or bool(self.members)

    @property
    def bare(self) -> Batch:
        """Its place in the lane, and nothing at hand of what it holds: some of that may end whoever touches it."""
        return replace(self, members=[], rejected=[], event=None)

    def keys(self) -> dict[str, Key]:
        """Of each operation that is told or was refused: sequence to key."""
        found = {member.operation.sequence: member.key for member in self.members}
        return found | {each.operation.sequence: each.key for each in self.aside if each.key is not None}


class Beyond(TypedDict):
    """What a settlement is told of what its deliverer still holds; see messages.Settlement."""

    next_ms: int | None
    held_operations: int
    held_chunks: int


@dataclass(frozen=True, slots=True)
class BatchPolicy:
    """How an integration's batches are cut.

    size      operations in a batch, counted before merging
    key       profile fields that identify the row
    ordering  what may pass what
    """

    size: int
    key: Key
    ordering: Ordering
