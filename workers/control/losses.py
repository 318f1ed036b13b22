"""What would be lost if another configuration were published: what integrations owe that it has not, and who stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from workers.control.stranding import stranding
from workers.errors import SegsyncError
from workers.lanes.answers import number_of
from workers.settings.spelling import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from redis import Redis

    from workers.lanes.keys import Keys


class Undecided(SegsyncError):
    """Somebody has to choose first; the message says between what, by the options of `segsync apply`.

    elsewhere  the same for a page or a call, which has no such options
    """

    def __init__(self, told: str, elsewhere: str = "") -> None:
        super().__init__(told)
        self.elsewhere = elsewhere or told


class ApplyRefused(Undecided):
    """Publishing this would leave something owed behind; the message says what, and what to choose from."""


def refuse_loss(redis: Redis, keys: Keys, before: str, after: str, chosen: Collection[str] = ()) -> dict[str, int]:
    """The integrations that one published configuration has and another has not, and what each owes.

    chosen  those of which somebody has said what becomes of what they owe

    ApplyRefused where any other owes something, or whoever is in an audience would stay there; redis.RedisError.
    """
    removed = backlogs_of(redis, keys, sorted(integrations_of(before) - integrations_of(after)))
    if owing := {key: owed for key, owed in removed.items() if owed and key not in chosen}:
        raise ApplyRefused(_refusal(owing, _OPTIONS), _refusal(owing, _WORDS))
    if stranded := stranding(before, after):
        raise ApplyRefused("\n".join([*stranded, "nothing was published"]))
    return removed


def integrations_of(published: str) -> set[str]:
    """The keys that a published configuration has."""
    return set(json.loads(published).get("integrations", {}))


def backlogs_of(redis: Redis, keys: Keys, names: Collection[str]) -> dict[str, int]:
    """What each owes, in one round: a page asks for it, too. redis.RedisError."""
    pipe = redis.pipeline(transaction=False)
    for key in names:
        pipe.hget(keys.integration(key), "backlog")
    return {key: number_of(found) or 0 for key, found in zip(names, pipe.execute(), strict=True)}


_OPTIONS: Final = (
    "is not in the file any more and still owes {owes}; "
    "expected --drain {key} (deliver them first) or --drop {key} (throw them away)"
)
_WORDS: Final = (
    "is taken out and still owes {owes}; expected a choice for it: to drain it (deliver them first) or to drop them"
)


def _refusal(owing: Mapping[str, int], words: str) -> str:
    lines = [f"{key} {words.format(key=key, owes=counted(owed, 'operation'))}" for key, owed in owing.items()]
    return "\n".join([*lines, "nothing was published"])
