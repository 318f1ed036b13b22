"""Who has to know when the process was forked: links are the parent's."""

from __future__ import annotations

import functools
import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """Told in each forked child."""

    def forked(self) -> None:
        """Lets go of what is the parent's."""


def tell_of_forks(someone: Forked) -> None:
    """From now on, for as long as it lives."""
    _known().add(someone)


@functools.cache
def _known() -> weakref.WeakSet[Forked]:
    # A hook for forks cannot be taken back: one for the process, and it looks at what is still there.
    known: weakref.WeakSet[Forked] = weakref.WeakSet()

    def forked() -> None:
        for each in list(known):
            each.forked()

    os.register_at_fork(after_in_child=forked)
    return known
