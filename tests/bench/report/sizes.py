"""How much one run does: `small` looks whether everything works, `full` is what may be quoted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of one run.

    events      one-profile events of (a) and (b); profiles of (c)
    filled      operations of a lane that is delivered alone
    due         segments of (d), one event each
    fan         events of (e), each wanted by ten integrations
    pace_s      seconds of (f) at 2,000 events/s
    fast        events of (g)
    slow        segments of (g) and (i), one batch each
    soak_s      seconds of (h)
    idle        idle lanes of (j): few, and many
    idle_s      seconds that idle processes are watched
    pushed      events of one producer
    rivals      the most operations that a slow one is given: its rate is its rate
    """

    events: int
    filled: int
    due: int
    fan: int
    pace_s: int
    fast: int
    slow: int
    soak_s: int
    idle: tuple[int, int]
    idle_s: int
    pushed: int
    rivals: dict[str, int]


SIZES = {
    "small": Sizes(
        events=20_000, filled=20_000, due=2_000, fan=2_000, pace_s=5, fast=10_000, slow=40, soak_s=10,
        idle=(1_000, 10_000), idle_s=5, pushed=20_000,
        rivals={"celery": 500, "batches": 2_000, "rsyslog": 2_000, "singer": 5_000, "dlt": 10_000},
    ),
    "full": Sizes(
        events=200_000, filled=100_000, due=100_000, fan=20_000, pace_s=40, fast=100_000, slow=160, soak_s=600,
        idle=(10_000, 1_000_000), idle_s=20, pushed=200_000,
        rivals={"celery": 5_000, "batches": 10_000, "rsyslog": 20_000, "singer": 20_000, "dlt": 50_000},
    ),
}  # fmt: skip
