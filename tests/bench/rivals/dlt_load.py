"""dlt: loads events (JSON lines of a file) into PostgreSQL, and prints the seconds that it took.

As its manual says: a resource that yields lists ("Optimizing dlt"), `merge` with the strategy `upsert` and the
table's primary key ("Merge loading"), the columns declared, and CSV, which is loaded by COPY ("Postgres").
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = ("segment_id", "client_id")


def lists(path: str) -> Iterator[list[dict[str, Any]]]:
    """Rows of an add, 10,000 at a time."""
    rows = []
    with Path(path).open(encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            rows += [{"segment_id": event["segment"]["id"], "client_id": p["CustomID"]} for p in event["profiles"]]
            if len(rows) >= 10_000:
                yield rows
                rows = []
    yield rows


def main(path: str) -> None:
    """One run of a pipeline in this folder."""
    pipeline = dlt.pipeline(
        "load",
        destination=dlt.destinations.postgres(os.environ["RIVAL_TARGET"]),
        dataset_name="public",
        pipelines_dir="pipelines",
    )
    started = time.perf_counter()
    pipeline.run(
        lists(path),
        table_name="member_dlt",
        write_disposition={"disposition": "merge", "strategy": "upsert"},
        primary_key=KEY,
        columns={"segment_id": {"data_type": "bigint"}, "client_id": {"data_type": "text"}},
        loader_file_format="csv",
    )
    sys.stdout.write(f"{time.perf_counter() - started}\n")


if __name__ == "__main__":
    main(sys.argv[1])
