"""What `status` shows: where everything stands, and every stall that can be seen (promise 7).

Read without stopping anything. What it means, and what someone must do, is in needs.py; one integration in states.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from workers.errors import SegsyncError
from workers.lanes.answers import members_of, number_of, scan_fields
from workers.lanes.clock import redis_ms
from workers.lanes.lease import ROUTE, UPKEEP
from workers.ledger import health
from workers.ledger.known import known
from workers.monitoring.ages import looked_s
from workers.monitoring.books import WholeBooks
from workers.monitoring.consumers import PATIENCE_SECONDS, Asked, Consumers, ask
from workers.monitoring.intake import needs_of_intake
from workers.monitoring.needs import MANY, needs, notes
from workers.monitoring.resyncs import needs_of_resyncs, notes_of_resyncs, read_resyncs
from workers.monitoring.server import read_server
from workers.monitoring.states import SAMPLE, IntegrationStatus, read_integrations
from workers.monitoring.streams import oldest, read_stream
from workers.monitoring.whole import Background, Status
from workers.settings import lacking
from workers.settings.published import published

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.monitoring.books import Books, Place
    from workers.monitoring.need import Need
    from workers.runtime import Runtime

UNWANTED_AT_MOST: Final = 100_000
"""Segments whose unwanted events are counted: some 0.1 s."""
_QUARANTINE: Final = "quarantine: "
"""How the sentence begins that says why the ledger cannot be read."""
UNWANTED_SHOWN: Final = 10
"""Segments with most unwanted events that are named."""


def read(
    runtime: Runtime,
    consumers: Callable[[], Consumers] | None = None,
    *,
    many: int = MANY,
    patience: float = PATIENCE_SECONDS,
    sample: int = SAMPLE,
) -> Status:
    """Where everything stands. A dead ledger, a wrong secret or a silent broker only leave their numbers out.

    consumers  asks Celery's workers; may raise anything when the broker is out of reach; None does not ask
    many       open entries of the quarantine from which on someone is needed
    patience   seconds for which queues that nobody seems to serve are asked for again
    sample     lanes of each integration that are looked at, as in states.py

    Raises redis.RedisError.
    """
    return read_by(runtime, WholeBooks(runtime), consumers, many=many, patience=patience, sample=sample)


def read_by(
    place: Place,
    books: Books,
    consumers: Callable[[], Consumers] | None,
    *,
    many: int = MANY,
    patience: float = PATIENCE_SECONDS,
    sample: int = SAMPLE,
) -> Status:
    """As `read`, with what is asked of the ledger apart."""
    redis, keys, unread = place.redis, place.keys, list[str]()
    counts = _open_entries(books, unread)
    before = {key: oldest(redis, key) for key in (keys.events, keys.outcomes)}
    asked = ask(redis, keys, consumers, patience)
    now = redis_ms(redis)
    unread += [asked.trouble] if asked.trouble else []
    status = _read(place, now, asked, counts, unread, before, sample)
    silence = next((why.removeprefix(_QUARANTINE) for why in unread if why.startswith(_QUARANTINE)), "")
    background = _background(place, books, now, asked.trouble, silence)
    resyncs = read_resyncs(redis, keys)
    found = [*needs(status, background, many, now), *needs_of_intake(redis, keys, status.intake.events)]
    found += [*needs_of_resyncs(resyncs), *_read_accounts(place, status, now)]
    status.needs.extend(need.sentence for need in found)
    status.topics.extend(need.topic for need in found)
    status.notes.extend([*notes(status, many), *notes_of_resyncs(resyncs)])
    return status


def _read(
    place: Place,
    now: int,
    asked: Asked,
    counts: dict[str | None, int] | None,
    unread: list[str],
    before: Mapping[str, str | None],
    sample: int,
) -> Status:
    redis, keys = place.redis, place.keys
    names = sorted(members_of(redis, keys.integrations))
    integrations = read_integrations(redis, keys, names, now, counts, sample)
    unwanted = _unwanted(redis, keys, unread)
    number = number_of(redis.hget(keys.config, "revision"))
    return Status(
        backlog=sum(each.backlog for each in integrations),
        quarantine=_quarantine(redis, keys, integrations, counts),
        intake=read_stream(redis, keys, keys.events, ROUTE, before[keys.events], now),
        integrations=integrations,
        workers=asked.workers,
        queues=asked.queues,
        beat_age_s=looked_s(redis, keys, "beat", now),
        pulse_age_s=looked_s(redis, keys, "pulse", now),
        revision=number,
        unwanted=sum(unwanted.values()),
        unwanted_segments=dict(sorted(unwanted.items(), key=lambda pair: -pair[1])[:UNWANTED_SHOWN]),
        outcomes=read_stream(redis, keys, keys.outcomes, UPKEEP, before[keys.outcomes], now),
        unread=unread,
        ledger_is_dead=counts is None and number is not None,
    )


def _read_accounts(place: Place, status: Status, now: int) -> list[Need]:
    """Adds the ad accounts, where any is applied; what of them needs someone."""
    applied = published(place.redis, place.keys)
    if applied is None or '"platform"' not in applied.text:
        return []
    # All of the configuration, and SQLAlchemy: for who has ad accounts alone.
    from workers.monitoring.account_numbers import read_accounts  # noqa: PLC0415 - as above
    from workers.settings import revision  # noqa: PLC0415 - as above

    try:
        settings = revision.read(place.redis, place.keys, place.local).settings
    except SegsyncError as error:
        status.unread.append(f"ad accounts: {error}")
        return []
    found = read_accounts(place.redis, place.keys, settings, now)
    status.accounts.extend(found.accounts)
    status.unread.extend(found.unread)
    return found.needs


def _open_entries(books: Books, unread: list[str]) -> dict[str | None, int] | None:
    try:
        return books.open_entries()
    except SegsyncError as error:  # the ledger itself, a variable that its URL needs, or nothing is applied
        unread.append(f"{_QUARANTINE}{error}")
        return None


def _quarantine(
    redis: Redis, keys: Keys, integrations: list[IntegrationStatus], counts: dict[str | None, int] | None
) -> int | None:
    """Open entries; as scripts counted them where the ledger is silent."""
    if counts is not None:
        return sum(counts.values())
    of_intake = number_of(redis.hget(keys.intake, "quarantined"))
    return (of_intake or 0) + sum(each.quarantine or 0 for each in integrations)


def _unwanted(redis: Redis, keys: Keys, unread: list[str]) -> dict[str, int]:
    """Operations that nobody wanted, per segment."""
    found: dict[str, int] = {}
    for page in scan_fields(redis, keys.unwanted):
        if len(found) >= UNWANTED_AT_MOST:
            unread.append(f"unwanted: counted over {len(found):,} segments, there are more")
            break
        found |= {segment: int(count) for segment, count in page.items()}
    return found


def _emptied(place: Place, books: Books, now: int) -> int | None:
    """When it was found that this Redis was emptied: by who wrote to the ledger, or now where nobody has since."""
    if ledger := known(place.redis, place.keys):
        return ledger.emptied
    try:
        unnoticed = books.is_unnoticed()
    except SegsyncError:  # nothing is applied, or the ledger is silent: that was said
        return None
    return now // 1000 if unnoticed else None


def _background(place: Place, books: Books, now: int, broker: str, silence: str) -> Background:
    redis, keys = place.redis, place.keys
    return Background(
        server=read_server(redis, keys),
        trouble=health.trouble(redis, keys),
        lacking=lacking.noted(redis, keys, now),
        emptied=_emptied(place, books, now),
        broker=broker,
        silence=silence,
    )
