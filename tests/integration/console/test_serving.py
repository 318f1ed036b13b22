"""`segsync console` as a process: it listens, answers, and ends in good order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING

from tests.integration.place import integration
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from tests.integration.place import Place


def test_it_says_where_it_is_answers_and_ends_when_it_is_asked_to(place: Place) -> None:
    place.publish(integration("crm"))
    told = place.folder / "told"
    with told.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "workers.cli", "console", "--listen", "127.0.0.1:0"],
            env={**os.environ, "SEGSYNC_CONFIG": str(place.file)},
            stdout=out,
            stderr=out,
        )
    try:
        at = until(
            lambda: re.search(r"the console is at (http://127\.0\.0\.1:\d+/);", told.read_text()), told.read_text
        )
        assert at
        with urllib.request.urlopen(at[1], timeout=PATIENCE) as answer:  # noqa: S310 - the pattern says http
            assert (answer.headers.get("server"), b"crm" in answer.read()) == (None, True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert "Traceback" not in told.read_text()
    finally:
        process.kill()
        process.wait()


def test_an_address_that_others_reach_is_refused_where_nobody_logs_in(place: Place) -> None:
    place.write()
    done = place.run("console", "--listen", "0.0.0.0:0")
    assert done.returncode == 2
    assert "0.0.0.0 can be reached from other hosts; expected [console.users]" in done.stderr
