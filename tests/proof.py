"""How hard Hypothesis tries: a few examples, the same in every run, or with SEGSYNC_PROOF many, and others each time.

`make test` must give one answer for one tree on any machine, fast; finding what nobody has thought of is the affair of
`make proof`. So a test names no number of examples, no deadline and no database of its own: it takes the profile's.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

from hypothesis import HealthCheck, settings

Recorder = Callable[[str, object], None]
"""pytest's `record_property`: what a test says of its cases stands at the run's end (tests/conftest.py)."""

ENVIRONMENT = "SEGSYNC_PROOF"
FEW, MANY = 20, 1_000


def examples(wanted: str) -> int:
    """How many examples each property gets, for the variable's text.

    Empty: few. 1, or a word: many. A larger number: so many.
    """
    if not wanted:
        return FEW
    return int(wanted) if wanted.isdecimal() and int(wanted) > 1 else MANY


def draws(few: int, many: int) -> int:
    """How many random cases a test that draws its own takes: `few`, or with the variable `many` for 1,000 examples."""
    wanted = os.environ.get(ENVIRONMENT, "")
    return many * examples(wanted) // MANY if wanted else few


def seeded(seed: int) -> tuple[random.Random, int]:
    """Dice, and the number that makes them again: `seed`, or with the variable another one in each run."""
    if os.environ.get(ENVIRONMENT, ""):
        seed = random.randrange(2**32)
    return random.Random(seed), seed


def load_profile() -> None:
    """Makes the environment's profile the one that all tests take."""
    wanted = os.environ.get(ENVIRONMENT, "")
    settings.register_profile(
        "proof" if wanted else "few",
        max_examples=examples(wanted),
        derandomize=not wanted,
        print_blob=bool(wanted),
        database=None,  # a file that remembers failures would make two runs of one tree differ
        deadline=None,  # how long an example takes says how busy the machine is
        suppress_health_check=[
            HealthCheck.too_slow,  # the same
            HealthCheck.function_scoped_fixture,  # a test's table is made once and emptied for each example
        ],
    )
    settings.load_profile("proof" if wanted else "few")
