"""The one place that says what a failure means to whoever called a command: a message, and an exit status."""

from __future__ import annotations

import errno
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from redis import RedisError
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from segsync import IntakeFull, PushFailed
from workers.cli.exit_status import FINE, NEEDS_SOMEONE, OUT_OF_REACH, WRONG
from workers.cli.json_lines import BadLine, PushStopped
from workers.cli.streams import give_up
from workers.control import rights
from workers.control.apply import WrongChoice
from workers.control.losses import ApplyRefused
from workers.control.pause import UnknownIntegration
from workers.errors import SegsyncError, SettingsError, WrongUsage
from workers.ledger.errors import LedgerError
from workers.quarantine.entries import UnknownEntry
from workers.settings.reconnecting import ReadOnly
from workers.settings.revisions import UnknownRevision
from workers.settings.spelling import in_line


@dataclass(frozen=True, slots=True)
class Failure:
    """What a command says on stderr and ends with; "" says nothing."""

    message: str
    status: int


STATUSES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (BadLine, WRONG),
    (SettingsError, WRONG),
    (WrongChoice, WRONG),
    (WrongUsage, WRONG),
    (UnknownIntegration, WRONG),
    (UnknownEntry, WRONG),
    (UnknownRevision, WRONG),
    (LedgerError, OUT_OF_REACH),
    (SegsyncError, NEEDS_SOMEONE),
    (RedisError, OUT_OF_REACH),
)
"""The first that fits counts."""


_HUNG_UP: Final = ("Connection closed by server", "Connection reset by peer", "EOF occurred", "WRONG_VERSION_NUMBER")


def explain(error: Exception) -> Failure | None:
    """What an expected failure means; None for one that is a mistake of ours."""
    if isinstance(error, UnicodeEncodeError):
        return _of_words(error)
    if isinstance(error, OSError) and not isinstance(error, RedisError):
        return _of_system(error)
    if isinstance(error, PushStopped) and isinstance(error.__cause__, PushFailed):
        # Full is no failure of Redis: someone is needed there, or patience.
        full = isinstance(error.__cause__, IntakeFull)
        return Failure(str(error), NEEDS_SOMEONE if full else OUT_OF_REACH)
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), None)
    if status is None:
        return None
    return Failure(of_redis(error) if isinstance(error, RedisError) else _told(error), status)


def _told(error: Exception) -> str:
    """Its message; a line end in it is a name's, but for those that list mistakes."""
    return str(error) if isinstance(error, (SettingsError, ApplyRefused)) else in_line(str(error))


def _of_words(error: UnicodeEncodeError) -> Failure | None:
    """Bytes of the command line that are no text come as halves of pairs, which neither Redis nor a ledger takes."""
    halves = error.object[error.start : error.end]
    word = next((each for each in sys.argv[1:] if halves in each), None)
    return None if word is None else Failure(f"{word[:80]!r}: bytes that are no text; expected UTF-8", WRONG)


def _of_system(error: OSError) -> Failure:
    if isinstance(error, BrokenPipeError):
        give_up()
        return Failure("", FINE)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG):
        give_up()
        if error.filename is None:  # nobody is told anything: 1 would say that it was, and who reads it is needed
            return Failure(f"the output: {error.strerror}", OUT_OF_REACH)
    if isinstance(error, FileNotFoundError) and error.filename is None:
        return Failure("the current folder is gone; expected to be started in one that is there", WRONG)
    place = f"{in_line(str(error.filename))}: " if error.filename else "the output: "
    return Failure(f"{place}{error.strerror or type(error).__name__}", NEEDS_SOMEONE)


def of_redis(error: RedisError) -> str:
    """What Redis's failure is called: an answer that refuses is not silence: who mends it looks elsewhere."""
    if isinstance(error, NoPermissionError) or "NOPERM" in str(error) or "can't run this command" in str(error):
        return f"Redis refused us: {_missing_rights() or f'{error}; docs/redis.md has the rights that are needed'}"
    if isinstance(error, AuthenticationError):
        return f"Redis refused us: {error}; see [redis] of the file, its username, password or password_file"
    if isinstance(error, ResponseError) and "slot" in str(error):
        return f"Redis refused a command: {error}; is it Redis Cluster, which is not supported? Expected one primary"
    if isinstance(error, (ResponseError, ReadOnly)):
        return f"Redis refused a command: {error}"
    return f"Redis is out of reach: {error}{_about_tls(str(error))}"


def _about_tls(said: str) -> str:
    """What helps where TLS may be what is wrong. Servers that want it, or a certificate of ours, only hang up."""
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return "; expected a certificate that ssl_ca_certs of the URL, or the system, vouches for (docs/redis.md, TLS)"
    if any(each in said for each in _HUNG_UP):
        return "; has it ended, or does it want TLS (rediss://) or a certificate (ssl_certfile)? See docs/redis.md, TLS"
    return ""


def _missing_rights() -> str:
    """Which command on which key: Redis itself names neither the key nor a script's command."""
    from workers.cli.installation import open_runtime  # noqa: PLC0415 - SQLAlchemy is not worth loading before

    with suppress(RedisError, SegsyncError):
        runtime = open_runtime()
        return rights.sentence(runtime.redis, runtime.keys)
    return ""
