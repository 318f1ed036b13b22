"""The place on this host's disk where runs keep what they have read: keys and profiles, for this user's eyes alone."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from workers.lanes.answers import text_of
from workers.resync.keys_on_disk import remove

if TYPE_CHECKING:
    from redis import Redis

    from workers.lanes.keys import Keys

OTHERS = 0o077
"""What nobody else may do there: anything."""
WRITE = 0o022
"""Where others may do this, something of theirs may lie there by now."""
_OF_A_RUN = re.compile(r"(\d+)(?:\.[0-9a-f]+|-looked)?")
"""Names of what is kept: what a run has read, its drafts, and what a verification saw at its first look."""


class StrangeFolder(OSError):
    """Others may read or write what would be kept there; the message names the folder."""


def folder_of(namespace: str, installation: str) -> Path:
    """The folder of one installation, below $TMPDIR; nothing is made yet.

    installation  its id: two of one namespace, each in a Redis of its own, number their runs alike
    """
    return Path(tempfile.gettempdir()) / f"segsync-{os.getuid()}" / f"{namespace}-{installation}"


def make_private(folder: Path) -> None:
    """Makes the folder above that of an installation, if it is not there. StrangeFolder, OSError.

    Its name is known, and where all users may make folders another one may have made it before: whoever owns it can
    read what lies in it, and put other rows in place of those that are to be removed.
    """
    own = folder.parent
    with suppress(FileExistsError):
        own.mkdir(mode=0o700)
    found = own.lstat()
    if not _is_own(found):
        raise StrangeFolder(
            f"{own} is not this user's own; expected a folder of user {os.getuid()} that nobody else may write to: "
            "look what it is, remove it, or set TMPDIR"
        )
    if found.st_mode & OTHERS:
        own.chmod(0o700)


def _is_own(found: os.stat_result) -> bool:
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & WRITE


def forget_ended(redis: Redis, keys: Keys, installation: str) -> None:
    """Removes what readers on this host have left of runs that are over. redis.RedisError.

    Hosts take turns at a run, and whoever ends it removes its own files alone: keys and profiles would lie on every
    other host for good. What lies in a folder of somebody else is left as it is; a host without any has nothing.
    """
    with suppress(OSError):
        folder = folder_of(keys.namespace, installation)
        if not _is_own(folder.parent.lstat()):
            return
        left = [(path, found[1]) for path in folder.iterdir() if (found := _OF_A_RUN.fullmatch(path.name))]
        over = {run for run in {run for _, run in left} if _is_over(redis, keys, run)}
        for path in [path for path, run in left if run in over]:
            remove(path)
            with suppress(OSError):
                path.unlink()


def _is_over(redis: Redis, keys: Keys, run: str) -> bool:
    return text_of(redis.hget(keys.run(run), "state")) in (None, "ended")
