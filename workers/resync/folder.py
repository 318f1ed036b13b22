"""The place on this host's disk where runs keep what they have read: keys and profiles, for this user's eyes alone."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

OTHERS = 0o077
"""What nobody else may do there: anything."""
WRITE = 0o022
"""Where others may do this, something of theirs may lie there by now."""


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
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & WRITE:
        raise StrangeFolder(
            f"{own} is not this user's own; expected a folder of user {os.getuid()} that nobody else may write to: "
            "look what it is, remove it, or set TMPDIR"
        )
    if found.st_mode & OTHERS:
        own.chmod(0o700)
