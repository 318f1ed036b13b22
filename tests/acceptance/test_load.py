"""The load of the main job: many small events, two databases, one worker with two processes, and few statements."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.model import Model, mixed
from tests.targets import TargetDatabase
from workers.ledger import statistics

if TYPE_CHECKING:
    from tests.installation import Installation
    from tests.servers.mariadb import MariadbServer

EVENTS = 20_000
SEGMENTS = 50
SIZE = 100


def test_many_small_events_take_few_statements_and_end_right(
    installation: Installation, postgresql_url: str, mariadb_url: str, mariadb_server: MariadbServer
) -> None:
    """No batch is partial but each lane's last: however slow the machine, the counts are the same."""
    pg = TargetDatabase("postgresql", postgresql_url)
    maria = TargetDatabase("mysql", mariadb_url, mariadb_server.password)
    batch = f'{{ size = {SIZE}, timeout = "24h" }}'
    pg.create()
    maria.create()
    installation.configure(
        pg.connector("pg")
        + maria.connector("maria")
        + pg.integration("a", "pg", batch=batch)
        + maria.integration("b", "maria", batch=batch)
    )
    events = mixed(EVENTS, random.Random(7), SEGMENTS)
    lasts = [{"type": "segment_upsert", "segment": {"id": n, "name": f"S{n}"}} for n in range(SEGMENTS)]
    model = Model()
    model.apply([*events, *lasts])
    installation.producer.push([*events, *lasts])

    installation.worker(concurrency=2)
    installation.ready()
    installation.settle()

    assert (pg.members(), pg.names()) == (model.members, model.names)
    assert (maria.members(), maria.names()) == (model.members, model.names)
    lanes = Counter(event["segment"]["id"] for event in events)
    batches = sum(math.ceil(count / SIZE) for count in lanes.values())
    day = timedelta(days=1)
    rows = statistics.stats(installation.ledger, datetime.now(UTC) - day, datetime.now(UTC) + day)
    for integration in ("a", "b"):
        statements = {row.event_type: 0 for row in rows}
        for row in rows:
            if row.integration == integration:
                statements[row.event_type] += row.statements
        assert statements["segment_upsert"] == SEGMENTS
        assert batches <= statements["add"] + statements["remove"] <= 2 * batches
