"""Who has something done, and how that is written down before it is done.

Every act of a command, of the console and of the API goes through `recorded`, so that all of them leave the same trace:
a record on its way to the ledger (`workers/ledger/acts.py`). It needs Redis alone, as the act itself does.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from redis import RedisError

from workers import outcomes
from workers.errors import SegsyncError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis import Redis

    from workers.lanes.keys import Keys

LONGEST_REASON: Final = 1_000
"""Characters of a reason, or another word, that are written down."""

# The DEL lets a full Redis run what follows (rule 5): that may be just when somebody wants to pause.
_RECORD: Final = """
redis.call('DEL', KEYS[2])
return redis.call('XADD', KEYS[1], '*', 'r', ARGV[1])
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who has something done.

    name     a user, a token, or user and host of a command
    via      "command", "console" or "api"
    address  where the request came from; "" for a command
    """

    name: str
    via: str = "command"
    address: str = ""


def record(
    redis: Redis, keys: Keys, actor: Actor, act: str, target: str = "", *, reason: str = "", failed: str = ""
) -> None:
    """Writes an act down. redis.RedisError."""
    told = outcomes.Acted(
        uid=outcomes.new_uid(),
        at_ms=0,  # its place in the stream tells
        who=_written(actor.name),
        via=_written(actor.via),
        act=_written(act),
        target=_written(target),
        reason=_written(reason),
        address=_written(actor.address),
        failed=_written(failed),
    )
    redis.eval(_RECORD, 2, keys.outcomes, keys.nothing, outcomes.encode(told))


def _written(word: str) -> str:
    """As a record can carry it, whatever it is: no name and no reason stops an act, or leaves one unwritten."""
    return word[:LONGEST_REASON].encode(errors="replace").decode()


@contextmanager
def recorded(redis: Redis, keys: Keys, actor: Actor, act: str, target: str = "", *, reason: str = "") -> Iterator[None]:
    """Writes down what is done within, before it is done; and once more, with why, where it fails."""
    record(redis, keys, actor, act, target, reason=reason)
    try:
        yield
    except BaseException as error:
        try:
            record(redis, keys, actor, act, target, reason=reason, failed=_told(error))
        except RedisError as silent:
            error.add_note(f"and that could not be written down: {silent}")
        raise


def _told(error: BaseException) -> str:
    """Our own sentence; of anything else only what it is, since vendors' texts may hold people's data."""
    return str(error) if isinstance(error, SegsyncError) else type(error).__name__
