"""`segsync demo`, installed, as a stranger runs it: the main job, embedded and real, in one command."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import urllib.request
from contextlib import closing, suppress
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.leftovers import processes_of, wait_until_gone
from tests.waiting import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator


def command() -> str:
    found = shutil.which("segsync", path=str(Path(sys.executable).parent))
    assert found, "the command is not installed"
    return found


def names_of_segment_7(target: Path) -> list[str]:
    with closing(sqlite3.connect(target)) as database:
        return [name for (name,) in database.execute("SELECT name FROM mysegment WHERE segment_id = 7")]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Demo folders are made in the test's own; what a user has set for an installation must not matter."""
    return {
        **os.environ,
        "TMPDIR": str(tmp_path),
        "SEGSYNC_CONFIG": "/nowhere",
        "SEGSYNC_REDIS_URL": "redis://nowhere:1/0",
    }


def test_the_demo_shows_the_main_job_and_leaves_nothing_behind(tmp_path: Path, environ: dict[str, str]) -> None:
    done = subprocess.run(
        [command(), "demo"], cwd="/", env=environ, capture_output=True, text=True, timeout=2 * PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""

    rows = [re.split(r"  +", line.strip()) for line in done.stdout.splitlines()]
    assert ["7", "B-18", "O'Brien"] in rows
    assert ["7", "C-19", 'x", NOW()),(666,"evil'] in rows
    assert ["8", "N-0251 … N-2250", "(2,000 rows)"] in rows
    assert ["9", "S-41", "Shopper 41"] in rows
    assert not any(row[:2] == ["10", "Newsleter"] for row in rows)
    queries = {row[0]: int(row[1]) for row in rows if len(row) == 5 and row[1].isdigit()}
    assert queries.keys() == {"segment_upsert", "add", "remove", "clear", "segment_delete"}
    assert min(queries.values()) >= 1
    assert "3,051 operations:" in done.stdout
    assert re.search(r"^    event: .*json", done.stdout, re.MULTILINE)
    assert "profile 61f3: missing key" in done.stdout
    assert "All of it is as it must be: 2,004 rows" in done.stdout
    assert [line for line in done.stdout.splitlines() if len(line) > 80 and str(tmp_path) not in line] == []

    assert wait_until_gone(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def kept(tmp_path: Path, environ: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`segsync demo --keep`, up, and what it has said so far."""
    with subprocess.Popen(
        [command(), "demo", "--keep"], cwd="/", env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        said: list[str] = []
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said.append(line)
                if line.startswith("Ctrl-C ends it"):
                    break
            yield process, "".join(said)
        finally:
            process.kill()
            assert wait_until_gone(tmp_path) == []


def test_a_kept_demo_takes_more_events_and_shows_flower(
    tmp_path: Path, environ: dict[str, str], kept: tuple[subprocess.Popen[str], str]
) -> None:
    process, said = kept
    flower = re.search(r"Flower, at (http://127\.0\.0\.1:\d+), sees 3 workers: deliver@\S+, route@\S+, upkeep@", said)
    assert flower, said
    with urllib.request.urlopen(flower[1], timeout=PATIENCE) as page:  # noqa: S310 - the pattern says http
        assert page.status == 200
    console = re.search(r"The console is at (http://127\.0\.0\.1:\d+/)\.", said)
    assert console, said

    def shown() -> bool:
        """It takes a second to start, and the demo does not wait for it."""
        with suppress(OSError), urllib.request.urlopen(console[1], timeout=10) as page:  # noqa: S310 - as above
            return int(page.status) == HTTPStatus.OK
        return False

    until(shown, "the console")

    pushing = said.partition("    push   ")[2].partition("    look   ")[0].split("           " + sys.executable)
    subprocess.run(["/bin/sh", "-c", pushing[0]], env=environ, check=True, capture_output=True, timeout=PATIENCE)
    subprocess.run(
        ["/bin/sh", "-c", sys.executable + pushing[1]], env=environ, check=True, capture_output=True, timeout=PATIENCE
    )
    (folder,) = tmp_path.iterdir()
    until(lambda: names_of_segment_7(folder / "target.db") == ["Dan"], "the pushed name")

    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    assert wait_until_gone(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_killed_demo_leaves_no_process_behind(tmp_path: Path, environ: dict[str, str]) -> None:
    """Killed as soon as its Redis, workers and beat are there: long before it has shown anything."""
    with (tmp_path.parent / f"{tmp_path.name}.log").open("wb") as log:
        process = subprocess.Popen([command(), "demo", "--keep"], cwd="/", env=environ, stdout=log, stderr=log)
    try:
        until(lambda: len(processes_of(tmp_path)) >= 5, "its processes")
    finally:
        process.kill()
        process.wait()
    assert wait_until_gone(tmp_path) == []
