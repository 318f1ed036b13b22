"""What must be true once a round has been drained: everything that differs from the model is a sentence."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from tests.chaos.resyncing import brought

if TYPE_CHECKING:
    from tests.chaos.session import Session

SHOWN = 8
"""Examples of one kind that a report names."""

KNOWN_ENDS = (
    r"billiard\.exceptions\.WorkerLostError",
    r"billiard\.einfo\.ExceptionWithTraceback",
    r"tasks\.deliver\.(NeedsSomeone|TriesAgain)",
    r"celery\.exceptions\.Retry",
    r"workers\.routing\.router\.RoutingLost",
    r"SystemExit",
)
"""How tracebacks end that Celery prints for what is told in the lane as well, or for a child that was killed."""
REDIS_ENDS = (
    r"redis\.exceptions\.(ConnectionError|TimeoutError|BusyLoadingError|OutOfMemoryError|ResponseError|ReadOnlyError)",
    r"kombu\.exceptions\.(OperationalError|ConnectionError)",
    r"celery\.beat\.SchedulingError",
    r"redis\.exceptions\.ExecAbortError",
    # A script is loaded into one server and called on the next, which has been promoted in between.
    r"redis\.exceptions\.NoScriptError",
    # Celery's workers, where they are refused five times in a second.
    r"billiard\.exceptions\.RestartFreqExceeded",
    # Celery, while it takes a lost connection apart.
    r"AttributeError: 'NoneType' object has no attribute '(connection_errors|hostname)",
    r"(ConnectionResetError|ConnectionRefusedError|BrokenPipeError|ConnectionError|OSError|TimeoutError)",
)
"""And what may be seen while Redis is away, or full."""


def check(session: Session, *, exact: bool, once: bool, redis_trouble: bool, strict_order: bool) -> list[str]:
    """All that is wrong; `exact` where every operation must be counted once (not after a lost tail of Redis)."""
    problems = []
    for key in session.targets:
        problems += _tables(session, key)
        problems += _journal(session, key, strict=strict_order, once=once)
    problems += _nothing_left(session)
    if exact:
        problems += _accounts(session)
        problems += _quarantine(session)
    problems += _logs(session, redis_trouble=redis_trouble)
    return problems


def _tables(session: Session, key: str) -> list[str]:
    model, doubt, target = session.models[key], session.doubts[key], session.targets[key]
    return [
        *_differences(f"{key}: rows", _by_events(session, key), model.members, doubt.members),
        *_differences(f"{key}: names", target.names(), model.names, doubt.names),
    ]


def _by_events(session: Session, key: str) -> dict[tuple[str, str], int]:
    """The target's rows, each with the event that the model knows, where a resync may have written it again."""
    rows, expected = session.targets[key].rows(), session.models[key].members
    again = {row for row, found in rows.items() if session.allowed.row(key, row[0], found, expected.get(row))}
    return rows | {row: expected[row] for row in again}


def _differences(what: str, found: dict[Any, Any], expected: dict[Any, Any], doubt: dict[Any, set[Any]]) -> list[str]:
    wrong = {
        row: (found.get(row), expected.get(row))
        for row in found.keys() | expected.keys()
        if found.get(row) not in doubt.get(row, {expected.get(row)})
    }
    if not wrong:
        return []
    kinds = (sum(here is None for here, _ in wrong.values()), sum(there is None for _, there in wrong.values()))
    examples = dict(sorted(wrong.items())[:SHOWN])
    return [f"{what}: {len(wrong)} wrong, {kinds[0]} of them missing, {kinds[1]} too many; found, expected: {examples}"]


def _journal(session: Session, key: str, *, strict: bool, once: bool) -> list[str]:
    """Where batches are repeated whole or never, no row may ever have been written by an earlier add than before.

    With `exactly_once` it may not have been written by the same add either.
    """
    newest: dict[tuple[str, str], int] = {}
    back, twice = [], []
    for entry, segment, client, seq in session.targets[key].journal(session.journal[key]):
        session.journal[key] = entry
        if seq is None:
            continue
        known = newest.get((segment, client), 0)
        if seq < known:
            back.append((segment, client, known, seq))
        repeated = (segment, client, seq) in session.models[key].repeated
        if seq == known and not repeated and session.allowed.is_event(seq):  # a run that plans anew tells all again
            twice.append((segment, client, seq))
        newest[segment, client] = seq
    problems = [f"{key}: {len(back)} writes out of order: {back[:SHOWN]}"] if strict and back else []
    return problems + ([f"{key}: {len(twice)} writes done twice: {twice[:SHOWN]}"] if once and twice else [])


def _nothing_left(session: Session) -> list[str]:
    redis, keys, namespace = session.redis, session.keys, session.namespace
    problems = []
    for pattern in ("lane", "chunks"):
        left = list(redis.scan_iter(match=f"{namespace}:{pattern}:*", count=1000))
        if left:
            problems.append(f"{len(left)} keys left: {left[:SHOWN]}")
    for target in session.targets:
        due = {name: redis.zrange(name, 0, SHOWN) for name in (keys.full(f"i-{target}"), keys.timed(f"i-{target}"))}
        problems += [f"{name} still holds {left}" for name, left in due.items() if left]
        if (backlog := int(redis.hget(keys.integration(f"i-{target}"), "backlog") or 0)) != 0:
            problems.append(f"{target}: backlog {backlog} of an empty integration")
        if held := redis.hget(keys.integration(f"i-{target}"), "hold"):
            problems.append(f"{target}: still held: {held}")
    return problems


def _accounts(session: Session) -> list[str]:
    """Every accepted event and operation is counted, once."""
    problems = []
    routed = {k.decode(): int(v) for k, v in session.redis.hgetall(session.keys.routed).items()}
    for name, expected in (("events", session.events), ("operations", session.operations)):
        # A mark is an operation, too, and nobody counts how many were sent.
        more = bool(session.allowed.segments) and name == "operations"
        if routed.get(name, 0) < expected or (routed.get(name, 0) > expected and not more):
            problems.append(f"{name} routed: {routed.get(name, 0)}, pushed: {expected}")
    unwanted = sum(int(count) for count in session.redis.hvals(session.keys.unwanted))
    wanted_by_none = session.unwanted
    if unwanted != wanted_by_none:
        problems.append(f"unwanted operations: {unwanted}, expected {wanted_by_none}")
    rows = _ledger(
        session,
        "SELECT integration, sum(operations), sum(quarantined) FROM deliveries WHERE outcome = 'delivered' GROUP BY 1",
    )
    delivered = {integration: (int(operations), int(bad)) for integration, operations, bad in rows}
    entries = dict(_ledger(session, "SELECT integration, count(*) FROM quarantine GROUP BY 1"))
    for key, model in session.models.items():
        operations, bad = delivered.get(f"i-{key}", (0, 0))
        told, clears = brought(session, key)
        if not 0 <= operations - model.operations - told <= clears:
            pushed = f"{model.operations} pushed, {told} told by resyncs"
            problems.append(f"{key}: {operations} operations in the ledger, {pushed}")
        if bad != entries.get(f"i-{key}", 0):
            problems.append(f"{key}: {bad} quarantined by the deliveries, {entries.get(f'i-{key}')} entries")
    if entries.get(None, 0) != session.entries:
        problems.append(f"{entries.get(None, 0)} entries of the intake, expected {session.entries}")
    return problems + _batches(session)


def _batches(session: Session) -> list[str]:
    """What a delivery says it did adds up to what it took."""
    sql = (
        "SELECT d.id, d.operations, d.merged + d.moot + d.quarantined, d.code,"
        " coalesce(sum(q.profiles), 0), coalesce(sum(q.event_type NOT IN ('add', 'remove')), 0)"
        " FROM deliveries d LEFT JOIN queries q ON q.delivery = d.id WHERE d.outcome = 'delivered' GROUP BY d.id"
    )
    added = [(row[1], row[2] + row[4] + row[5], *row) for row in map(tuple, _ledger(session, sql))]
    # What `exactly_once` finds in the target already is delivered, though no query runs.
    wrong = [row for row in added if row[1] > row[0] or (row[1] < row[0] and not session.once)]
    return [f"{len(wrong)} deliveries do not add up: {wrong[:SHOWN]}"] if wrong else []


def _quarantine(session: Session) -> list[str]:
    """No entry without a cause, none twice, none missing."""
    problems = []
    found: dict[str, Counter[str]] = defaultdict(Counter)
    sql = "SELECT integration, segment, sequence, code, reason FROM quarantine WHERE integration IS NOT NULL"
    for integration, segment, sequence, code, reason in _ledger(session, sql):
        key = integration.removeprefix("i-")
        found[key][sequence] += 1
        if sequence not in session.models[key].suspects and not session.allowed.is_told(key, segment, sequence):
            problems.append(f"{key}: quarantined without cause: {sequence} {code}: {reason}")
    for key, model in session.models.items():
        if twice := [sequence for sequence, count in found[key].items() if count > 1]:
            problems.append(f"{key}: quarantined twice: {twice[:SHOWN]}")
        if missing := [sequence for sequence in model.certain if sequence not in found[key]]:
            problems.append(f"{key}: {len(missing)} not quarantined: {missing[:SHOWN]}")
    return problems[:SHOWN]


def _ledger(session: Session, sql: str) -> list[Any]:
    with session.installation.ledger.reading() as connection:
        return list(connection.execute(text(sql)).all())


def failed_tries(session: Session) -> int:
    """How many tries the ledger says failed so far."""
    return int(_ledger(session, "SELECT count(*) FROM deliveries WHERE outcome <> 'delivered'")[0][0])


TRACEBACK = re.compile(
    r"^.*Traceback \(most recent call last\):\n(?:(?:[ |+].*)?\n)*?([^ |+\n].*)$(?!\n\nDuring handling|\n\nThe above)",
    re.MULTILINE,
)


def _logs(session: Session, *, redis_trouble: bool) -> list[str]:
    known = re.compile("|".join(KNOWN_ENDS + (REDIS_ENDS if redis_trouble else ())))
    ends: Counter[str] = Counter()
    for process in session.installation.processes:
        name = process.log.name
        with process.log.open(errors="replace") as log:
            log.seek(session.log_offsets.get(name, 0))
            new = log.read()
            session.log_offsets[name] = log.tell()
        for end in TRACEBACK.findall(new):
            if not known.search(end.strip(" '\"")):
                ends[f"{name}: {end[:300]}"] += 1
    return [f"{count} tracebacks: {end}" for end, count in ends.items()]
