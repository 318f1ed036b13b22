"""How the file stands to what is applied: whether somebody has published a later revision elsewhere."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers.settings import revision, revisions

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys
    from workers.settings.loading import Settings
    from workers.settings.revisions import Revision


@dataclass(frozen=True, slots=True)
class Behind:
    """The file is as an earlier revision was, and another has been applied since.

    file     the number of the revision that the file is
    applied  what was applied after it, and by whom
    """

    file: int
    applied: Revision

    @property
    def sentence(self) -> str:
        """What `status`, `check` and `apply` say."""
        later = self.applied
        why = f", {later.note}" if later.note else ""
        return (
            f"the file is behind: it is as revision {self.file} was, and {later.number}{why}, by {later.by} at "
            f"{later.at}, is applied since; `segsync config pull` writes that into it, `segsync apply` takes it back"
        )


def behind(redis: Redis, keys: Keys, own: Settings) -> Behind | None:
    """Whether the file is an earlier revision; None where it is the applied one, or has changes of its own.

    redis.RedisError.
    """
    applied = revision.published(redis, keys)
    if applied is None or applied.digest == own.digest:
        return None
    kept = {each.number: each for each in revisions.history(redis, keys)}
    same = [number for number, each in kept.items() if _is_same(each.text, own)]
    if not same or applied.revision not in kept:
        return None
    return Behind(max(same), kept[applied.revision])


def was_applied(redis: Redis, keys: Keys, own: Settings) -> bool:
    """Whether the file, as it is, was ever applied, as far back as revisions are kept. redis.RedisError."""
    return any(_is_same(each.text, own) for each in revisions.history(redis, keys))


def _is_same(text: str, own: Settings) -> bool:
    return bool(json.loads(text) == json.loads(own.published()))
