"""The ledger's tables; what a record becomes in them is in `rows.py`.

    deliveries   one row for each try of each batch, or for `tries` of them
    queries      one row for each committed query of a delivery, or for `runs` of them
    quarantine   what could not be delivered: the only place that holds people's data
    purged       sums of what was deleted from the quarantine
    hours        sums of deliveries and queries, by the hour; they stay when single deliveries go
    failed_hours sums of tries that failed, by the hour and cause
    resyncs      runs of resyncs that are over
    acts         what people, and programs in their place, had segsync do
    ledger_identity, ledger_installations  which ledger this is, and whose

The schema is made by `workers/ledger/migrations`; a test keeps both alike.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Named,
    Table,
    Text,
    TypedColumns,
    literal_column,
    text,
)

metadata = MetaData()

SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")
"""64 bits, counted up by the database: SQLite does that for INTEGER only."""


class DeliveryColumns(TypedColumns):
    """`outcomes.Delivery`, field for field, and a short id for `queries` to refer to."""

    id: Named[int] = Column(SERIAL, primary_key=True)
    uid: Named[str] = Column(Text)
    integration: Named[str] = Column(Text)
    connector: Named[str] = Column(Text)
    segment: Named[str] = Column(Text)
    outcome: Named[str] = Column(Text)
    first: Named[str] = Column(Text)
    last: Named[str] = Column(Text)
    operations: Named[int] = Column(BigInteger)
    merged: Named[int] = Column(BigInteger)
    moot: Named[int] = Column(BigInteger)
    quarantined: Named[int] = Column(BigInteger)
    attempt: Named[int] = Column(BigInteger)
    started_ms: Named[int] = Column(BigInteger)
    duration_us: Named[int] = Column(BigInteger)
    waited_ms: Named[int] = Column(BigInteger)
    code: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)
    tries: Named[int] = Column(BigInteger, server_default="1")
    event_type: Named[str] = Column(Text, server_default=text("''"))


class QueryColumns(TypedColumns):
    """`outcomes.QueryRun`, and what the statistics need of its delivery, so that they need no join."""

    delivery: Named[int] = Column(BigInteger, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True)
    position: Named[int] = Column(Integer, primary_key=True)
    integration: Named[str] = Column(Text)
    event_type: Named[str] = Column(Text)
    started_ms: Named[int] = Column(BigInteger)
    waited_ms: Named[int] = Column(BigInteger)
    profiles: Named[int] = Column(BigInteger)
    statements: Named[int] = Column(BigInteger)
    rows: Named[int] = Column(BigInteger)
    duration_us: Named[int] = Column(BigInteger)
    runs: Named[int] = Column(BigInteger, server_default="1")
    unsent: Named[int] = Column(BigInteger, server_default="0")


class QuarantineColumns(TypedColumns):
    """`outcomes.Quarantined`, with an id that people can type and what became of it.

    source      "lane", "intake" (it never reached an integration), "outcomes" (an unreadable record) or "audience" (an
                ad platform refuses a member by name)
    state       one of STATES
    changed_ms  when `state` was changed last, `changed_by` by whose command, `note` why
    """

    id: Named[int] = Column(SERIAL, primary_key=True)
    uid: Named[str] = Column(Text, unique=True)
    source: Named[str] = Column(Text)
    state: Named[str] = Column(Text)
    changed_ms: Named[int | None] = Column(BigInteger)
    changed_by: Named[str] = Column(Text)
    note: Named[str] = Column(Text)
    integration: Named[str | None] = Column(Text)
    segment: Named[str | None] = Column(Text)
    event_type: Named[str | None] = Column(Text)
    profile: Named[str | None] = Column(Text)
    sequence: Named[str] = Column(Text)
    at_ms: Named[int] = Column(BigInteger)
    code: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)
    payload: Named[bytes] = Column(LargeBinary)
    size: Named[int] = Column(BigInteger)
    sha256: Named[str] = Column(Text)
    detail: Named[str] = Column(Text)
    slot: Named[str] = Column(Text)
    event_us: Named[int | None] = Column(BigInteger)
    retries: Named[int] = Column(BigInteger)
    replaces: Named[str] = Column(Text)


class PurgedColumns(TypedColumns):
    """Sums of entries that were purged from the quarantine, so that statistics of the past stay as they were.

    at_ms  the minute in which they were quarantined, as Unix milliseconds of its beginning
    many   how many
    """

    id: Named[int] = Column(SERIAL, primary_key=True)
    integration: Named[str | None] = Column(Text)
    event_type: Named[str | None] = Column(Text)
    code: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)
    at_ms: Named[int] = Column(BigInteger)
    many: Named[int] = Column(BigInteger)


class HourColumns(TypedColumns):
    """What was delivered in one hour for one integration, by event type and waiting time.

    hour        hours since 1970, UTC: that in which the tries began
    event_type  "" for merged and moot of batches that ran several queries, or none
    waited_ms   rounded up to two digits: 0 to 100, 110, 120 to 1,000, 1,100 and so on
    queries, statements, rows, profiles, unsent  as in `queries`, `runs` of it counted
    merged, moot  as in `deliveries`
    longest_ms  the longest wait of these queries, not rounded
    """

    hour: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    integration: Named[str] = Column(Text, primary_key=True)
    event_type: Named[str] = Column(Text, primary_key=True)
    waited_ms: Named[int] = Column(BigInteger, primary_key=True, autoincrement=False)
    queries: Named[int] = Column(BigInteger)
    statements: Named[int] = Column(BigInteger)
    rows: Named[int] = Column(BigInteger)
    profiles: Named[int] = Column(BigInteger)
    merged: Named[int] = Column(BigInteger)
    moot: Named[int] = Column(BigInteger)
    longest_ms: Named[int] = Column(BigInteger)
    unsent: Named[int] = Column(BigInteger, server_default="0")


class FailedHourColumns(TypedColumns):
    """Tries that failed in one hour for one cause.

    key         SHA-256 of hour, integration, event type, outcome, code and reason: a reason is too long for an index
    tries       how many
    first_ms, last_ms  when the first and the last of them began, Unix milliseconds
    segment     the last one's
    """

    key: Named[str] = Column(Text, primary_key=True)
    hour: Named[int] = Column(BigInteger)
    integration: Named[str] = Column(Text)
    event_type: Named[str] = Column(Text)
    outcome: Named[str] = Column(Text)
    code: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)
    tries: Named[int] = Column(BigInteger)
    first_ms: Named[int] = Column(BigInteger)
    last_ms: Named[int] = Column(BigInteger)
    segment: Named[str] = Column(Text)


class ResyncColumns(TypedColumns):
    """`outcomes.Resynced`, field for field."""

    id: Named[int] = Column(SERIAL, primary_key=True)
    uid: Named[str] = Column(Text, unique=True)
    run: Named[str] = Column(Text)
    integration: Named[str] = Column(Text)
    segment: Named[str] = Column(Text)
    kind: Named[str] = Column(Text)
    mode: Named[str] = Column(Text)
    by: Named[str] = Column(Text)
    asked_ms: Named[int] = Column(BigInteger)
    ended_ms: Named[int] = Column(BigInteger)
    members: Named[int] = Column(BigInteger)
    rows: Named[int] = Column(BigInteger)
    added: Named[int] = Column(BigInteger)
    removed: Named[int] = Column(BigInteger)
    kept: Named[int] = Column(BigInteger)
    unusable: Named[int] = Column(BigInteger)
    quarantined: Named[int] = Column(BigInteger)
    outcome: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)


class ActColumns(TypedColumns):
    """`outcomes.Acted`, field for field."""

    id: Named[int] = Column(SERIAL, primary_key=True)
    uid: Named[str] = Column(Text, unique=True)
    at_ms: Named[int] = Column(BigInteger)
    who: Named[str] = Column(Text)
    via: Named[str] = Column(Text)
    act: Named[str] = Column(Text)
    target: Named[str] = Column(Text)
    reason: Named[str] = Column(Text)
    address: Named[str] = Column(Text)
    failed: Named[str] = Column(Text)


class IdentityColumns(TypedColumns):
    """The ledger's own id, random, in one row: what an installation knows it by.

    kept_ms  the beginning of the hour, Unix milliseconds, before which single deliveries may be gone
    """

    id: Named[str] = Column(Text, primary_key=True)
    kept_ms: Named[int | None] = Column(BigInteger)


class InstallationColumns(TypedColumns):
    """The installation that writes here, by its namespace: another id under it means that its Redis is another.

    counted  how often who writes has counted: Redis knows it, too, so that a copy that lacks something is noticed
    """

    namespace: Named[str] = Column(Text, primary_key=True)
    installation: Named[str] = Column(Text)
    counted: Named[int | None] = Column(BigInteger)


deliveries = Table("deliveries", metadata, DeliveryColumns)
queries = Table("queries", metadata, QueryColumns)
# AUTOINCREMENT: an id that was dropped never names another entry.
quarantine = Table("quarantine", metadata, QuarantineColumns, sqlite_autoincrement=True)
purged = Table("purged", metadata, PurgedColumns)
hours = Table("hours", metadata, HourColumns)
failed_hours = Table("failed_hours", metadata, FailedHourColumns)
resyncs = Table("resyncs", metadata, ResyncColumns)
acts = Table("acts", metadata, ActColumns)
identity = Table("ledger_identity", metadata, IdentityColumns)
installations = Table("ledger_installations", metadata, InstallationColumns)

# Literals, not parameters: SQLite uses a partial index only where it sees the index's own condition.
FAILED: Final = deliveries.c.outcome != literal_column("'delivered'")
OPEN: Final = quarantine.c.state == literal_column("'open'")
UNRESOLVED: Final = quarantine.c.state.in_([literal_column("'open'"), literal_column("'retried'")])

STATES: Final = ("open", "retried", "delivered", "superseded", "replaced", "dropped")
"""What an entry can be: waiting for someone; on its way (an event that never reached an integration: it has gone to
all that want it); in the target; overtaken by a later operation of its key or a clear; refused once more, under an
entry of its own; thrown away by a person's command. The last four are final."""

# Makes a repeated record known, and finds a span of time. Random uids alone would be spread over the whole
# index: 17,000 deliveries/s after 300,000, and falling; so it stays at 35,000.
Index("deliveries_once", deliveries.c.started_ms, deliveries.c.uid, unique=True)
Index("deliveries_failed", deliveries.c.started_ms, sqlite_where=FAILED, postgresql_where=FAILED)
Index("queries_started", queries.c.started_ms)
Index("quarantine_at", quarantine.c.at_ms)
Index("purged_at", purged.c.at_ms)
Index("failed_hours_hour", failed_hours.c.hour)
Index("resyncs_ended", resyncs.c.ended_ms)
Index("acts_at", acts.c.at_ms)
Index("quarantine_open", quarantine.c.integration, quarantine.c.id, sqlite_where=OPEN, postgresql_where=OPEN)
Index(
    "quarantine_unresolved",
    quarantine.c.integration,
    quarantine.c.segment,
    sqlite_where=UNRESOLVED,
    postgresql_where=UNRESOLVED,
)

UNREADABLE: Final = "unreadable record"
"""The code of what the drainer found in the outcomes stream and could not read."""

VERSION_TABLE: Final = "ledger_version"
"""Alembic's own table; not `alembic_version`, which a database that is shared with another program may have."""
