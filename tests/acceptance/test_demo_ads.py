"""`segsync demo --ads`, as a newcomer runs it from the repository: four stand-ins, and whom they have in the end."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.leftovers import wait_until_gone
from tests.waiting import PATIENCE


def test_four_platforms_have_whom_they_must_and_nothing_is_left_behind(tmp_path: Path) -> None:
    command = shutil.which("segsync", path=str(Path(sys.executable).parent))
    assert command, "the command is not installed"
    # What a user has set for an installation must not matter.
    environ = os.environ | {
        "TMPDIR": str(tmp_path),
        "SEGSYNC_CONFIG": "/nowhere",
        "YAAUDIENCES_SYNC_DO_HASHING": "false",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }
    done = subprocess.run(
        [command, "demo", "--ads"],
        cwd="/",
        env=environ,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr

    platforms = re.split(r"^─+$", done.stdout, flags=re.MULTILINE)[1:]
    assert len(platforms) == 4
    told = re.findall(r"(\S+) e-mail addresses, (\S+) phone numbers: as it must be", done.stdout)
    assert told == [("2,363", "2,363"), ("2,363", "2,363"), ("2,362", "2,363"), ("2,362", "2,363")]
    for each, how in zip(platforms, ("sha256", "sha256", "md5", "sha256"), strict=True):
        assert f"    email               hashed ({how.upper()})" in each
        digest = hashlib.new(how, b"ann@example.com").hexdigest()
        assert f'= {how} of "ann@example.com"; the platform has it\n      {digest}\n' in each
        assert "    Nobody, who is in quarantine: nothing of it can be sent" in each
    assert done.stdout.count("Мария's email: an e-mail address with letters beyond ASCII") == 2
    assert "All of it is as it must be: the four platforms have 18,902 hashes" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines() if str(tmp_path) not in line)

    assert wait_until_gone(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
