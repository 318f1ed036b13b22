"""The ceilings: a bare driver with ready-made statements, and COPY."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.bench import bare
from tests.bench.measuring import timed

if TYPE_CHECKING:
    from tests.bench.report.contest import Place
    from tests.bench.report.loads import Load

SIZE = 1_000
"""Operations of a transaction, as in segsync's batches."""


class Bare:
    """The statements are made beforehand; they run one after the other, over one link, a transaction for each batch."""

    title = "the bare driver, statements ready-made"

    def run(self, place: Place, load: Load) -> float:
        """Seconds for all of them."""
        return bare.seconds(place.target, bare.transactions(load.events, place.target.dialect, SIZE))


class Copy:
    """PostgreSQL's COPY into the empty table, in one transaction: no upsert, no removes, no batches."""

    title = "COPY, the outer limit"

    def run(self, place: Place, load: Load) -> float:
        """Seconds for the rows that are left in the end."""
        lines = "".join(f"{segment}\t{client}\t2026-01-01\n" for segment, client in sorted(load.rows))
        connection = place.target.connect()
        try:

            def run() -> None:
                with connection.cursor().copy("COPY member FROM STDIN") as copy:
                    copy.write(lines)

            return timed(run)
        finally:
            connection.close()
