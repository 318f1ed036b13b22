"""What `status` shows of a whole installation, as values; one integration's are in states.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

# Not for type checkers alone: the API's description is made of these classes' fields.
from workers.monitoring.account_numbers import AccountStatus  # noqa: TC001
from workers.monitoring.consumers import QueueStatus  # noqa: TC001
from workers.monitoring.server import ServerStatus  # noqa: TC001
from workers.monitoring.states import IntegrationStatus  # noqa: TC001
from workers.monitoring.streams import StreamStatus  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.ledger.health import Trouble


@dataclass(frozen=True, slots=True)
class Status:
    """The whole installation, as `status --json` prints it; the API's description is made of its fields.

    unwanted           operations that no integration wanted, since the beginning
    unwanted_segments  the segments with most of them
    beat_age_s, pulse_age_s  seconds since beat, and any worker's pulse, looked last; None for never
    revision           of the applied configuration; None where nothing is applied
    outcomes           on their way to the ledger
    needs              sentences: what needs someone
    topics             what each of them is about, as in "crm held": the same at each look for as long as it lasts
    notes              sentences: what is worth a word, and no alarm
    accounts           ad accounts in numbers
    unread             sentences: what could not be read, and why; its numbers are None
    ledger_is_dead     whether the ledger is among it
    """

    backlog: int
    quarantine: int | None
    intake: StreamStatus
    integrations: list[IntegrationStatus]
    workers: int | None
    queues: list[QueueStatus]
    beat_age_s: float | None
    pulse_age_s: float | None
    revision: int | None
    unwanted: int
    unwanted_segments: dict[str, int]
    outcomes: StreamStatus
    needs: list[str] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    accounts: list[AccountStatus] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    ledger_is_dead: bool = False


@dataclass(frozen=True, slots=True)
class Background:
    """What stands behind the sentences and is not shown by itself.

    lacking  what workers lack to serve a connector, as "connector on worker" and why
    emptied  when this Redis was found to be another than before, in Unix seconds; None where it was not
    broker   why Celery's workers cannot be asked; "" where they can
    silence  why the ledger cannot be read; "" where it can
    """

    server: ServerStatus
    trouble: Trouble | None
    lacking: Mapping[str, str]
    emptied: int | None
    broker: str
    silence: str
