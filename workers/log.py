"""Every line that segsync logs: a closed list of events, each with its level, its fields and its sentence.

For people a line is its sentence. With SEGSYNC_LOG=json it is one JSON object: `at`, `level`, `event`, the fields, and
`text`, the sentence; what libraries log has the event "library". No field ever holds what came from a profile or an
event's payload, a secret, or a vendor's text: names, numbers, codes and our own sentences only.

    tell(REVISION_FOLLOWED, revision=3)

Importing this loads nothing but the standard library.
"""

from __future__ import annotations

import json
import logging
import os
import string
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

logger: Final = logging.getLogger("segsync")

VARIABLE: Final = "SEGSYNC_LOG"
"""The environment's word for how lines look: "json", or text where it is absent."""

FIELDS: Final[Mapping[str, str]] = {
    "act": "the name of a command that somebody had the console do",
    "applied": "the revision that is applied",
    "applied_at": "when that was applied",
    "by": "who applied or did it",
    "connector": "a connector's key",
    "entry": "the id of an entry of the intake",
    "fields": "how many",
    "differences": "key paths of the configuration that differ",
    "error": "our own sentence, or the name of a library's exception",
    "integration": "an integration's key",
    "lock": "the name of a session lock, a hash",
    "on": "what it was done to: a key, a number, a segment's id",
    "operations": "how many",
    "outcome": "done, or our own sentence why not",
    "reason": "code and our own sentence",
    "retry_in_s": "seconds until the next try",
    "revision": "of the configuration this process works by",
    "run": "the number of a resync or a verification",
    "seconds": "how long",
    "segment": "a segment's id",
    "session": "the number of a database session",
    "task": "the name of a Celery task",
    "tries": "how many",
}
"""Every field that a line may have. None may hold a profile's data: think of it before you add one."""


@dataclass(frozen=True, slots=True)
class Line:
    """One event that is worth a line.

    name   stable: what programs look for
    level  of `logging`; at Celery's default (WARNING) only what an operator should know is seen
    text   the sentence, its fields in braces
    """

    name: str
    level: int
    text: str

    @property
    def fields(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(name for _, name, _, _ in string.Formatter().parse(self.text) if name)


LINES: Final[dict[str, Line]] = {}
"""All of them, by name."""


def _line(name: str, level: int, text: str) -> Line:
    LINES[name] = Line(name, level, text)
    return LINES[name]


# The process and its configuration.
REVISION_FOLLOWED = _line("revision_followed", logging.INFO, "working by revision {revision} of the configuration")
FILE_WRONG = _line(
    "file_wrong", logging.WARNING, "this worker's file is wrong; it works by the applied revision {applied}. {error}"
)
FILE_DIFFERS = _line(
    "file_differs",
    logging.WARNING,
    "this worker's file differs from the applied revision {applied} ({applied_at}, by {by}), which it works by:"
    " {differences}",
)
NO_MEMORY = _line("no_memory", logging.CRITICAL, "{task}: no memory left; this process ends")

CONSOLE_ACT = _line("console_act", logging.WARNING, "{by}: {act} {on}: {outcome}")

# Waking and routing.
PULSE_PAUSES = _line(
    "pulse_pauses", logging.WARNING, "the pulse pauses for {seconds:.1f} s after {tries} tries: {error}"
)
PULSE_GOES_ON = _line("pulse_goes_on", logging.WARNING, "the pulse goes on, after {tries} tries in {seconds:.0f} s")
ROUTING_LOST = _line("routing_lost", logging.WARNING, "another router took over; what was being moved is left to it")
ROUTER_RESTS = _line("router_rests", logging.WARNING, "the router rests: {reason}")
LEDGER_FORGOT = _line(
    "ledger_forgot", logging.INFO, "the ledger let go of {tries:,} tries that were older than [ledger] keep"
)
OPERATIONS_DROPPED = _line(
    "operations_dropped",
    logging.WARNING,
    "{integration}: {operations:,} operations were dropped, for its backlog is at its max_backlog: push them again",
)
FIELDS_IGNORED = _line("fields_ignored", logging.WARNING, "{entry}: {fields} fields beside 'event' mean nothing")
LEASES_NOT_KEPT = _line("leases_not_kept", logging.DEBUG, "leases are not kept: {error}")
LEASE_KEEPER_FAILED = _line("lease_keeper_failed", logging.ERROR, "keeping the leases failed; it goes on: {error}")

# Delivering.
BATCH_FAILED = _line(
    "batch_failed", logging.WARNING, "{integration}/{segment}: {reason}, next try in {retry_in_s:.1f} s"
)
SET_ASIDE = _line(
    "set_aside",
    logging.WARNING,
    "{integration}/{segment}: {operations} set aside in the quarantine, of which the first: {reason}",
)
TARGET_BACK = _line(
    "target_back",
    logging.WARNING,
    "{connector} is reachable again, after {tries} tries in {seconds:.0f} s: {reason}",
)
HOLD_OVER = _line("hold_over", logging.WARNING, "{integration} goes on: what held it is over, as {segment} shows")
LANE_TAKEN_OVER = _line(
    "lane_taken_over", logging.WARNING, "{integration}/{segment} was taken over before it was settled"
)
LEASE_NOT_RENEWED = _line("lease_not_renewed", logging.WARNING, "lease of {integration}/{segment} not renewed: {error}")
HEARTBEAT_FAILED = _line("heartbeat_failed", logging.ERROR, "the heartbeat failed; it goes on: {error}")
LANE_COMPACTED = _line(
    "lane_compacted", logging.INFO, "{integration}/{segment} has waited for long: {operations} operations are merged"
)
SESSION_ENDED = _line(
    "session_ended", logging.WARNING, "ending session {session} of {connector}, which did not give back lock {lock}"
)
SESSION_STUCK = _line(
    "session_stuck", logging.WARNING, "session {session} of {connector} took too long and could not be ended"
)

ACCOUNT_FAILED = _line("account_failed", logging.WARNING, "{connector}: what it is owed cannot be sent: {reason}")

# Resyncs. Why is told by the command alone: it may name a member.
RESYNC_ENDED = _line("resync_ended", logging.INFO, "{integration}/{segment}: run {run} has ended: {outcome}")
RESYNC_FAILED = _line(
    "resync_failed",
    logging.WARNING,
    "{integration}/{segment}: run {run} has failed for good; `segsync resync --list` says why",
)
RESYNC_WAITS = _line(
    "resync_waits",
    logging.WARNING,
    "{integration}/{segment}: run {run} has failed {tries} times, next try in {retry_in_s:.1f} s;"
    " `segsync resync --list` says why",
)

# The ledger.
LEDGER_AWAY = _line("ledger_away", logging.WARNING, "outcomes wait in Redis: {error}")
LEDGER_BACK = _line(
    "ledger_back", logging.WARNING, "outcomes are written to the ledger again, after {tries} tries in {seconds:.0f} s"
)
SUMS_UNREADABLE = _line(
    "sums_unreadable", logging.ERROR, "sums of {tries} tries cannot be read and are not counted: {error}"
)


def tell(line: Line, *, level: int | None = None, traceback: bool = False, **fields: object) -> None:
    """Logs it.

    level      instead of the line's own, for what is said less loudly when it comes again and again
    traceback  whether that of the exception being handled goes with it: for mistakes of our own only
    """
    logger.log(
        line.level if level is None else level,
        "%s",
        _Sentence(line, fields),
        exc_info=traceback,
        extra={"segsync_line": line.name, "segsync_fields": fields},
    )


@dataclass(frozen=True, slots=True)
class _Sentence:
    """Spelled when it is written: most lines of a level that nobody asked for never are."""

    line: Line
    fields: Mapping[str, object]

    def __str__(self) -> str:
        return self.line.text.format(**{name: on_one_line(value) for name, value in self.fields.items()})


def on_one_line(value: object) -> object:
    """A text whose line ends and control characters are written out: no field makes a line of its own."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)


def is_json(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether lines are to be JSON."""
    return environ.get(VARIABLE, "").strip().lower() == "json"


class JsonFormatter(logging.Formatter):
    """One JSON object for each record, ours and libraries' alike."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        found: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": getattr(record, "segsync_line", "library"),
        }
        found |= getattr(record, "segsync_fields", {"logger": record.name})
        found["text"] = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            found["traceback"] = self.formatException(record.exc_info)
        return json.dumps(found, default=str, ensure_ascii=False)


class Early(logging.Handler):
    """Keeps what is told before whoever runs us has set its log up; from the beginning to `hand_on`."""

    def __init__(self) -> None:
        super().__init__()
        self._records: list[logging.LogRecord] = []

    def begin(self) -> None:
        """Keeps what is told from now on."""
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps it."""
        self._records.append(record)

    def hand_on(self) -> None:
        """Ends that, and writes all of it where lines are written by now."""
        logger.removeHandler(self)
        records, self._records = self._records, []
        for record in records:
            logger.handle(record)


class Without(logging.Filter):
    """Lets all pass but some of our lines."""

    def __init__(self, without: Collection[Line]) -> None:
        super().__init__()
        self._without = {line.name for line in without}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it passes."""
        return getattr(record, "segsync_line", None) not in self._without


def last_word(message: object, environ: Mapping[str, str] = os.environ) -> str:
    """What a process says that cannot start, as lines are to look: it has no log yet."""
    if not is_json(environ):
        return str(message)
    return JsonFormatter().format(logging.LogRecord("segsync", logging.CRITICAL, "", 0, "%s", (message,), None))


def shape(handlers: Iterable[logging.Handler], environ: Mapping[str, str] = os.environ) -> None:
    """Has these handlers write what SEGSYNC_LOG asks for; text is left as it is."""
    if is_json(environ):
        for handler in handlers:
            handler.setFormatter(JsonFormatter())
