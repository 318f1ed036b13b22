"""Many seeds, in several processes."""

from __future__ import annotations

import logging
import multiprocessing
import os
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from tests.simulation.histories import a_place, run
from tests.simulation.plans import plan

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.queues import SimpleQueue

PART = 25
"""Seeds that one process runs with one Redis."""


class Outcome(NamedTuple):
    """How one seed went: its violations, and of what kinds they are."""

    seed: int
    wrong: list[str]
    kinds: set[str]


def outcomes(seeds: Sequence[int], jobs: int, avoid: frozenset[str] = frozenset()) -> Iterator[Outcome]:
    """How each seed goes, in order; `avoid` as in `plans.plan`."""
    parts = [seeds[first : first + PART] for first in range(0, len(seeds), PART)]
    if jobs == 1:
        for part in parts:
            yield from _some(part, avoid)
        return
    context = multiprocessing.get_context("spawn")
    cores: SimpleQueue[int] = context.SimpleQueue()
    for core in sorted(os.sched_getaffinity(0)):
        cores.put(core)
    with context.Pool(jobs, _stay_on_one, (cores,)) as pool:
        for found in pool.imap(partial(_some, avoid=avoid), parts):
            yield from found


def _stay_on_one(cores: SimpleQueue[int]) -> None:
    """Keeps this process, and the Redis that it starts, on the next core in turn.

    Of its threads one runs at a time: to wake the next one on another core takes longer than most do in their turn.
    Two processes of 60 seeds took 30 seconds on two cores, and 41 where they could wander.
    """
    core = cores.get()
    cores.put(core)
    os.sched_setaffinity(0, {core})


def _some(seeds: Sequence[int], avoid: frozenset[str]) -> list[Outcome]:
    logging.disable(logging.CRITICAL)  # what the product says of failures is what is looked for here
    found = []
    with a_place() as place:
        for seed in seeds:
            history = run(plan(seed, avoid=avoid), place)
            found.append(Outcome(seed, history.wrong, history.kinds))
    return found
