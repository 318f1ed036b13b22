"""What follows from processes that ended over a batch: nobody lived to tell which operation it was (rule 13). Pure."""

from __future__ import annotations

from workers.delivery.decide import Halve, SetAside

DEATHS = 3
"""Processes that may end over one batch before what ends them is looked for, and again over what stands alone."""


def after_deaths(deaths: int, operations: int, *, closing_in: bool) -> Halve | SetAside | None:
    """What follows from processes that ended over the batch at the head (rule 13); None: it is tried as it is.

    Nobody lived to tell which operation it was. Once it is looked for each death halves what is left; what passes
    meanwhile is not it. One that always stood alone may have been there by chance, and is given twice the time.

    deaths      over this very batch, of so many `operations`
    closing_in  whether it is looked for already
    """
    if operations > 1:
        return Halve(operations // 2) if deaths >= (1 if closing_in else DEATHS) else None
    return SetAside() if deaths >= (DEATHS if closing_in else 2 * DEATHS) else None
